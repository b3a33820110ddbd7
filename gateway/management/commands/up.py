from __future__ import annotations

import fcntl
import os
import shlex
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from gateway.demo.first_call import curl_lines
from gateway.keys.api_keys import create_api_key
from gateway.keys.people import create_login_link, create_owner
from gateway.management.commands.serve import check_port
from gateway.management.commands.work import add_sharing
from gateway.models import ApiKey
from gateway.processes.setup import check_folder, prepare
from gateway.processes.supervisor import DoesNotStart, Supervisor
from gateway.processes.worker import JOBS
from gateway.retention import ageing, rules

START_SECONDS = 60


class Command(BaseCommand):
    help = "Everything on one machine: first-run set-up, server and worker, until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8787)
        parser.add_argument("--workers", type=int, default=1, help="processes of the gateway; default %(default)s")
        add_sharing(parser)

    def handle(
        self, *args: Any, host: str, port: int, workers: int, ingest: int, thumbnails: int, **options: Any
    ) -> None:
        settings.ENVIRONMENT.setdefault("LOUPE_PROVIDER_HOSTS", "loopback")  # local models, as on any one machine
        check_port(host, port)
        lock = _only_one(settings.LOUPE_DATA)
        workspace = prepare(static=True)
        token = create_login_link(user=create_owner(workspace=workspace, username="admin"))
        key = "" if ApiKey.objects.of(workspace).exists() else create_api_key(workspace=workspace, name="first")[1]
        kept = (
            f"{rules.said(rules.rule_of(workspace))}; at most {ageing.bound(ageing.bytes_kept()) / 1e9:.0f} GB in all"
        )
        base = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 - compared, not bound
        link = base + reverse("login-link", args=[token])
        manage = [sys.executable, sys.argv[0]]
        listen = ["--host", host, "--port", str(port), "--workers", str(workers)]
        work = [*manage, "work", "--gateway", base, "--supervised", "--thumbnails", str(thumbnails), "--jobs"]
        readers = {f"ingest {n}": [*work, "ingest", "--ingest", str(ingest)] for n in range(1, ingest + 1)}
        others = {"worker": [*work, *(job for job in JOBS if job != "ingest")]}
        supervisor = Supervisor([*manage, "serve", *listen, "--supervised"], readers | others)
        try:
            supervisor.run(lambda: self._greet(base, link, key, kept))
        except DoesNotStart as error:
            raise CommandError(str(error)) from None
        self.stdout.write("Loupe has stopped; every log is kept.")
        lock.close()

    def _greet(self, base: str, link: str, key: str, kept: str) -> bool:
        """Say where everything is, once it answers; whether it did."""
        if not _answers(f"{base}/readyz"):
            self.stderr.write("Loupe did not come up within a minute; the lines above say why.")
            return False
        shown = key or "YOUR_KEY"
        if not self.stdout.isatty():  # a log that others read, and keep
            link = f"in {_kept('login-link', link)}"
            shown = f"$(cat {shlex.quote(str(_kept('first-api-key', key)))})" if key else shown
            key = key and f"in {settings.LOUPE_DATA / 'first-api-key'}"
        lines = [
            "",
            f"Loupe is up. Open it (the link logs you in, once):  {link}",
            f"Base URL for your SDK:                              {base}{settings.BASE_PATH}/v1",
        ]
        if key:
            lines.append(f"Your first API key (shown only now):                {key}")
        else:
            lines.append("API keys: on the page Keys, or python manage.py apikey create NAME")
        lines += ["Data folder:                                        " + str(settings.LOUPE_DATA)]
        lines += ["What is kept, and how long (page Storage):          " + kept]
        lines += [
            "Private addresses that providers may have:          " + settings.ENVIRONMENT["LOUPE_PROVIDER_HOSTS"],
            "",
        ]
        lines += [
            "Try it; the picture appears in the open page by itself:",
            "",
            *curl_lines(base + settings.BASE_PATH, shown),
        ]
        self.stdout.write("\n".join([*lines, ""]))
        self.stdout.flush()
        return True


def _only_one(folder: Path) -> IO[str]:
    """Hold the data folder for as long as this process lives. Raises CommandError when another `up` has it."""
    check_folder(folder)
    lock = (folder / "up.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(
            f"Another Loupe runs on the data folder {folder}. Stop it, or name another folder with LOUPE_DATA."
        ) from None
    return lock


def _kept(name: str, secret: str) -> Path:
    """A file in the data folder that only its owner can read."""
    path: Path = settings.LOUPE_DATA / name
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
    return path


def _answers(url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False
