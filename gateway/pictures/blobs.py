"""Files by the hash of their content, `ab/cd/<sha256>`, and thumbnails beside, by size: in the data folder, or in the object
store that `BLOB_STORE_URL` names.

A blob is there whole before its name is, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from gateway.models import engine
from gateway.pictures.folder_store import FolderStore

SMALL = 256
THUMBNAIL_SIZES = (SMALL, 1024, 2048)
ABANDONED_SECONDS = 3600
COPIED_AT_ONCE = 64
EVERY = -60.0  # seconds of age: the files of this moment, too, whatever two clocks say


class BlobMissing(Exception):
    """There is no blob with this hash."""


class Store(Protocol):
    """Whoever keeps files by name. What is there does not change. Raises faults.Away when it does not answer."""

    def put_all(self, files: Mapping[str, bytes]) -> None: ...

    def put_file(self, name: str, path: Path) -> None: ...

    def get_file(self, name: str, path: Path) -> None: ...

    def read(self, name: str) -> bytes: ...

    def exist(self, names: Collection[str]) -> set[str]: ...

    def remove(self, names: Iterable[str]) -> None: ...

    def names(self, older_than_seconds: float) -> Iterator[str]: ...

    def link(self, name: str, seconds: int) -> str | None: ...

    def put_aside(self, name: str) -> None: ...

    def copies(self) -> Iterator[str]: ...

    def forget(self, names: Iterable[str]) -> None: ...

    def sweep(self) -> int: ...


def store() -> Store:
    return at(settings.BLOB_STORE_URL or Path(settings.BLOB_ROOT).absolute().as_uri())


@lru_cache(maxsize=8)
def at(url: str) -> Store:
    """The store at an address. Raises ImproperlyConfigured with the cure."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderStore(Path(unquote(parts.path)))
    try:
        from gateway.pictures.bucket_store import BucketStore, Cache
    except ImportError:
        raise ImproperlyConfigured("An object store needs the package obstore: pip install 'loupe[s3]'.") from None
    cache = Cache(settings.LOUPE_DATA / "blob-cache", settings.BLOB_CACHE_BYTES)
    try:
        return BucketStore(url, cache)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"The blob store {url[:200]!r} cannot be used: {error}. It is written s3://bucket/prefix?endpoint=https://host, "
            "gs://bucket/prefix, az://account/container/prefix or file:///folder."
        ) from error


@dataclass(slots=True)
class Copied:
    count: int = 0
    damaged: list[str] = field(default_factory=list)


def copy_all(source: Store, target: Store) -> Copied:
    """Copy what the target has not; what holds other bytes than its name says is left behind. Raises faults.Away."""
    copied = Copied()
    wanted = (name for name in source.names(EVERY) if not name.endswith(".damaged"))
    while some := list(islice(wanted, COPIED_AT_ONCE)):
        files = {name: source.read(name) for name in set(some) - target.exist(some)}
        sound = {name: data for name, data in files.items() if _is_sound(name, data)}
        target.put_all(sound)
        copied.count += len(sound)
        copied.damaged += sorted(files.keys() - sound.keys())
    return copied


def _is_sound(name: str, data: bytes) -> bool:
    """A picture's name is its hash; a thumbnail's says nothing of its own bytes."""
    last = name.rpartition("/")[2]
    return last.endswith(".webp") or hashlib.sha256(data).hexdigest() == last


def put_all(blobs: Mapping[str, bytes]) -> None:
    """Store the bytes of each hash that is not there yet."""
    if blobs:
        store().put_all({name_of(sha256): data for sha256, data in blobs.items()})


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
    store().remove([name for sha256 in sha256s for name in _names(sha256)])


def _names(sha256: str) -> list[str]:
    return [name_of(sha256), *(_thumbnail(sha256, size) for size in THUMBNAIL_SIZES)]


def exist(sha256s: Collection[str]) -> set[str]:
    """Those of the hashes that have their file."""
    names = {name_of(sha256): sha256 for sha256 in sha256s}
    return {names[name] for name in store().exist(names)}


def stored(at_once: int) -> Iterator[list[str]]:
    """The hashes of all files, some at a time, without those of the last hour, whose rows may not be written yet."""
    found: set[str] = set()
    for name in store().names(ABANDONED_SECONDS):
        found.add(name.rpartition("/")[2].partition(".")[0])
        if len(found) >= at_once:
            yield sorted(found)
            found.clear()
    if found:
        yield sorted(found)


def copied(at_once: int) -> Iterator[list[str]]:
    """The hashes of what this machine has copies of, besides the store itself, some at a time; some hashes come again."""
    names = store().copies()
    while some := list(islice(names, at_once)):
        yield sorted({name.rpartition("/")[2].partition(".")[0] for name in some})


def forget_copies(sha256s: Iterable[str]) -> None:
    """Of files and of their thumbnails, on this machine."""
    store().forget(name for sha256 in sha256s for name in _names(sha256))


def put_aside(sha256: str) -> None:
    """Keep a file that holds other bytes than its name says under another name."""
    store().put_aside(name_of(sha256))


def get(sha256: str) -> bytes:
    """Raises BlobMissing."""
    return _read(name_of(sha256))


def link(sha256: str) -> str | None:
    """Where the store itself gives the bytes to whoever has this address, for `LOUPE_PRESIGNED_SECONDS`; None where it does not."""
    seconds: int = settings.PRESIGNED_SECONDS
    return store().link(name_of(sha256), seconds) if seconds else None


def put_thumbnails(thumbnails: Mapping[tuple[str, int], bytes]) -> None:
    """Store WebPs by the hash of their picture and their size in pixels."""
    if thumbnails:
        store().put_all({_thumbnail(*key): data for key, data in thumbnails.items()})


def get_thumbnail(sha256: str, size: int) -> bytes:
    """Raises BlobMissing."""
    return _read(_thumbnail(sha256, size))


def sweep() -> int:
    """Remove what writes that were killed left behind, an hour later; answers how many."""
    return store().sweep()


def name_of(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _thumbnail(sha256: str, size: int) -> str:
    return f"{name_of(sha256)}.{size}.webp"


def _read(name: str) -> bytes:
    try:
        return store().read(name)
    except FileNotFoundError:
        raise BlobMissing(name) from None
