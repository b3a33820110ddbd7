"""The worker's loops: journal to database, thumbnails, copies of linked pictures, index, runs of picture sets. Each has its
own thread."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from gateway.index import blocks
from gateway.network.fetch import Fetcher
from gateway.pictures import link_copies, thumbnails
from gateway.pictures.decoder import Decoder
from gateway.processes.set_runner import SetRunner
from gateway.recording import feedback
from gateway.recording.ingest import Ingest
from prompts.library import editing

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
INDEX_SECONDS = 1.0
SWEEP_SECONDS = 3600
NICENESS = 10
LONGEST_PAUSE_SECONDS = 5.0


def give_way() -> None:
    """Lower this process's share of the processor: a log may wait, a request may not.

    Where Linux groups processes by session, niceness counts only inside the group, so the group is made nice too; but
    only when it is ours alone, that is when we lead a session as under `up`.
    """
    os.nice(NICENESS)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICENESS))


class AlreadyWorking(Exception):
    """Another worker takes in this journal."""


def _sole_worker(root: Path) -> int:
    """Hold the journal's lock for as long as this process lives: two readers would delete under each other.

    Raises:
        AlreadyWorking: another process has it.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / "ingest.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyWorking("Another worker takes in this journal already; `up` runs one of its own.") from None
    return descriptor


class Worker:
    """Runs until `stop`; then takes in what the journals still hold. Raises AlreadyWorking when another one does.

    `gateway` is the address of the server half, which runs of picture sets ask.
    """

    def __init__(self, gateway: str) -> None:
        self.lock = _sole_worker(settings.JOURNAL_ROOT)
        self.stopping = threading.Event()
        self.failed = threading.Event()
        self.index_at = self.sweep_at = 0.0
        self.set_runner = SetRunner(gateway)
        self.decoder = Decoder()
        self.ingest = Ingest(settings.JOURNAL_ROOT)
        self.fetcher = Fetcher(
            max_bytes=settings.FETCH_MAX_BYTES,
            seconds=settings.FETCH_SECONDS,
            open_hosts=settings.FETCH_HOSTS,
        )

    def run(self) -> bool:
        """Work until stopped; False when a loop broke and the process should be started anew."""
        jobs: dict[str, Callable[[], bool]] = {
            "thumbnails": self._make_thumbnails,
            "image-links": lambda: link_copies.step(self.fetcher),
            "index": self._index,
            "set-runs": self.set_runner.step,
            "sweep": self._sweep,
        }
        threads = [
            threading.Thread(target=self._loop, args=(name, job), name=name, daemon=True) for name, job in jobs.items()
        ]
        for thread in threads:
            thread.start()
        self._loop("ingest", self.ingest.step)
        for thread in threads:
            thread.join(timeout=15)
        self.decoder.close()
        return not self.failed.is_set()

    def _make_thumbnails(self) -> bool:
        """Logs come first: a thumbnail can be made when it is looked at, and a journal that is full stops the gateway."""
        return not self.ingest.behind and thumbnails.step(self.decoder)

    def _index(self) -> bool:
        """Logs come first here too; and what is seconds old is found without an index."""
        if self.ingest.behind or time.monotonic() < self.index_at:
            return False
        busy = feedback.link() or blocks.step()
        self.index_at = 0.0 if busy else time.monotonic() + INDEX_SECONDS
        return busy

    def _sweep(self) -> bool:
        """What was deleted long ago goes."""
        if time.monotonic() >= self.sweep_at:
            editing.sweep()
            self.sweep_at = time.monotonic() + SWEEP_SECONDS
        return False

    def drain(self) -> None:
        """Everything once, until nothing is left to do."""
        while self.ingest.step() or thumbnails.step(self.decoder) or link_copies.step(self.fetcher):
            pass

    def ask_no_more(self) -> None:
        """Runs of picture sets stop where they are: the server, which is about to end, would wait for their calls."""
        self.set_runner.stopping.set()

    def stop(self) -> None:
        self.ask_no_more()
        self.stopping.set()

    def _loop(self, name: str, job: Callable[[], bool]) -> None:
        pause = IDLE_SECONDS
        try:
            while not self.stopping.is_set():
                try:
                    busy = job()
                except (OperationalError, InterfaceError, OSError) as error:
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    log.warning("%s waits %.1f s, database or disk do not take it: %s", name, pause, error)
                    close_old_connections()
                    connection.close()
                    self.stopping.wait(pause)
                    continue
                pause = IDLE_SECONDS
                if not busy:
                    self.stopping.wait(pause)
            if name == "ingest" and not self.failed.is_set():
                while job():
                    pass
        except BaseException:
            self.failed.set()
            self.stop()
            log.exception("%s broke", name)
            raise
        finally:
            connection.close()
