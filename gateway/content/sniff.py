"""What bytes are, by their own first bytes: never by a name, a header or a declared type.

`sniff` answers the media type and, where the header tells it without decoding, width and height in pixels as stored.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

DRAWN = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp"})
"""Types that are decoded for a thumbnail and shown in place; every other one is only labelled."""

FTYP_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heic",
    b"msf1": "image/heic",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
# Markers that start a JPEG frame and so carry its size: SOF0-SOF15 without DHT, JPG and DAC (ITU-T T.81, table B.1).
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Sniffed:
    media_type: str
    width: int | None = None
    height: int | None = None


def sniff(data: bytes) -> Sniffed | None:
    """The type of an image, PDF, audio or video file; None when it is none of these."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Sniffed("image/png", *_png_size(data))
    if data.startswith(b"\xff\xd8\xff"):
        return Sniffed("image/jpeg", *_jpeg_size(data))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Sniffed("image/gif", *_unpack("<HH", data, 6))
    if data.startswith(b"RIFF"):
        return _riff(data)
    if data[4:8] == b"ftyp":
        return _iso_media(data)
    if data.startswith(b"BM") and len(data) >= 26 and data[6:10] == b"\0\0\0\0":
        width, height = _unpack("<ii", data, 18)
        return Sniffed("image/bmp", width, abs(height) if height is not None else None)
    return _other(data)


def _other(data: bytes) -> Sniffed | None:
    for magic, media_type in (
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"%PDF-", "application/pdf"),
        (b"ID3", "audio/mpeg"),
        (b"\xff\xfb", "audio/mpeg"),
        (b"\xff\xf3", "audio/mpeg"),
        (b"fLaC", "audio/flac"),
        (b"OggS", "audio/ogg"),
        (b"\x1aE\xdf\xa3", "video/webm"),
    ):
        if data.startswith(magic):
            return Sniffed(media_type)
    return Sniffed("image/svg+xml") if _is_svg(data[:4096]) else None


def _is_svg(text: bytes) -> bool:
    """Whether the first element is `svg`, after any declarations and comments. By hand: a pattern for it can run for ever."""
    at = len(text) - len(text.removeprefix(b"\xef\xbb\xbf").lstrip())
    while text.startswith((b"<?", b"<!"), at):
        close = b"-->" if text.startswith(b"<!--", at) else b">"
        end = text.find(close, at)
        if end < 0:
            return False
        at = end + len(close)
        at += len(text[at:]) - len(text[at:].lstrip())
    return text[at : at + 4].lower() == b"<svg" and text[at + 4 : at + 5] in b" \t\r\n>/"


def _unpack(layout: str, data: bytes, at: int) -> tuple[int, int] | tuple[None, None]:
    if len(data) < at + struct.calcsize(layout):
        return None, None
    first, second = struct.unpack_from(layout, data, at)
    return int(first), int(second)


def _png_size(data: bytes) -> tuple[int, int] | tuple[None, None]:
    return _unpack(">II", data, 16) if data[12:16] == b"IHDR" else (None, None)


def _jpeg_size(data: bytes) -> tuple[int, int] | tuple[None, None]:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None, None
        marker = data[at + 1]
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None, None


def _riff(data: bytes) -> Sniffed | None:
    form = data[8:12]
    if form == b"WAVE":
        return Sniffed("audio/wav")
    if form == b"AVI ":
        return Sniffed("video/x-msvideo")
    return Sniffed("image/webp", *_webp_size(data)) if form == b"WEBP" else None


def _webp_size(data: bytes) -> tuple[int, int] | tuple[None, None]:
    """RFC 9649: lossy (VP8), lossless (VP8L) and extended (VP8X) headers."""
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None, None


def _iso_media(data: bytes) -> Sniffed:
    """ISO base media: AVIF and HEIC keep their size in an `ispe` box (ISO/IEC 23008-12)."""
    media_type = FTYP_BRANDS.get(data[8:12], "video/mp4")
    at = data.find(b"ispe", 0, 65536) if media_type.startswith("image/") else -1
    return Sniffed(media_type, *(_unpack(">II", data, at + 8) if at >= 0 else (None, None)))
