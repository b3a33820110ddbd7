"""What a picture's headers tell, read here and there out of its base64: decoding a few bytes is quicker than decoding all."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.content.sniff import JPEG_FRAMES, sniff

Read = Callable[[int, int], bytes]
"""`read(at, count)` answers up to `count` bytes of the file from `at` on."""
Cut = Callable[[int, int], bytes]
"""`cut(start, end)` answers that part of a base64 text."""

HEAD_BYTES, GIF_BYTES = 3072, 48 * 1024
MOST_SEGMENTS = 200
STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class Header:
    """The media type by the bytes (empty when unknown), sides in pixels, whether it moves, whether it is for print."""

    media_type: str = ""
    width: int | None = None
    height: int | None = None
    animated: bool = False
    cmyk: bool = False


def in_base64(cut: Cut) -> Read:
    """Reads a file that is written as base64, of either alphabet and without line breaks."""

    def read(at: int, count: int) -> bytes:
        text = cut(at // 3 * 4, -(-(at + count) // 3) * 4).translate(STANDARD_ALPHABET)
        try:
            data = binascii.a2b_base64(text[: len(text) - len(text) % 4])
        except binascii.Error:
            return b""
        return data[at % 3 : at % 3 + count]

    return read


def read_header(read: Read) -> Header:
    head = read(0, HEAD_BYTES)
    sniffed = sniff(head)
    if sniffed is None:
        return Header()
    header = Header(sniffed.media_type, sniffed.width, sniffed.height)
    if sniffed.media_type == "image/jpeg":
        return _jpeg(header, read)
    if sniffed.media_type == "image/png":
        return replace(header, animated=_png_moves(read))
    if sniffed.media_type == "image/gif":
        data = read(0, GIF_BYTES)
        return replace(header, animated=b"NETSCAPE2.0" in data or data.count(b"\x21\xf9\x04") > 1)
    extended = sniffed.media_type == "image/webp" and head[12:16] == b"VP8X"
    return replace(header, animated=extended and bool(head[20] & 0x02))  # RFC 9649, 2.7


def _jpeg(header: Header, read: Read) -> Header:
    """From segment to segment to the frame header, which counts components too (ITU-T T.81, B.2.2)."""
    at = 2
    for _ in range(MOST_SEGMENTS):
        segment = read(at, 10)
        if len(segment) < 10 or segment[0] != 0xFF:
            break
        marker = segment[1]
        if marker in JPEG_FRAMES:
            height, width = int.from_bytes(segment[5:7], "big"), int.from_bytes(segment[7:9], "big")
            return replace(header, width=width, height=height, cmyk=segment[9] == 4)
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + int.from_bytes(segment[2:4], "big")
    return header


def _png_moves(read: Read) -> bool:
    """Whether `acTL` stands before the first `IDAT` (PNG, third edition)."""
    at = 8
    for _ in range(MOST_SEGMENTS):
        chunk = read(at, 8)
        if len(chunk) < 8 or chunk[4:] == b"IDAT":
            return False
        if chunk[4:] == b"acTL":
            return True
        at += 12 + int.from_bytes(chunk[:4], "big")
    return False
