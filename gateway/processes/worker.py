"""The worker's loops: journal to database, thumbnails, copies of linked pictures, index, runs of picture sets. Each has its
own thread; which of them a process runs, its jobs say.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from gateway import metrics
from gateway.index import blocks
from gateway.network.fetch import Fetcher
from gateway.pictures import blobs
from gateway.pictures.link_copies import LinkCopies
from gateway.pictures.thumbnails import CHILDREN, Thumbnails
from gateway.processes.set_runner import SetRunner
from gateway.processes.sole_holder import FileHolder, holder
from gateway.recording import feedback
from gateway.recording.disk_room import DiskRoom
from gateway.recording.ingest import Ingest
from gateway.recording.journal import MEASURE_SECONDS
from gateway.recording.words import WordFiller
from gateway.retention import ageing, deletions, removal
from prompts.library import editing, pictures

log = logging.getLogger(__name__)

# How often the journals are looked at. The loops after ingest are told when it wrote something, and look by themselves
# only for what others write: an upload, a run that somebody starts.
INGEST_SECONDS = 0.1
IDLE_SECONDS = 1.0
LISTEN_SECONDS = 0.1
INDEX_SECONDS = 3.0  # what is not in the index yet is found without it
RUNS_SECONDS = 0.4
AGE_SECONDS = 60
METRICS_SECONDS = 5.0
SWEEP_SECONDS = 3600
BLOBS_SECONDS = 86_400  # it looks into every folder
JOBS = ("ingest", "pictures", "index", "upkeep")
# A log may wait, a request may not; and a thumbnail or the index may wait longer than a log.
NICENESS, LATER_NICENESS = 10, 15
OTHERS_SECONDS = 15
LONGEST_PAUSE_SECONDS = 5.0


def give_way(jobs: Collection[str]) -> None:
    """Lower this process's share of the processor.

    Where Linux groups processes by session, niceness counts only inside the group, so the group is made nice too; but
    only when it is ours alone, that is when we lead a session as under `up`.
    """
    niceness = NICENESS if "ingest" in jobs else LATER_NICENESS
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness))


def _fetcher() -> Fetcher:
    return Fetcher(max_bytes=settings.FETCH_MAX_BYTES, seconds=settings.FETCH_SECONDS, guard=settings.FETCH_GUARD)


class AlreadyWorking(Exception):
    """Another process on this data folder does a job of which there is only one."""


class Worker:
    """Runs until `stop`; then takes in what the journals still hold.

    On PostgreSQL, which other machines may share, what another worker does already is waited for: it is taken over when that
    one is gone. Raises AlreadyWorking where there is one machine.

    Args:
        gateway: the address of the server half, which runs of picture sets ask.
        jobs: which of `JOBS` this process does. Any number of processes may share `ingest`, a journal's folder at a time.
        readers: how many processes that is.
        thumbnails: how many pictures are decoded at once.
    """

    def __init__(
        self, gateway: str, jobs: Collection[str] = JOBS, *, readers: int = 1, thumbnails: int = CHILDREN
    ) -> None:
        self.jobs = jobs
        self.holder = holder(settings.JOURNAL_ROOT)
        if isinstance(self.holder, FileHolder):
            self._hold_all()
        self.stopping = threading.Event()
        self.sweep_at = self.blobs_at = self.age_at = 0.0
        self.size_bound = ageing.SizeBound()
        self.written, self.heard = settings.JOURNAL_ROOT / "written", 0
        self.room = DiskRoom(settings.LOUPE_DATA, settings.DISK_RESERVE_BYTES)
        self.news: dict[str, threading.Event] = {}
        self.set_runner = SetRunner(gateway)
        self.words = WordFiller(settings.LOUPE_DATA / "words-filled")
        self.thumbnails = Thumbnails(children=thumbnails)
        self.ingest = Ingest(settings.JOURNAL_ROOT, readers=readers)
        self.link_copies = LinkCopies(_fetcher)

    def _hold_all(self) -> None:
        taken = [job for job in self.jobs if job != "ingest" and not self.holder.holds(job)]
        if taken:
            raise AlreadyWorking(
                f"Another worker does the job {taken[0]} on this data folder already; `up` runs one of its own."
            )

    def run(self) -> None:
        """Work until stopped."""
        loops = self._loops()
        self.news = {name: threading.Event() for name in loops}
        threads = [
            threading.Thread(target=self._loop, args=(name, *loop), name=name, daemon=True)
            for name, loop in loops.items()
        ]
        for thread in threads:
            thread.start()
        self.stopping.wait()
        for thread in threads:
            thread.join(timeout=None if thread.name == "ingest" else OTHERS_SECONDS)
        self.close()

    def _loops(self) -> dict[str, tuple[Callable[[], bool], float]]:
        """What this process does again and again, and how long each rests when there was nothing to do."""
        loops: dict[str, dict[str, tuple[Callable[[], bool], float]]] = {
            "ingest": {"ingest": (self._ingest, INGEST_SECONDS)},
            "pictures": {
                "thumbnails": (self._make_thumbnails, IDLE_SECONDS),
                "image-links": (lambda: not self.room.is_low and self.link_copies.step(), IDLE_SECONDS),
                "disk-room": (self._look_at_disk, MEASURE_SECONDS),
                "news": (self._listen, LISTEN_SECONDS),
            },
            "index": {"index": (self._index, INDEX_SECONDS), "words": (self._fill_words, IDLE_SECONDS)},
            "upkeep": {
                "set-runs": (self.set_runner.step, RUNS_SECONDS),
                "retention": (self._remove, IDLE_SECONDS),
                "sweep": (self._sweep, IDLE_SECONDS),
            },
        }
        own: dict[str, tuple[Callable[[], bool], float]] = {"metrics": (self._write_metrics, METRICS_SECONDS)}
        return own | {
            name: (self._if_held(job, step), seconds)
            for job in self.jobs
            for name, (step, seconds) in loops[job].items()
        }

    def _if_held(self, job: str, step: Callable[[], bool]) -> Callable[[], bool]:
        """Every node takes in its own journals; all else is done by one of them."""
        if job == "ingest" or step == self._look_at_disk:
            return step
        return lambda: self.holder.holds(job) and step()

    def _write_metrics(self) -> bool:
        metrics.write(settings.METRICS_ROOT)
        return False

    def _ingest(self) -> bool:
        """What comes within a pause is written in one transaction; only what is behind is gone on with at once."""
        if self.ingest.step():
            with contextlib.suppress(OSError):  # a full disk: they look by themselves, too
                self.written.touch()
        return self.ingest.behind

    def _listen(self) -> bool:
        """Ingest, which may be another process, tells by the time of a file that there may be new pictures."""
        with contextlib.suppress(FileNotFoundError):
            heard, self.heard = self.heard, self.written.stat().st_mtime_ns
            if self.heard != heard:
                self._tell("thumbnails", "image-links")
        return False

    def _tell(self, *names: str) -> None:
        """End the pauses of these loops."""
        for name in names:
            self.news[name].set()

    def _make_thumbnails(self) -> bool:
        """Logs come first: a thumbnail can be made when it is looked at, and a journal that is full stops the gateway.

        Where ingest is another process, `give_way` sees to that.
        """
        return not (self.ingest.behind or self.room.is_low) and self.thumbnails.step()

    def _look_at_disk(self) -> bool:
        self.room.look()
        return False

    def _index(self) -> bool:
        """Logs come first here too; and what is seconds old is found without an index."""
        return not self.ingest.behind and (feedback.link() or blocks.step() or blocks.fill_totals())

    def _fill_words(self) -> bool:
        """For old logs, when nothing else is to be done."""
        return not self.ingest.behind and self.words.step()

    def _remove(self) -> bool:
        """What somebody deleted first, then what no rule keeps; with rests, so that others get at the database."""
        began = time.monotonic()
        busy = deletions.step() or deletions.write_over()
        if not busy and began >= self.age_at:
            busy = removal.collect_files() or ageing.step() or self.size_bound.step()
            self.age_at = began if busy else began + AGE_SECONDS
        self.stopping.wait(time.monotonic() - began if busy else 0)
        return busy

    def _sweep(self) -> bool:
        """What was deleted long ago goes, and what killed writes left behind."""
        if time.monotonic() >= self.sweep_at:
            editing.sweep()
            removal.note_files(pictures.let_go())
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
        pictures = [self._if_held("pictures", step) for step in (self.thumbnails.step, self.link_copies.step)]
        steps = {"ingest": [self.ingest.step], "pictures": pictures}
        while any(step() for job in self.jobs for step in steps.get(job, [])):
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
                    metrics.FAILURES.labels(name, "away").inc()
                    log.warning("%s waits %.1f s, database or disk do not take it: %s", name, pause, error)
                    self._rest(pause)
                    continue
                except Exception:
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    metrics.FAILURES.labels(name, "fault").inc()
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
