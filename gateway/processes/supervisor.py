"""Keeps the processes of `up` running: starts them, starts again what died, and stops them in the right order."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

log = logging.getLogger(__name__)

RESTART_SECONDS = 0.5
MOST_ENDS_BEFORE_READY = 3
SERVER_SECONDS = 50
WORKER_SECONDS = 30
TICK_SECONDS = 0.1
# Told to the workers before the server stops. By default it does nothing; no terminal sends it to a session of its own.
ASK_NO_MORE = signal.SIGWINCH


class DoesNotStart(Exception):
    """A process ends again and again before Loupe was ever ready; its text is for people."""


class Child:
    """One process, in a session of its own, so that Ctrl-C reaches only the supervisor. Its stdin closes when we die."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name, self.command = name, command
        self.ends = 0
        self.start()

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own manage.py
            self.command, stdin=subprocess.PIPE, start_new_session=True
        )

    def keep_alive(self) -> None:
        """Start it again when it ended, however often that was."""
        code = self.process.poll()
        if code is None or time.monotonic() < self.started + RESTART_SECONDS:
            return
        self.ends += 1
        log.error("the %s ended with %s; starting it again", self.name, code)
        self.start()

    def tell(self, number: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self, seconds: float) -> None:
        self.tell(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.error("the %s did not stop within %d s and is killed", self.name, seconds)
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs server and workers until SIGTERM or Ctrl-C; then the server first, so that the workers take in its last logs."""

    def __init__(self, server: Sequence[str], workers: Mapping[str, Sequence[str]]) -> None:
        """`workers` are commands by their names."""
        self.stopping = self.was_ready = False
        self.server_command, self.worker_commands = server, workers

    def run(self, greet: Callable[[], bool]) -> None:
        """Until told to stop. `greet` waits until Loupe is ready, says so to the user, and answers whether it came to that.

        Raises:
            DoesNotStart: what cannot start is not started for ever.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.server = Child("server", self.server_command)
        self.workers = [Child(name, command) for name, command in self.worker_commands.items()]
        threading.Thread(target=self._greet, args=(greet,), daemon=True).start()
        try:
            while not self.stopping:
                for child in (self.server, *self.workers):
                    child.keep_alive()
                self._give_up_if_hopeless()
                time.sleep(TICK_SECONDS)
        finally:
            self._tell_workers(ASK_NO_MORE)
            self.server.stop(SERVER_SECONDS)
            self._tell_workers(signal.SIGTERM)
            for worker in self.workers:
                worker.stop(WORKER_SECONDS)

    def _tell_workers(self, number: signal.Signals) -> None:
        for worker in self.workers:
            worker.tell(number)

    def _greet(self, greet: Callable[[], bool]) -> None:
        self.was_ready = greet()

    def _give_up_if_hopeless(self) -> None:
        for child in (self.server, *self.workers):
            if not self.was_ready and child.ends >= MOST_ENDS_BEFORE_READY:
                raise DoesNotStart(f"The {child.name} does not start; the lines above say why.")

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
