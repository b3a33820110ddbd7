"""What wakes a worker: something was written to a journal, or one process has told the others of what it did.

Linux tells of changes in a folder (inotify, man 7); elsewhere, and where it has no watch to give, the worker looks by itself.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

JOURNAL = "journal"
RECORDED = "written"  # ingest wrote logs
ASKED = "asked"  # a page or the API changed something
LOOK_SECONDS = 0.1
GATHER_MS = 100  # what comes within it is told of once


def ring(root: Path, what: str) -> None:
    """Tell the workers of this data folder; on a full disk they look by themselves, seldom."""
    with contextlib.suppress(OSError):
        (root / what).touch()


class Bell(Protocol):
    def wait(self, seconds: float) -> set[str]:
        """What rang within that time; may return early, with what did."""
        ...


def bell(root: Path, *, with_journals: bool) -> Bell:
    """Of the journals' folder; only who reads journals hears of each write."""
    root.mkdir(parents=True, exist_ok=True)
    if sys.platform == "linux":
        from gateway.processes.inotify_bell import InotifyBell

        with contextlib.suppress(OSError):  # the system has no more to give
            return InotifyBell(root, with_journals=with_journals)
    return ClockBell(root, with_journals=with_journals)


class ClockBell:
    """Looks ten times a second."""

    def __init__(self, root: Path, *, with_journals: bool) -> None:
        self.root, self.with_journals = root, with_journals
        self.seen = dict(self._times())

    def wait(self, seconds: float) -> set[str]:
        time.sleep(min(seconds, LOOK_SECONDS))
        seen, self.seen = self.seen, dict(self._times())
        rung = {name for name, at in self.seen.items() if seen.get(name) != at}
        return rung | {JOURNAL} if self.with_journals else rung

    def _times(self) -> Iterable[tuple[str, int]]:
        for name in (RECORDED, ASKED):
            with contextlib.suppress(OSError):
                yield name, (self.root / name).stat().st_mtime_ns
