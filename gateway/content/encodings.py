"""Compressed answers, unpacked for reading. The bytes that came are what is kept."""

from __future__ import annotations

import zlib

LIMIT_BYTES = 64 * 1024 * 1024
# zlib's window bits: 31 reads gzip, 47 gzip or zlib, -15 bare deflate (RFC 1950 to 1952).
WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (47, -15)}


def unpack(data: bytes, encoding: str) -> bytes:
    """The readable bytes of a `content-encoding` (gzip, deflate), at most 64 MiB; other encodings as they are."""
    for window in WINDOWS.get(encoding.strip().lower(), ()):
        try:
            return zlib.decompressobj(window).decompress(data, LIMIT_BYTES)
        except zlib.error:
            continue
    return data
