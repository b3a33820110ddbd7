"""The journal: what a gateway process writes before anyone sees an answer, and ingest reads.

One folder a process, `<root>/<started>-<pid>/`, holding `00000001-<mark>.seg`, `00000002-<mark>.seg` and so on, and a
`lock` that is held for as long as the process lives: who can take it knows that the process is dead. A segment is a row of
frames:

    mark 8 | length u32 | crc32c u32 | payload
    payload = kind u8 | request id 16 | meta length u32 | meta (JSON) | body

little-endian. The mark is random and stands in the segment's name alone: so no body can hold what looks like a frame, to
come alive when the frame around it is damaged, and looking for the next frame takes one search. (Segments of version 0.1
have no mark in their names; theirs is `LPJ1`.) Kinds: `begin` (the request), `part` (bytes of the answer as they came), `end`. A frame is handed to the
system (`writev`) before the act it announces, so a killed process loses nothing; `commit` waits for the disk (`fdatasync`), one
sync for all who wait. A torn tail is recognised by its checksum; a bad frame inside is skipped to the next good one.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import google_crc32c

log = logging.getLogger(__name__)

MARK_BYTES, OLD_MARK = 8, b"LPJ1"
HEAD = struct.Struct("<II")
PAYLOAD = struct.Struct("<B16sI")
# Room comes back by whole segments, so a journal with a low limit has small ones.
SEGMENT_BYTES, LEAST_SEGMENT_BYTES, SEGMENTS_IN_LIMIT = 64 * 1024 * 1024, 1024 * 1024, 16
MEASURE_SECONDS = 2.0
NEW_SEGMENTS = "new-segments"  # a file whose time asks all writers for them
# Under load a sync begins this long after the one before it ended: each costs a thread switch, so more should share it.
GATHER_SECONDS = 0.001


class Kind(IntEnum):
    BEGIN = 1
    PART = 2
    END = 3
    SENT = 4


KINDS = frozenset(Kind)


class Record(NamedTuple):
    """One frame, read back."""

    kind: Kind
    id: bytes
    meta: bytes
    body: bytes


class JournalUnavailable(Exception):
    """A record could not be written: the journal is at its limit, or the disk is full or failing."""


class Journal:
    """The writing side; one a process, made in its event loop and used from there only."""

    def __init__(self, root: Path, *, limit_bytes: int, reserve_bytes: int) -> None:
        self.root, self.limit_bytes, self.reserve_bytes = root, limit_bytes, reserve_bytes
        self.segment_bytes = min(SEGMENT_BYTES, max(limit_bytes // SEGMENTS_IN_LIMIT, LEAST_SEGMENT_BYTES))
        self.folder = root / f"{time.time_ns()}-{os.getpid()}"
        self._lock = self._appear()
        self._loop = asyncio.get_running_loop()
        self._syncs = ThreadPoolExecutor(1, "journal-sync")
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing = False
        self._number = 0
        self._old: list[int] = []
        self._owed: list[tuple[bytes, bytes, bytes]] = []
        self._used = 0
        self._heard, self._is_asked_for_new = _changed_at(root / NEW_SEGMENTS), False
        self.full = ""
        self._open_segment()
        self.measure()

    def _appear(self) -> int:
        """Make the folder with its lock held before it has its name: a reader must never see it without."""
        unborn = self.root / f".{self.folder.name}"
        unborn.mkdir(parents=True)
        lock = os.open(unborn / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        unborn.rename(self.folder)
        _sync_folder(self.root)
        return lock

    def append(self, kind: Kind, id: bytes, meta: bytes, body: bytes = b"") -> None:
        """Hand one frame to the system.

        Raises:
            JournalUnavailable: nothing was written.
        """
        if kind is Kind.BEGIN and self.full:
            raise JournalUnavailable(self.full)
        head = PAYLOAD.pack(kind, id, len(meta)) + meta
        crc = google_crc32c.extend(google_crc32c.value(head), body) if body else google_crc32c.value(head)
        length = len(head) + len(body)
        self._write([self._mark + HEAD.pack(length, crc) + head, body], MARK_BYTES + HEAD.size + length)
        if self._size > self.segment_bytes:
            self._rotate()

    def owe(self, id: bytes, meta: bytes, body: bytes) -> None:
        """Keep an end that the disk did not take, to be written when it does: without it the request never ends."""
        self._owed.append((id, meta, body))

    def settle(self) -> None:
        """Write what is owed, as far as the disk takes it, and begin a new segment where that was asked for. Called every two
        seconds.
        """
        if self._is_asked_for_new and self._size:
            self._rotate()
        self._is_asked_for_new = False
        while self._owed:
            try:
                self.append(Kind.END, *self._owed[0])
            except JournalUnavailable:
                return
            del self._owed[0]

    async def commit(self) -> None:
        """Wait until everything appended so far is on the disk.

        Raises:
            JournalUnavailable: the disk says that it is not.
        """
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(waiter)
        if not self._syncing:
            self._syncing = True
            self._start_sync()
        await waiter

    def measure(self) -> None:
        """Look how full journal and disk are: what other processes wrote, and what was read. Called every two seconds."""
        self._used = sum(file.stat().st_size for file in self.root.glob("*/*.seg"))
        asked_at = _changed_at(self.root / NEW_SEGMENTS)
        self._is_asked_for_new = self._is_asked_for_new or asked_at > self._heard
        self._heard = max(asked_at, self._heard)
        free = shutil.disk_usage(self.root).free
        if self._used > self.limit_bytes:
            self.full = self._at_limit()
        elif free < self.reserve_bytes:
            self.full = f"the disk has {free >> 20} MiB left, {self.reserve_bytes >> 20} MiB are kept in reserve"
        else:
            self.full = ""

    def _at_limit(self) -> str:
        return f"the journal holds {self._used >> 20} MiB, its limit is {self.limit_bytes >> 20} MiB"

    def close(self) -> None:
        """Sync, and let go of the lock."""
        self._syncs.shutdown(wait=True)
        self.settle()
        for file in [*self._old, self._file]:
            os.fdatasync(file)
            os.close(file)
        os.close(self._lock)

    def _open_segment(self) -> None:
        mark = secrets.token_bytes(MARK_BYTES)
        path = self.folder / f"{self._number + 1:08d}-{mark.hex()}.seg"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._mark = mark
        self._number += 1
        self._size = 0
        _sync_folder(self.folder)

    def _rotate(self) -> None:
        """Go on in a new segment; in the old one, when none can be opened now."""
        old = self._file
        try:
            self._open_segment()
        except OSError as error:
            log.warning("the journal goes on in segment %d, no new one can be opened: %s", self._number, error.strerror)
        else:
            self._old.append(old)

    def _write(self, pieces: list[bytes], length: int) -> None:
        try:
            written = os.writev(self._file, pieces)
        except OSError as error:
            self._take_back()
            raise JournalUnavailable(f"the journal could not be written: {error.strerror}") from error
        if written != length:
            self._take_back()
            raise JournalUnavailable("the journal could not be written: no space left on the disk")
        self._size += length
        self._used += length
        if self._used > self.limit_bytes and not self.full:
            self.full = self._at_limit()

    def _take_back(self) -> None:
        """Cut a half-written frame off again, so that the next one follows a whole one."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError as error:
            log.error("journal segment %d could not be mended: %s", self._number, error.strerror)
            self._rotate()

    def _start_sync(self) -> None:
        waiting, self._waiting = self._waiting, []
        old, self._old = self._old, []
        job = self._loop.run_in_executor(self._syncs, _sync, self._file, old)
        job.add_done_callback(lambda done: self._synced(done, waiting))

    def _synced(self, done: asyncio.Future[None], waiting: list[asyncio.Future[None]]) -> None:
        error = done.exception()
        for waiter in waiting:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(JournalUnavailable(f"the journal did not reach the disk: {error}"))
        if error is not None:
            log.error("journal sync failed, going on in a new segment: %s", error)
            self._rotate()  # the system has forgotten what it could not write: never call this segment synced
        self._syncing = bool(self._waiting)
        if self._waiting:
            self._loop.call_later(GATHER_SECONDS, self._start_sync)


