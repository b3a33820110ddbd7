"""Stored bodies: made small, and put together again."""

from __future__ import annotations

import zlib

from gateway.content.cutting import MOST_FILES, Cut, Cutting, rebuild
from gateway.content.encodings import unpack
from gateway.content.json_edit import apply
from gateway.content.json_text import MOST_VALUES, is_too_much
from gateway.models import Payload
from gateway.pictures import blobs

LARGE_BYTES, SHOWN_BYTES = 1024 * 1024, 16 * 1024 * 1024


def stored(text: bytes) -> bytes:
    """As the database keeps it. A large one less small than it might be: it would hold everybody's logs up for seconds."""
    return zlib.compress(text, 6 if len(text) < LARGE_BYTES else 1) if text else b""


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
    return zlib.decompressobj().decompress(bytes(stored), SHOWN_BYTES) if stored else b""


def _text(stored: bytes | memoryview) -> bytes:
    return zlib.decompress(bytes(stored)) if stored else b""
