"""Stored bodies: made small, and put together again."""

from __future__ import annotations

import sys
import threading
import zlib
from functools import cache
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from gateway.content.cutting import MOST_FILES, Cut, Cutting, rebuild
from gateway.content.encodings import unpack
from gateway.content.json_edit import apply
from gateway.content.json_text import MOST_VALUES, is_too_much
from gateway.models import Payload
from gateway.pictures import blobs

SHOWN_BYTES = 16 * 1024 * 1024
# What providers' formats have in common (tests/replay/dictionary.py): small bodies are mostly that. The last one is used,
# each is kept for what was stored by it.
DICTIONARIES = ("bodies-1.zdict",)
LEVEL = 3
ZLIB = b"\x78"  # how bodies were stored up to version 0.1
_own = threading.local()


def stored(text: bytes) -> bytes:
    """As the database keeps it: zstd, by a dictionary (RFC 8878)."""
    return _compressor().compress(text, zstd.ZstdCompressor.FLUSH_FRAME) if text else b""


def _compressor() -> zstd.ZstdCompressor:
    """One a thread: making one takes longer than a small body."""
    if not hasattr(_own, "compressor"):
        newest = list(_dictionaries().values())[-1]
        _own.compressor = zstd.ZstdCompressor(level=LEVEL, zstd_dict=newest.as_digested_dict)
    made: zstd.ZstdCompressor = _own.compressor
    return made


@cache
def _dictionaries() -> dict[int, zstd.ZstdDict]:
    """By the number that a frame names."""
    found = [zstd.ZstdDict(Path(__file__).with_name(name).read_bytes()) for name in DICTIONARIES]
    return {one.dict_id: one for one in found}


def unread(body: Cutting, name: str) -> list[str]:
    """What of a body is kept, but was not looked into: a warning each."""
    found = []
    if not body.is_whole:
        found.append(f"the {name} holds more than {MOST_FILES:,} files: the rest were left in the body")
    if len(body.text) > SHOWN_BYTES:
        found.append(
            f"the {name} is larger than {SHOWN_BYTES >> 20} MiB: its beginning is shown, the download has it all"
        )
    if is_too_much(body.text):
        found.append(f"the {name} holds more than {MOST_VALUES:,} JSON values: it is kept, but was not read")
    return found


def request_text(payload: Payload) -> bytes:
    """The caller's body with each picture as `sha256:<hex>`; its beginning, where it is larger than is shown."""
    return _beginning(payload.request_body)


def sent_text(payload: Payload) -> bytes:
    """The body in the provider's format with each picture as `sha256:<hex>`; empty where it is the caller's own."""
    return _beginning(payload.sent_body)


def response_text(payload: Payload) -> bytes:
    """The provider's body for reading: unpacked if it came compressed, each picture as `sha256:<hex>`."""
    return unpack(_beginning(payload.response_body), payload.response_headers.get("content-encoding", ""))


def request_body(payload: Payload) -> bytes:
    """The caller's body, to the byte. Raises blobs.BlobMissing."""
    return rebuild(_text(payload.request_body), [Cut(*cut) for cut in payload.request_cuts], blobs.get)


def sent_body(payload: Payload) -> bytes:
    """The body that the provider got, to the byte. Raises blobs.BlobMissing."""
    if payload.sent_body:
        return rebuild(_text(payload.sent_body), [Cut(*cut) for cut in payload.sent_cuts], blobs.get)
    return apply(request_body(payload), [(start, end, text) for start, end, text in payload.request_edits])


def response_body(payload: Payload) -> bytes:
    """The provider's body, to the byte. Raises blobs.BlobMissing."""
    return rebuild(_text(payload.response_body), [Cut(*cut) for cut in payload.response_cuts], blobs.get)


def _beginning(stored: bytes | memoryview) -> bytes:
    data = bytes(stored)
    if data.startswith(ZLIB):
        return zlib.decompressobj().decompress(data, SHOWN_BYTES)
    return zstd.ZstdDecompressor(zstd_dict=_dictionary_of(data)).decompress(data, SHOWN_BYTES) if data else b""


def _text(stored: bytes | memoryview) -> bytes:
    """All of it, or an error: what was damaged is not taken for the whole."""
    data = bytes(stored)
    if data.startswith(ZLIB):
        return zlib.decompress(data)
    return zstd.decompress(data, zstd_dict=_dictionary_of(data)) if data else b""


def _dictionary_of(frame: bytes) -> zstd.ZstdDict:
    return _dictionaries()[zstd.get_frame_info(frame).dictionary_id]
