"""Keeps the two halves of `up` running: starts them, starts again what died, and stops them in the right order."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

log = logging.getLogger(__name__)

RESTART_SECONDS = 0.5
STEADY_SECONDS = 10.0
MOST_FAILURES = 5
SERVER_SECONDS = 50
WORKER_SECONDS = 30
TICK_SECONDS = 0.1


class DoesNotStart(Exception):
    """One half cannot be kept running; its text is for people."""


class Child:
    """One half, in a session of its own, so that Ctrl-C reaches only the supervisor. Its stdin closes when we die."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name, self.command = name, command
        self.failures = 0
        self.start()

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own manage.py
            self.command, stdin=subprocess.PIPE, start_new_session=True
        )

    def keep_alive(self) -> None:
        """Start it again when it ended.

        Raises:
            DoesNotStart: it ended by itself several times without ever running for a while.
        """
        if time.monotonic() > self.started + STEADY_SECONDS:
            self.failures = 0
        code = self.process.poll()
        if code is None or time.monotonic() < self.started + RESTART_SECONDS:
            return
        self.failures += code > 0  # a process that was killed says nothing about its start
        if self.failures >= MOST_FAILURES:
            raise DoesNotStart(
                f"The {self.name} ended {self.failures} times right after its start; the lines above say why."
            )
        log.error("the %s ended with %s; starting it again", self.name, code)
        self.start()

    def stop(self, seconds: float) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.error("the %s did not stop within %d s and is killed", self.name, seconds)
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs server and worker until SIGTERM or Ctrl-C; then the server first, so that the worker takes in its last logs."""

    def __init__(self, server: Sequence[str], worker: Sequence[str]) -> None:
        self.stopping = False
        self.server_command, self.worker_command = server, worker

    def run(self, ready: Callable[[], None]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.server = Child("server", self.server_command)
        self.worker = Child("worker", self.worker_command)
        threading.Thread(target=ready, daemon=True).start()
        try:
            while not self.stopping:
                self.server.keep_alive()
                self.worker.keep_alive()
                time.sleep(TICK_SECONDS)
        finally:
            self.server.stop(SERVER_SECONDS)
            self.worker.stop(WORKER_SECONDS)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True


def end_with_parent(act: Callable[[], None]) -> None:
    """Call `act` when the supervisor is gone: its end of our stdin closes with it, however it died."""

    def wait() -> None:
        # The bare descriptor: a lock held inside sys.stdin would be copied by the server's fork, and stop it for ever.
        while os.read(0, 1024):
            pass
        act()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
