"""Compressed answers, unpacked for reading."""

from __future__ import annotations

import zlib

LIMIT_BYTES = 64 * 1024 * 1024
GZIP, SLICE_BYTES = b"\x1f\x8b", 8 * 1024
# zlib's window bits: 31 reads gzip, 47 gzip or zlib, -15 bare deflate (RFC 1950 to 1952).
WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (47, -15)}


class Damaged(Exception):
    """Bytes that are not in the encoding that they are said to be in, or unpack to more than the limit."""


class Unpacker:
    """Unpacks what comes piece by piece."""

    def __init__(self, encoding: str) -> None:
        self.windows = list(WINDOWS[encoding.strip().lower()])
        self.window = self.windows.pop(0)
        self.stream = zlib.decompressobj(self.window)
        self.left = LIMIT_BYTES
        self.begun = self.ended = False

    @staticmethod
    def knows(encoding: str) -> bool:
        return encoding.strip().lower() in WINDOWS

    def feed(self, data: bytes) -> bytes:
        """Raises Damaged."""
        out = []
        for at in range(0, len(data), SLICE_BYTES):  # each member that ends copies all that is left
            rest = data[at : at + SLICE_BYTES]
            while rest and not self.ended:
                out.append(self._fed(rest))
                rest = self.stream.unused_data
                if rest:
                    self._begin_member(rest)
        return b"".join(out)

    def _fed(self, data: bytes) -> bytes:
        try:
            out = self.stream.decompress(data, self.left + 1)
        except zlib.error as error:
            if self.begun or not self.windows:
                raise Damaged(str(error)) from None
            self.window = self.windows.pop(0)
            self.stream = zlib.decompressobj(self.window)
            return self._fed(data)
        self.begun = True
        self.left -= len(out)
        if self.left < 0:
            raise Damaged(f"it unpacks to more than {LIMIT_BYTES >> 20} MiB")
        return out

    def _begin_member(self, data: bytes) -> None:
        """gzip may go on with another member (RFC 1952, 2.2); anything else after the end is no part of it."""
        self.ended = not data.startswith(GZIP[: len(data)])
        if not self.ended:
            self.stream = zlib.decompressobj(self.window)


def unpack(data: bytes, encoding: str) -> bytes:
    """The readable bytes of a `content-encoding` (gzip, deflate), at most 64 MiB; other encodings as they are."""
    for window in WINDOWS.get(encoding.strip().lower(), ()):
        try:
            return zlib.decompressobj(window).decompress(data, LIMIT_BYTES)
        except zlib.error:
            continue
    return data
