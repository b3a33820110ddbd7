"""An object store keeps what a folder keeps: once, whole, found again; and says so when it is away."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway.faults import Away, will_pass
from gateway.pictures import blobs
from gateway.pictures.bucket_store import BucketStore, Cache


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


FILES = {sha(data): data for data in (b"one", b"two" * 1000, b"", bytes(range(256)) * 4000)}


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> blobs.Store:
    settings.LOUPE_DATA, settings.BLOB_ROOT = tmp_path, tmp_path / "blobs"
    blobs.at.cache_clear()
    if request.param == "bucket":
        settings.BLOB_STORE_URL = request.getfixturevalue("bucket")
    return blobs.store()


def test_what_is_stored_is_found_and_what_is_removed_is_not(store: blobs.Store) -> None:
    blobs.put_all(FILES)
    blobs.put_all(FILES)
    blobs.put_thumbnails({(sha(b"one"), blobs.SMALL): b"small"})
    assert {one: blobs.get(one) for one in FILES} == FILES
    assert blobs.get_thumbnail(sha(b"one"), blobs.SMALL) == b"small"
    assert blobs.exist([*FILES, sha(b"three")]) == set(FILES)
    assert sorted(store.names(-60)) == sorted([*map(blobs.name_of, FILES), f"{blobs.name_of(sha(b'one'))}.256.webp"])
    assert list(store.names(3600)) == []
    blobs.remove(FILES)
    assert blobs.exist(FILES) == set()
    for missing in (lambda: blobs.get(sha(b"one")), lambda: blobs.get_thumbnail(sha(b"one"), blobs.SMALL)):
        with pytest.raises(blobs.BlobMissing):
            missing()


def test_many_who_store_the_same_at_once_store_it_once(store: blobs.Store) -> None:
    threads = [threading.Thread(target=blobs.put_all, args=(FILES,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one: blobs.get(one) for one in FILES} == FILES


def test_a_damaged_file_is_put_aside(store: blobs.Store) -> None:
    blobs.put_all(FILES)
    blobs.put_aside(sha(b"one"))
    assert blobs.exist(FILES) == FILES.keys() - {sha(b"one")}


@pytest.mark.usefixtures("bucket")  # for its credentials
def test_a_store_that_is_away_is_waited_for(tmp_path: Path) -> None:
    nobody = BucketStore("s3://loupe-test/x?endpoint=http://127.0.0.1:9", Cache(tmp_path, 10**6))
    for act in (lambda: nobody.put_all({"a": b"b"}), lambda: nobody.read("a"), lambda: nobody.remove(["a"])):
        with pytest.raises(Away, match="does not answer") as caught:
            act()
        assert will_pass(caught.value)


@pytest.mark.parametrize("url", ["s3://b/p?secret=x", "ftp://host/x", "nonsense", "s3://"])
def test_an_address_that_cannot_be_used_is_refused_with_the_cure(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="s3://bucket/prefix"):
        blobs.at(url)


def test_the_cache_holds_what_was_read_last_up_to_its_bound(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10_000)
    names = [f"aa/bb/{n:064x}" for n in range(30)]
    for name in names:
        cache.put(name, bytes(1000))
        assert cache.get(names[0]) is not None  # it is read all the time
    kept = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("??/??/*")}
    assert names[0] in kept
    assert names[-1] in kept
    assert len(kept) <= 11
    cache.remove(names)
    assert list(tmp_path.glob("??/??/*")) == []
