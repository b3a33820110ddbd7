"""Waits in the kernel until a journal grows, or a file is touched that stands for news (`bell`)."""

from __future__ import annotations

import contextlib
from pathlib import Path

from inotify_simple import INotify, flags

from gateway.processes.bell import ASKED, GATHER_MS, JOURNAL, RECORDED

TOUCHED = flags.ATTRIB | flags.CREATE | flags.MOVED_TO
APPEARED = flags.CREATE | flags.MOVED_TO  # a journal's folder gets its name last
GROWN = flags.MODIFY | flags.CREATE | flags.DELETE | flags.MOVED_TO


class InotifyBell:
    """Raises OSError where the system gives no watch."""

    def __init__(self, root: Path, *, with_journals: bool) -> None:
        self.root, self.with_journals = root, with_journals
        self.inotify = INotify()
        self.of_root = self.inotify.add_watch(root, TOUCHED)
        if with_journals:
            for folder in root.iterdir():
                self._watch(folder)

    def wait(self, seconds: float) -> set[str]:
        rung: set[str] = set()
        for wd, mask, _, name in self.inotify.read(int(seconds * 1000), GATHER_MS):
            if mask & flags.Q_OVERFLOW:
                return {JOURNAL, RECORDED, ASKED}
            if wd != self.of_root:
                rung.add(JOURNAL)
            elif name in (RECORDED, ASKED):
                rung.add(name)
            elif self.with_journals and mask & APPEARED and mask & flags.ISDIR:
                self._watch(self.root / name)
                rung.add(JOURNAL)  # it may have grown before it was watched
        return rung

    def _watch(self, folder: Path) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # read to its end, and gone meanwhile
            self.inotify.add_watch(folder, GROWN | flags.ONLYDIR)
