"""The worker's loops: journal to database, thumbnails, copies of linked pictures, index, runs of picture sets. Each has its
own thread; which of them a process runs, its jobs say.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Set
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from gateway import metrics
from gateway.index import blocks
from gateway.keys import people
from gateway.models import LoginTries
from gateway.network.fetch import Fetcher
from gateway.pictures import blobs
from gateway.pictures.link_copies import LinkCopies
from gateway.pictures.thumbnails import CHILDREN, Thumbnails
from gateway.processes.bell import ASKED, JOURNAL, RECORDED, bell, ring
from gateway.processes.set_runner import SetRunner
from gateway.processes.sole_holder import DatabaseHolder, FileHolder, holder
from gateway.recording import feedback
from gateway.recording.disk_room import DiskRoom
from gateway.recording.ingest import Ingest
from gateway.recording.journal import MEASURE_SECONDS
from gateway.recording.words import WordFiller
from gateway.retention import ageing, deletions, removal
from prompts.library import editing, pictures

if TYPE_CHECKING:
    from gateway.telemetry.export import SpanExport  # its library comes with the extra `otel`

log = logging.getLogger(__name__)

# How long a loop rests at least between two looks. It looks when the bell rings for it, and by itself only for what the bell of
# this data folder does not tell: what another machine or a command wrote.
INGEST_SECONDS = 0.1
SOON_SECONDS = 0.1
INDEX_SECONDS = 3.0  # what is not in the index yet is found without it
REMOVE_SECONDS = 1.0
QUIET_SECONDS = 5.0
AGE_SECONDS = 60
METRICS_SECONDS = 5.0
COPIES_SECONDS = 60.0
SWEEP_SECONDS = 3600
BLOBS_SECONDS = 86_400  # it looks into every folder
JOBS = ("ingest", "pictures", "index", "upkeep")
# A log may wait, a request may not; and a thumbnail or the index may wait longer than a log.
NICENESS, LATER_NICENESS = 10, 15
OTHERS_SECONDS = 15
LONGEST_PAUSE_SECONDS = 5.0
BELL_SECONDS = 1.0


class Loop(NamedTuple):
    """`step` answers whether there is more to do at once; if not, it rests for so many seconds, and then until what it heeds."""

    step: Callable[[], bool]
    seconds: float
    heeds: Set[str] = frozenset()


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


def _span_export() -> SpanExport:
    from gateway.telemetry.export import SpanExport

    return SpanExport()


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
        self.room = DiskRoom(settings.LOUPE_DATA, settings.DISK_RESERVE_BYTES)
        self.loops: dict[str, Loop] = {}
        self.news: dict[str, threading.Event] = {}
        self.set_runner = SetRunner(gateway)
        self.words = WordFiller(settings.LOUPE_DATA / "words-filled")
        others = self.holder if isinstance(self.holder, DatabaseHolder) else None
        self.thumbnails = Thumbnails(children=thumbnails, claims=others)
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
        self.bell = bell(settings.JOURNAL_ROOT, with_journals="ingest" in self.jobs)
        self.loops = self._loops()
        self.news = {name: threading.Event() for name in self.loops}
        threads = [
            threading.Thread(target=self._loop, args=(name, loop), name=name, daemon=True)
            for name, loop in self.loops.items()
        ]
        for thread in threads:
            thread.start()
        self.stopping.wait()
        for thread in threads:
            if thread.name != "bell":  # it holds nothing, and waits for a second
                thread.join(timeout=None if thread.name == "ingest" else OTHERS_SECONDS)
        self.close()

    def _loops(self) -> dict[str, Loop]:
        """What this process does again and again."""
        loops: dict[str, dict[str, Loop]] = {
            "ingest": {"ingest": Loop(self._ingest, INGEST_SECONDS, {JOURNAL})},
            "pictures": {
                "thumbnails": Loop(self._make_thumbnails, SOON_SECONDS, {RECORDED, ASKED}),
                "image-links": Loop(self._copy_links, SOON_SECONDS, {RECORDED}),
                "disk-room": Loop(self._look_at_disk, MEASURE_SECONDS),
                "copies": Loop(self._forget_copies, COPIES_SECONDS),
            },
            "index": {
                "index": Loop(self._index, INDEX_SECONDS, {RECORDED, ASKED}),
                "words": Loop(self._fill_words, QUIET_SECONDS),
            },
            "upkeep": {
                "set-runs": Loop(self.set_runner.step, SOON_SECONDS, {ASKED}),
                "retention": Loop(self._remove, REMOVE_SECONDS, {ASKED}),
                "sweep": Loop(self._sweep, QUIET_SECONDS),
            },
        }
        if settings.OTEL_TRACES_URL:
            loops["upkeep"]["spans"] = Loop(_span_export().step, SOON_SECONDS, {RECORDED})
        own = {"metrics": Loop(self._write_metrics, METRICS_SECONDS), "bell": Loop(self._listen, 0)}
        return own | {
            name: loop._replace(step=self._if_held(job, loop.step))
            for job in self.jobs
            for name, loop in loops[job].items()
        }

    def _if_held(self, job: str, step: Callable[[], bool]) -> Callable[[], bool]:
        """Every node takes in its own journals, and they share the thumbnails; all else is done by one of them."""
        if job == "ingest" or step in (self._make_thumbnails, self._look_at_disk, self._forget_copies):
            return step
        return lambda: self.holder.holds(job) and step()

    def _write_metrics(self) -> bool:
        metrics.write(settings.METRICS_ROOT)
        return False

    def _ingest(self) -> bool:
        """What comes within a pause is written in one transaction; only what is behind is gone on with at once."""
        if self.ingest.step():
            ring(settings.JOURNAL_ROOT, RECORDED)
        return self.ingest.behind

    def _listen(self) -> bool:
        """End the pauses of the loops for whom the bell rings. Ingest, for one, may be another process."""
        rung = self.bell.wait(BELL_SECONDS)
        for name, loop in self.loops.items():
            if loop.heeds & rung:
                self.news[name].set()
        return True

    def _copy_links(self) -> bool:
        return not self.room.is_low and self.link_copies.step()

    def _make_thumbnails(self) -> bool:
        """Logs come first: a thumbnail can be made when it is looked at, and a journal that is full stops the gateway.

        Where ingest is another process, `give_way` sees to that.
        """
        return not (self.ingest.behind or self.room.is_low) and self.thumbnails.step()

    def _look_at_disk(self) -> bool:
        self.room.look()
        return False

    def _forget_copies(self) -> bool:
        removal.forget_copies()
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
            people.forget_old_sessions()
            LoginTries.objects.all().forget_old()
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
        pictures = [self.thumbnails.step, self._if_held("pictures", self.link_copies.step)]
        steps = {"ingest": [self.ingest.step], "pictures": pictures}
        while any(step() for job in self.jobs for step in steps.get(job, [])):
            pass

    def ask_no_more(self) -> None:
        """Runs of picture sets stop where they are: the server, which is about to end, would wait for their calls."""
        self.set_runner.stopping.set()

    def stop(self) -> None:
        self.ask_no_more()
        self.stopping.set()
        for news in self.news.values():
            news.set()

    def _loop(self, name: str, loop: Loop) -> None:
        """Until stopped. What a step could not put aside, as a database that is away, is tried again, ever more seldom."""
        news, pause = self.news[name], loop.seconds or SOON_SECONDS
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                try:
                    busy = loop.step()
                except (OperationalError, InterfaceError, OSError) as error:
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    metrics.FAILURES.labels(name, "away").inc()
                    log.warning("%s waits %.1f s, for what it needs is away: %s", name, pause, error)
                    self._rest(pause)
                    continue
                except Exception:
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                    metrics.FAILURES.labels(name, "fault").inc()
                    log.exception("%s failed and goes on in %.1f s", name, pause)
                    self._rest(pause)
                    continue
                pause = loop.seconds or SOON_SECONDS
                if not busy:
                    news.wait(QUIET_SECONDS if loop.heeds else loop.seconds)
                    self.stopping.wait(began + loop.seconds - time.monotonic())
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
