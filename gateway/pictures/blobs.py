"""Files by the hash of their content, under the data folder: `blobs/ab/cd/<sha256>`; thumbnails beside, by size.

A blob is on the disk, whole and synced, before its name exists, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from django.conf import settings

THUMBNAIL_SIZES = (256, 1024)
ABANDONED_SECONDS = 3600


class BlobMissing(Exception):
    """There is no blob with this hash."""


def put(sha256: str, data: bytes) -> None:
    """Store the bytes under their hash; nothing is done when they are there."""
    path = _path(sha256)
    if not path.exists():
        _write(path, data)


def get(sha256: str) -> bytes:
    """Raises BlobMissing."""
    return _read(_path(sha256))


def put_thumbnail(sha256: str, size: int, data: bytes) -> None:
    _write(_path(sha256).with_suffix(f".{size}.webp"), data)


def get_thumbnail(sha256: str, size: int) -> bytes:
    """Raises BlobMissing."""
    return _read(_path(sha256).with_suffix(f".{size}.webp"))


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


def _path(sha256: str) -> Path:
    root: Path = settings.BLOB_ROOT
    return root / sha256[:2] / sha256[2:4] / sha256


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BlobMissing(path.name) from None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
