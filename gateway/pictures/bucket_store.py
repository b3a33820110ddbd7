"""Files in an object store (S3, Google Cloud Storage, Azure), read through a bounded folder on this machine.

Names are those of their content, so an object is written once and never changes: whoever comes second finds it there.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store, from_url

from gateway.faults import Away

T = TypeVar("T")
AT_ONCE = 16
CLIENT = {"connect_timeout": "5s", "timeout": "30s", "allow_http": True}
RETRY: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
# The words of a URL's query, as in s3://bucket/prefix?endpoint=http://10.0.0.5:8333
OPTIONS = {"endpoint", "region", "virtual_hosted_style_request", "skip_signature"}


class BucketStore:
    """`url` is that of the object store, with a prefix. Credentials come from the environment, as its vendor names them."""

    def __init__(self, url: str, cache: Cache) -> None:
        self.store = _opened(url)
        self.cache = cache
        self.threads = ThreadPoolExecutor(AT_ONCE, "bucket")

    def put_all(self, files: Mapping[str, bytes]) -> None:
        """Store those that are not there yet; all are there when this ends. Raises Away."""
        new = files.keys() - self.exist(files.keys())
        self._each(lambda name: self._put(name, files[name]), new)

    def _put(self, name: str, data: bytes) -> None:
        with contextlib.suppress(AlreadyExistsError):
            obstore.put(self.store, name, data, mode="create")

    def put_file(self, name: str, path: Path) -> None:
        """Store a large file, in pieces. Raises Away."""
        with _or_away():
            obstore.put(self.store, name, path)

    def get_file(self, name: str, path: Path) -> None:
        """Raises FileNotFoundError, Away."""
        with _or_away(), path.open("wb") as file:
            for piece in obstore.get(self.store, name):
                file.write(piece)

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError, Away."""
        kept = self.cache.get(name)
        if kept is None:
            with _or_away():
                kept = bytes(obstore.get(self.store, name).bytes())
            self.cache.put(name, kept)
        return kept

    def exist(self, names: Collection[str]) -> set[str]:
        """Those of the names that are there now, whatever the cache holds. Raises Away."""
        return {name for name, is_there in self._each(self._is_there, names) if is_there}

    def _is_there(self, name: str) -> bool:
        try:
            obstore.head(self.store, name)
        except FileNotFoundError:
            return False
        return True

    def remove(self, names: Iterable[str]) -> None:
        """Raises Away."""
        names = list(names)
        self.cache.remove(names)
        with _or_away():
            if names:
                obstore.delete(self.store, names)

    def names(self, older_than_seconds: float) -> Iterator[str]:
        """Raises Away."""
        late = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        with _or_away():
            for some in obstore.list(self.store, chunk_size=1000):
                yield from (one["path"] for one in some if one["last_modified"] < late)

    def link(self, name: str, seconds: int) -> str | None:
        """An address at which the store itself gives the object to whoever has it, for so long. Raises Away."""
        if not isinstance(self.store, S3Store | GCSStore | AzureStore):
            return None
        with _or_away():
            return obstore.sign(self.store, "GET", name, timedelta(seconds=seconds))

    def put_aside(self, name: str) -> None:
        """Keep a damaged object under another name."""
        self.cache.remove([name])
        with _or_away():
            obstore.rename(self.store, name, f"{name}.damaged")

    def copies(self) -> Iterator[str]:
        """The names of what this machine keeps a copy of."""
        return self.cache.names()

    def forget(self, names: Iterable[str]) -> None:
        self.cache.remove(names)

    def sweep(self) -> int:
        """An object is there whole or not at all; what the store keeps of broken uploads is its own affair."""
        return 0

    def _each(self, act: Callable[[str], T], names: Collection[str]) -> list[tuple[str, T]]:
        with _or_away():
            return list(zip(names, self.threads.map(act, names), strict=True))


class Cache:
    """A folder of at most so many bytes; what was not read for longest goes first. Each process looks after it by itself."""

    def __init__(self, root: Path, most: int) -> None:
        self.root, self.most = root, most
        self.added = most  # so that what is there already is measured soon
        self.lock = threading.Lock()

    def get(self, name: str) -> bytes | None:
        path = self.root / name
        try:
            data = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:
            return None
        return data

    def put(self, name: str, data: bytes) -> None:
        """A full disk is no reason to fail: it is a copy."""
        path = self.root / name
        half = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(data)
            half.rename(path)
        self.added += len(data)
        if self.added > self.most // 10 and self.lock.acquire(blocking=False):
            try:
                self._make_room()
            finally:
                self.lock.release()

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        return (path.relative_to(self.root).as_posix() for path in self._paths())

    def _paths(self) -> Iterator[Path]:
        return self.root.glob("??/??/*")

    def _make_room(self) -> None:
        self.added = 0
        files = []
        for path in self._paths():
            with contextlib.suppress(FileNotFoundError):
                files.append((path.stat().st_mtime, path.stat().st_size, path))
        over = sum(size for _, size, _ in files) - self.most
        for _, size, path in sorted(files, key=lambda one: one[0]):
            if over <= -self.most // 5:
                return
            path.unlink(missing_ok=True)
            over -= size


def _opened(url: str) -> ObjectStore:
    """Raises ValueError for an address that cannot be used."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if unknown := options.keys() - OPTIONS:
        raise ValueError(f"{', '.join(sorted(unknown))} is not known; it takes {', '.join(sorted(OPTIONS))}")
    given: Any = {f"aws_{name}" if parts.scheme == "s3" else name: value for name, value in options.items()}
    try:
        opened: ObjectStore = from_url(
            urlunsplit(parts._replace(query="")), config=given or None, client_options=CLIENT, retry_config=RETRY
        )  # type: ignore[call-overload]
    except BaseError as error:
        raise ValueError(str(error)) from error
    return opened


@contextlib.contextmanager
def _or_away() -> Iterator[None]:
    """What went wrong with the store may go well later."""
    try:
        yield
    except BaseError as error:
        raise Away(f"the blob store does not answer: {str(error)[:300]}") from error
