"""Stored bodies, put together again."""

from __future__ import annotations

import zlib

from gateway.content.cutting import Cut, rebuild
from gateway.content.encodings import unpack
from gateway.content.json_edit import apply
from gateway.models import Payload
from gateway.pictures import blobs


def request_text(payload: Payload) -> bytes:
    """The caller's body with each picture as `sha256:<hex>`."""
    return _text(payload.request_body)


def sent_text(payload: Payload) -> bytes:
    """The body in the provider's format with each picture as `sha256:<hex>`; empty where it is the caller's own."""
    return _text(payload.sent_body)


def response_text(payload: Payload) -> bytes:
    """The provider's body for reading: unpacked if it came compressed, each picture as `sha256:<hex>`."""
    return unpack(_text(payload.response_body), payload.response_headers.get("content-encoding", ""))


def request_body(payload: Payload) -> bytes:
    """The caller's body, to the byte. Raises blobs.BlobMissing."""
    return rebuild(request_text(payload), [Cut(*cut) for cut in payload.request_cuts], blobs.get)


def sent_body(payload: Payload) -> bytes:
    """The body that the provider got, to the byte. Raises blobs.BlobMissing."""
    if payload.sent_body:
        return rebuild(_text(payload.sent_body), [Cut(*cut) for cut in payload.sent_cuts], blobs.get)
    return apply(request_body(payload), [(start, end, text) for start, end, text in payload.request_edits])


def response_body(payload: Payload) -> bytes:
    """The provider's body, to the byte. Raises blobs.BlobMissing."""
    return rebuild(_text(payload.response_body), [Cut(*cut) for cut in payload.response_cuts], blobs.get)


def _text(stored: bytes | memoryview) -> bytes:
    return zlib.decompress(bytes(stored)) if stored else b""
