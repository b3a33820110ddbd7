"""Files in a folder: `ab/cd/<name>`. A file is on the disk, whole and synced, before its name exists."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

ABANDONED_SECONDS = 3600


class FolderStore:
    """The names of files are relative to `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Store those that are not there yet. The disk is waited for once, not once for each."""
        paths = {f"{self.root}/{name}": data for name, data in files.items()}
        _write_all({path: data for path, data in paths.items() if not Path(path).exists()})

    def put_file(self, name: str, path: Path) -> None:
        """Store a large file, whose name is there only when all of it is."""
        half = self.root / f"{name}.half"
        half.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, half)
        _sync([str(half)])
        half.rename(self.root / name)

    def get_file(self, name: str, path: Path) -> None:
        """Raises FileNotFoundError."""
        shutil.copyfile(self.root / name, path)

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError."""
        return (self.root / name).read_bytes()

    def exist(self, names: Collection[str]) -> set[str]:
        """Those of the names that are there."""
        return {name for name in names if (self.root / name).exists()}

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def names(self, older_than_seconds: float) -> Iterator[str]:
        late = time.time() - older_than_seconds
        for path in self.root.glob("??/??/[0-9a-f]*"):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                if path.stat().st_mtime < late:
                    yield str(path.relative_to(self.root))

    def link(self, name: str, seconds: int) -> str | None:
        """None: a folder has no address."""
        return None

    def put_aside(self, name: str) -> None:
        """Keep a damaged file under another name."""
        (self.root / name).rename(self.root / f"{name}.damaged")

    def copies(self) -> Iterator[str]:
        """None: what is read is the file itself."""
        return iter(())

    def forget(self, names: Iterable[str]) -> None:
        """There is nothing to forget."""

    def sweep(self) -> int:
        """Remove what writes that were killed left behind, an hour later; answers how many."""
        late = time.time() - ABANDONED_SECONDS
        removed = 0
        for path in self.root.glob("??/??/.*"):
            with contextlib.suppress(FileNotFoundError):  # it has got its name since
                if path.stat().st_mtime < late:
                    path.unlink()
                    removed += 1
        return removed


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
