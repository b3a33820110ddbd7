"""What is done as a disk fills: first no more thumbnails and copies of links, then no more calls; and a ballast to go on with.

The ballast is a file that holds room for the database: when something else has filled the disk to the last byte, it is let
go, so that what the journal holds can still be written. It is made again when there is room.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

FIRST_MARK = 2  # times the reserve: below it nothing is written that can be made later
BALLAST_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class DiskRoom:
    """`reserve_bytes` free is the second mark, at which the journal takes no more calls (`journal.Journal.measure`)."""

    folder: Path
    reserve_bytes: int
    is_low: bool = False

    def look(self) -> None:
        """Measure; let the ballast go, or make it."""
        free = shutil.disk_usage(self.folder).free
        was_low, self.is_low = self.is_low, free < FIRST_MARK * self.reserve_bytes
        if self.is_low and not was_low:
            log.warning("the disk has %d MiB left: no thumbnails and no copies of links are made", free >> 20)
        if free < self.reserve_bytes // 2:
            self._let_go()
        elif free > FIRST_MARK * self.reserve_bytes + 2 * BALLAST_BYTES:
            self._take()

    @property
    def ballast(self) -> Path:
        return self.folder / "ballast"

    def _let_go(self) -> None:
        if self.ballast.exists():
            self.ballast.unlink()
            log.error("the disk is all but full: the ballast is let go, so that the journal can be taken in")

    def _take(self) -> None:
        if self.reserve_bytes and not self.ballast.exists():
            with self.ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