def _sync(file: int, old: list[int]) -> None:
    try:
        for one in [*old, file]:
            os.fdatasync(one)
    finally:
        for one in old:
            os.close(one)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ask_for_new_segments(root: Path) -> None:
    """Have every process go on in a new segment, so that the ones before can go once they are read."""
    root.mkdir(parents=True, exist_ok=True)
    (root / NEW_SEGMENTS).touch()


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


# The reading side


def folders(root: Path) -> list[Path]:
    """The folders of all processes that still have something to read, oldest first."""
    return sorted(path for path in _listed(root) if path.name[0].isdigit() and "-" in path.name and path.is_dir())


def segments(folder: Path) -> list[Path]:
    return sorted(path for path in _listed(folder) if path.suffix == ".seg")


def _listed(folder: Path) -> list[Path]:
    """Asked ten times a second: `glob` takes several times as long."""
    try:
        return [folder / name for name in os.listdir(folder)]  # noqa: PTH208 - names alone, without a call for each
    except FileNotFoundError:
        return []


def writer_is_dead(folder: Path) -> bool:
    """Whether the process that wrote this folder has ended, however it ended."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return True  # a folder half removed
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def claim(folder: Path) -> int | None:
    """A descriptor that makes us the folder's one reader until it is closed; None when there is another, or no folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def read(path: Path, offset: int, *, closed: bool, limit: int) -> tuple[list[Record], int]:
    """Whole records from the offset on, and where the next one will begin.

    Args:
        closed: nothing more will be written to this segment, so a bad frame is damage and is passed over, loudly.
        limit: stop after about so many bytes.
    """
    mark = _mark_of(path)
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(limit)
        while True:
            records = list(_frames(data, mark))
            done = sum(size for _, size in records)
            if done or len(data) < limit:
                break
            more = file.read(limit)  # a frame larger than the limit
            if not more:
                break
            data, limit = data + more, limit * 2
    if closed and done < len(data) and offset + len(data) >= path.stat().st_size:
        done = _pass_damage(path, offset, data, done, mark)
    return [record for record, _ in records], offset + done


