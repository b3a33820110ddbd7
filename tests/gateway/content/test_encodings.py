"""Compressed answers are unpacked however they are cut, member by member, and no further than the limit."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.encodings import Damaged, Unpacker, unpack, unpack_whole

PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "bare deflate": lambda data: zlib.compress(data)[2:-4],
    "br": brotli.compress,
    "zstd": zstd.compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    "identity, zstd": zstd.compress,
}


def unpacked(encoding: str, data: bytes, size: int) -> bytes:
    unpacker = Unpacker(encoding.removeprefix("bare "))
    return b"".join(unpacker.feed(data[at : at + size]) for at in range(0, len(data), size))


@given(st.sampled_from(list(PACKED)), st.binary(max_size=300), st.integers(1, 50))
def test_it_is_unpacked_however_it_is_cut(encoding: str, data: bytes, size: int) -> None:
    if encoding == "bare deflate" and size == 1:
        size = 2  # the first byte alone may look like zlib's
    assert unpacked(encoding, PACKED[encoding](data), size) == data


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=5), st.integers(1, 50))
def test_every_member_is_read_and_what_follows_the_last_is_not(members: list[bytes], size: int) -> None:
    packed = b"".join(gzip.compress(one) for one in members) + b"trailing"
    assert unpacked("gzip", packed, size) == b"".join(members)


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_that_breaks_off_is_read_as_far_as_it_goes_and_told_where_all_of_it_counts(encoding: str) -> None:
    data, name = bytes(range(256)) * 4000, encoding.removeprefix("bare ")
    packed = PACKED[encoding](data)[:-20]
    assert data.startswith(unpack(packed, name))
    with pytest.raises(Damaged):
        unpack_whole(packed, name, len(data))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_unpacked_no_further_than_the_limit(encoding: str) -> None:
    with pytest.raises(Damaged, match="more than 1 MiB"):
        unpack_whole(PACKED[encoding](bytes(50 << 20)), encoding, 1 << 20)


def test_frames_of_zstandard_follow_one_another() -> None:
    assert unpacked("zstd", zstd.compress(b"one ") + zstd.compress(b"two"), 5) == b"one two"


def test_very_many_members_are_read_in_a_moment() -> None:
    assert unpacked("gzip", gzip.compress(b"a") * 50_000, 1 << 20) == b"a" * 50_000


def test_what_follows_the_end_takes_no_time_however_long_it_is() -> None:
    assert unpacked("gzip", gzip.compress(b"a") + bytes(60 << 20), 65_536) == b"a"


def test_a_bomb_is_stopped() -> None:
    with pytest.raises(Damaged, match="more than 64 MiB"):
        unpacked("gzip", gzip.compress(bytes(100 << 20)), 4096)


def test_what_is_not_packed_is_damaged() -> None:
    with pytest.raises(Damaged):
        unpacked("gzip", b"hello there", 100)
