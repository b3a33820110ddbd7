from __future__ import annotations

import os
import resource
import signal
import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from gateway.processes.setup import prepare
from gateway.processes.supervisor import end_with_parent

HEADER_MILLISECONDS = 75_000  # for the next request's, too: load balancers keep a connection for 60 s
CONNECTIONS = 16_384
DESCRIPTORS_FOR_THE_REST = 2_048
BUFFER_BYTES = 1024 * 1024
KILL_SECONDS = 40


class Command(BaseCommand):
    help = "Run the server half: gateway and pages. `work` is the other half."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8787)
        parser.add_argument("--workers", type=int, default=1)
        parser.add_argument("--supervised", action="store_true", help="stop when stdin closes (used by `up`)")

    def handle(self, *args: Any, host: str, port: int, workers: int, supervised: bool, **options: Any) -> None:
        check_port(host, port)
        if not supervised:
            prepare(static=True)  # `up` has done it already
        else:
            end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
        Granian(
            "gateway.asgi:application",
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            workers=workers,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=BUFFER_BYTES, keep_alive=True
            ),
            websockets=False,
            log_access=False,
            log_level="warning",  # type: ignore[arg-type]
            respawn_failed_workers=True,
            respawn_interval=0.5,
            workers_kill_timeout=KILL_SECONDS,
            backlog=1024,
            backpressure=_connections(),
        ).serve()


def _connections() -> int:
    """As many as the system lets a process have, but for what it needs to reach providers and files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        CONNECTIONS if most == resource.RLIM_INFINITY else max(min(CONNECTIONS, most - DESCRIPTORS_FOR_THE_REST), 256)
    )


def check_port(host: str, port: int) -> None:
    """Raises CommandError with the cure when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port} ({error.strerror}). Another Loupe may be running there; "
                f"stop it, or choose another port: python manage.py up --port {port + 1}"
            ) from error