def _mark_of(path: Path) -> bytes:
    mark = path.stem.partition("-")[2]
    return bytes.fromhex(mark) if mark else OLD_MARK


def _frames(data: bytes, mark: bytes) -> Iterator[tuple[Record, int]]:
    at = 0
    while (frame := _frame(data, at, mark)) is not None:
        yield frame
        at += frame[1]


def _frame(data: bytes, at: int, mark: bytes) -> tuple[Record, int] | None:
    start = at + len(mark) + HEAD.size
    if len(data) < start or not data.startswith(mark, at):
        return None
    length, crc = HEAD.unpack_from(data, at + len(mark))
    end = start + length
    if len(data) < end or length < PAYLOAD.size:
        return None
    kind, id, meta_length = PAYLOAD.unpack_from(data, start)
    middle = min(start + PAYLOAD.size + meta_length, end)
    head, body = data[start:middle], data[middle:end]
    if google_crc32c.extend(google_crc32c.value(head), body) != crc or kind not in KINDS:
        return None
    return Record(Kind(kind), id, head[PAYLOAD.size :], body), end - at


def _pass_damage(path: Path, offset: int, data: bytes, done: int, mark: bytes) -> int:
    """Where the next good frame begins; at the end, the torn tail is cut."""
    at = data.find(mark, done + 1)
    while at >= 0 and _frame(data, at, mark) is None:
        at = data.find(mark, at + 1)
    good = at if at >= 0 else len(data)
    log.warning("%s/%s: %d damaged bytes at %d passed over", path.parent.name, path.name, good - done, offset + done)
    return good
