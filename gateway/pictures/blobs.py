"""Files by the hash of their content, under the data folder: `blobs/ab/cd/<sha256>`; thumbnails beside, by size.

A blob is on the disk, whole and synced, before its name exists, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from django.conf import settings
from django.db import transaction

from gateway.models import engine

THUMBNAIL_SIZES = SMALL, LARGE = (256, 1024)
ABANDONED_SECONDS = 3600


class BlobMissing(Exception):
    """There is no blob with this hash."""


def put(sha256: str, data: bytes) -> None:
    """Store the bytes under their hash; nothing is done when they are there."""
    put_all({sha256: data})


def put_all(blobs: Mapping[str, bytes]) -> None:
    """Store the bytes of each hash that is not there yet. The disk is waited for once, not once for each."""
    paths = {_path(sha256): data for sha256, data in blobs.items()}
    _write_all({path: data for path, data in paths.items() if not Path(path).exists()})


@contextlib.contextmanager
def keeping(blobs: Mapping[str, bytes]) -> Iterator[None]:
    """Store the bytes of these hashes; the rows that name them are written inside, in one transaction with that.

    Between the two `remove` may have come by, for which a file without a row is one too many: so they are looked at once more.
    """
    put_all(blobs)
    with transaction.atomic():
        if blobs:
            engine.share(engine.FILES)
        yield
        put_all(blobs)


def remove(sha256s: Iterable[str]) -> None:
    """Remove files and their thumbnails; inside a transaction that is alone with `engine.FILES`."""
    for sha256 in sha256s:
        for path in (_path(sha256), *(_thumbnail_path(sha256, size) for size in THUMBNAIL_SIZES)):
            Path(path).unlink(missing_ok=True)


def exists(sha256: str) -> bool:
    return Path(_path(sha256)).exists()


def stored(at_once: int) -> Iterator[list[str]]:
    """The hashes of all files, some at a time, without those of the last hour, whose rows may not be written yet."""
    late = time.time() - ABANDONED_SECONDS
    found: set[str] = set()
    for path in Path(settings.BLOB_ROOT).glob("??/??/[0-9a-f]*"):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            if path.stat().st_mtime < late:
                found.add(path.name.partition(".")[0])
        if len(found) >= at_once:
            yield sorted(found)
            found.clear()
    if found:
        yield sorted(found)


def put_aside(sha256: str) -> None:
    """Keep a file that holds other bytes than its name says under another name."""
    os.replace(_path(sha256), f"{_path(sha256)}.damaged")  # noqa: PTH105


def get(sha256: str) -> bytes:
    """Raises BlobMissing."""
    return _read(_path(sha256))


def put_thumbnails(thumbnails: Mapping[tuple[str, int], bytes]) -> None:
    """Store WebPs by the hash of their picture and their size in pixels."""
    _write_all({_thumbnail_path(*key): data for key, data in thumbnails.items()})


def get_thumbnail(sha256: str, size: int) -> bytes:
    """Raises BlobMissing."""
    return _read(_thumbnail_path(sha256, size))


def sweep() -> int:
    """Remove what writes that were killed left behind, an hour later; answers how many."""
    root: Path = settings.BLOB_ROOT
    late = time.time() - ABANDONED_SECONDS
    removed = 0
    for path in root.glob("??/??/.*"):
        with contextlib.suppress(FileNotFoundError):  # it has got its name since
            if path.stat().st_mtime < late:
                path.unlink()
                removed += 1
    return removed


def _path(sha256: str) -> str:
    return f"{settings.BLOB_ROOT}/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _thumbnail_path(sha256: str, size: int) -> str:
    return f"{_path(sha256)}.{size}.webp"


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise BlobMissing(Path(path).name) from None


def _write_all(files: Mapping[str, bytes]) -> None:
    """Under other names first; those of the files only when all of them are on the disk."""
    if not files:
        return
    unnamed = {path: _unnamed(path) for path in files}
    try:
        for path, data in files.items():
            _write(unnamed[path], data)
        _sync(unnamed.values())
        for path, temporary in unnamed.items():
            os.replace(temporary, path)  # noqa: PTH105 - a Path for each file costs as much as the call
    except BaseException:
        for temporary in unnamed.values():
            with contextlib.suppress(FileNotFoundError):
                Path(temporary).unlink()
        raise
    _sync({path.rpartition("/")[0] for path in files})


def _unnamed(path: str) -> str:
    """The name beside the path that no other writer has."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}-{os.getpid()}-{threading.get_ident()}"


def _write(path: str, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - it is open
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


def _sync(paths: Collection[str]) -> None:
    """Wait until these files or folders are on the disk; many are had cheaper by waiting for the whole file system."""
    if len(paths) > 2 and _sync_file_system(next(iter(paths))):
        return
    for path in paths:
        with _opened(path) as descriptor:
            os.fsync(descriptor)


def _sync_file_system(path: str) -> bool:
    """Linux's syncfs, which tells of failed writes since 5.8 and which Python lacks; whether it is there."""
    if _syncfs is None:
        return False
    with _opened(path) as descriptor:
        if _syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return True


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
