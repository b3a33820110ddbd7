"""Bodies that came compressed, unpacked for reading: gzip, deflate, br and zstd (RFC 9110, 8.4; RFC 7932; RFC 8878)."""

from __future__ import annotations

import sys
import zlib

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT_BYTES = 64 * 1024 * 1024
GZIP, ZSTD, SLICE_BYTES = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", 8 * 1024
# zlib's window bits: 31 reads gzip, 47 gzip or zlib, -15 bare deflate (RFC 1950 to 1952).
WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (47, -15)}
KNOWN = (*WINDOWS, "br", "zstd")
WINDOW_LOG = 23  # 8 MiB, what RFC 8878 asks every decoder to take


class Damaged(Exception):
    """Bytes that are not in the encoding that they are said to be in, or unpack to more than the limit."""


class Zlib:
    def __init__(self, encoding: str) -> None:
        self.windows = list(WINDOWS[encoding])
        self._begin()
        self.begun = self.ended = False

    def _begin(self) -> None:
        self.window = self.windows.pop(0)
        self.stream = zlib.decompressobj(self.window)

    def feed(self, data: bytes, most: int) -> bytes:
        out = []
        while data and not self.ended and most >= 0:
            out.append(self._fed(data, most))
            most -= len(out[-1])
            data = self.stream.unused_data
            if data:
                self._begin_member(data)
        return b"".join(out)

    def _fed(self, data: bytes, most: int) -> bytes:
        try:
            out = self.stream.decompress(data, most + 1)
        except zlib.error as error:
            if self.begun or not self.windows:
                raise ValueError(str(error)) from None
            self._begin()
            return self._fed(data, most)
        self.begun = True
        return out

    def _begin_member(self, data: bytes) -> None:
        """gzip may go on with another member (RFC 1952, 2.2); anything else after the end is no part of it."""
        self.ended = not data.startswith(GZIP[: len(data)])
        if not self.ended:
            self.stream = zlib.decompressobj(self.window)

    @property
    def whole(self) -> bool:
        return self.ended or self.stream.eof


class Brotli:
    def __init__(self) -> None:
        self.stream = brotli.Decompressor()
        self.ended = False

    def feed(self, data: bytes, most: int) -> bytes:
        try:
            out: bytes = self.stream.process(data, output_buffer_limit=most + 1)
        except brotli.error as error:
            raise ValueError(str(error)) from None
        self.ended = self.stream.is_finished()
        return out

    @property
    def whole(self) -> bool:
        return self.ended


class Zstandard:
    def __init__(self) -> None:
        self.ended = False
        self._begin()

    def _begin(self) -> None:
        self.stream = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})

    def feed(self, data: bytes, most: int) -> bytes:
        out = []
        while data and not self.ended and most >= 0:
            out.append(self._fed(data, most))
            most -= len(out[-1])
            data = self.stream.unused_data if self.stream.eof else b""
            if data:
                self.ended = not data.startswith(ZSTD[: len(data)])
                self._begin()
        return b"".join(out)

    def _fed(self, data: bytes, most: int) -> bytes:
        try:
            return self.stream.decompress(data, most + 1)
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from None

    @property
    def whole(self) -> bool:
        return self.ended or self.stream.eof


def _coding(name: str) -> Zlib | Brotli | Zstandard:
    return Brotli() if name == "br" else Zstandard() if name == "zstd" else Zlib(name)


def _names(encoding: str) -> list[str]:
    named = (name.strip().lower() for name in encoding.split(","))
    return [name for name in named if name not in ("", "identity")]


class Unpacker:
    """Unpacks what comes piece by piece. Several codings of one body were put on in the order of their names."""

    def __init__(self, encoding: str, limit: int = LIMIT_BYTES) -> None:
        self.codings = [_coding(name) for name in reversed(_names(encoding))]
        self.limit = limit
        self.left = [limit] * len(self.codings)

    @staticmethod
    def knows(encoding: str) -> bool:
        """Whether it names codings, and only such as are known."""
        names = _names(encoding)
        return bool(names) and all(name in KNOWN for name in names)

    def feed(self, data: bytes) -> bytes:
        """Raises Damaged."""
        slices = (data[at : at + SLICE_BYTES] for at in range(0, len(data), SLICE_BYTES))
        return b"".join(map(self._fed, slices))  # each member that ends copies all that is left

    def _fed(self, data: bytes) -> bytes:
        for at, coding in enumerate(self.codings):
            try:
                data = coding.feed(data, self.left[at]) if data and not coding.ended else b""
            except ValueError as error:
                raise Damaged(str(error)) from None
            self.left[at] -= len(data)
            if self.left[at] < 0:
                raise Damaged(f"it unpacks to more than {self.limit >> 20} MiB")
        return data

    @property
    def whole(self) -> bool:
        """Whether the end came."""
        return all(coding.whole for coding in self.codings)


def unpack(data: bytes, encoding: str) -> bytes:
    """The readable bytes of a body for the log: as far as they can be read; those in other codings as they are."""
    if not data or not Unpacker.knows(encoding):
        return data
    unpacker = Unpacker(encoding)
    found: list[bytes] = []
    try:
        for at in range(0, len(data), SLICE_BYTES):
            found.append(unpacker.feed(data[at : at + SLICE_BYTES]))
    except Damaged:
        return b"".join(found) or data
    return b"".join(found)


def unpack_whole(data: bytes, encoding: str, limit: int) -> bytes:
    """Every byte of it.

    Raises:
        Damaged: it cannot be read, has no end, or unpacks to more than `limit` bytes.
    """
    unpacker = Unpacker(encoding, limit)
    found = unpacker.feed(data)
    if not unpacker.whole:
        raise Damaged("its end is missing")
    return found
