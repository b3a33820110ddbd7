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
from gateway.pictures import blobs
from gateway.pictures.link_copies import LinkCopies
from gateway.pictures.thumbnails import Thumbnails
from gateway.processes.set_runner import SetRunner
from gateway.recording import feedback
from gateway.recording.disk_room import DiskRoom
from gateway.recording.ingest import Ingest
from gateway.recording.journal import MEASURE_SECONDS
from gateway.recording.words import WordFiller
from prompts.library import editing

log = logging.getLogger(__name__)

# How often the journals are looked at. The loops after ingest are told when it wrote something, and look by themselves
# only for what others write: an upload, a run that somebody starts.
INGEST_SECONDS = 0.1
IDLE_SECONDS = 1.0
INDEX_SECONDS = 3.0  # what is not in the index yet is found without it
RUNS_SECONDS = 0.4
SWEEP_SECONDS = 3600
BLOBS_SECONDS = 86_400  # it looks into every folder
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


def _fetcher() -> Fetcher:
    return Fetcher(max_bytes=settings.FETCH_MAX_BYTES, seconds=settings.FETCH_SECONDS, guard=settings.FETCH_GUARD)


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
        self.sweep_at = self.look_at = self.blobs_at = 0.0
        self.room = DiskRoom(settings.LOUPE_DATA, settings.DISK_RESERVE_BYTES)
        self.news: dict[str, threading.Event] = {}
        self.set_runner = SetRunner(gateway)
        self.words = WordFiller(settings.LOUPE_DATA / "words-filled")
        self.thumbnails = Thumbnails()
        self.ingest = Ingest(settings.JOURNAL_ROOT)
        self.link_copies = LinkCopies(_fetcher)

    def run(self) -> None:
        """Work until stopped."""
        jobs: dict[str, Callable[[], bool]] = {
            "thumbnails": self._make_thumbnails,
            "image-links": lambda: not self.room.is_low and self.link_copies.step(),
            "index": self._index,
            "set-runs": self.set_runner.step,
            "words": self._fill_words,
            "sweep": self._sweep,
        }
        pauses = {"ingest": INGEST_SECONDS, "index": INDEX_SECONDS, "set-runs": RUNS_SECONDS}
        self.news = {name: threading.Event() for name in (*jobs, "ingest")}
        threads = [
            threading.Thread(
                target=self._loop, args=(name, job, pauses.get(name, IDLE_SECONDS)), name=name, daemon=True
            )
            for name, job in jobs.items()
        ]
        for thread in threads:
            thread.start()
        self._loop("ingest", self._ingest, pauses["ingest"])
        for thread in threads:
            thread.join(timeout=15)
        self.close()

    def _ingest(self) -> bool:
        """What comes within a pause is written in one transaction; only what is behind is gone on with at once."""
        if self.ingest.step():
            self._tell("thumbnails", "image-links")
        return self.ingest.behind

    def _tell(self, *names: str) -> None:
        """End the pauses of these loops."""
        for name in names:
            self.news[name].set()

    def _make_thumbnails(self) -> bool:
        """Logs come first: a thumbnail can be made when it is looked at, and a journal that is full stops the gateway."""
        return not (self.ingest.behind or self.room.is_low) and self.thumbnails.step()

    def _index(self) -> bool:
        """Logs come first here too; and what is seconds old is found without an index."""
        return not self.ingest.behind and (feedback.link() or blocks.step() or blocks.fill_totals())

    def _fill_words(self) -> bool:
        """For old logs, when nothing else is to be done."""
        return not self.ingest.behind and self.words.step()

    def _sweep(self) -> bool:
        """The disk is looked at; what was deleted long ago goes, and what killed writes left behind."""
        if time.monotonic() >= self.look_at:
            self.room.look()
            self.look_at = time.monotonic() + MEASURE_SECONDS
        if time.monotonic() >= self.sweep_at:
            editing.sweep()
            self.sweep_at = time.monotonic() + SWEEP_SECONDS
        if time.monotonic() >= self.blobs_at:
            blobs.sweep()
            self.blobs_at = time.monotonic() + BLOBS_SECONDS
        return False

    def close(self) -> None:
        self.thumbnails.close()
        self.link_copies.close()

    def drain(self) -> None:
        """Everything once, until nothing is left to do."""
        while self.ingest.step() or self.thumbnails.step() or self.link_copies.step():
            pass

    def ask_no_more(self) -> None:
        """Runs of picture sets stop where they are: the server, which is about to end, would wait for their calls."""
        self.set_runner.stopping.set()

    def stop(self) -> None:
        self.ask_no_more()
        self.stopping.set()
        self._tell(*self.news)

    def _loop(self, name: str, job: Callable[[], bool], idle_seconds: float) -> None:
        """Until stopped. What a step could not put aside, as a database that is away, is tried again, ever more seldom."""
        news, pause = self.news[name], idle_seconds
        try:
            while not self.stopping.is_set():
                try:
                    busy = job()
                except (OperationalError, InterfaceError, OSError) as error:
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    log.warning("%s waits %.1f s, database or disk do not take it: %s", name, pause, error)
                    self._rest(pause)
                    continue
                except Exception:
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    log.exception("%s failed and goes on in %.1f s", name, pause)
                    self._rest(pause)
                    continue
                pause = idle_seconds
                if not busy:
                    news.wait(pause)
                    news.clear()
            if name == "ingest":
                while self.ingest.step():
                    pass
        finally:
            connection.close()

    def _rest(self, seconds: float) -> None:
        close_old_connections()
        connection.close()
        self.stopping.wait(seconds)
