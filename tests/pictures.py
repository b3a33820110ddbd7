"""Pictures for tests, drawn here so that each is distinct and its size known."""

from __future__ import annotations

import base64
import io
import struct

from PIL import Image


def picture(
    fmt: str = "PNG", size: tuple[int, int] = (40, 30), colour: tuple[int, int, int] = (200, 60, 40), **save: object
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, fmt, **save)
    return out.getvalue()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def slow_jpeg(scans: int, side: int = 4000, salt: bytes = b"") -> bytes:
    """A small progressive JPEG of `side` pixels squared whose many empty scans take long: about 2 ms each at 4,000."""
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(salt)) + salt
    tables = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, side, side, 1) + bytes([1, 0x11, 0])
    codes = b"".join(
        b"\xff\xc4" + struct.pack(">HB", 20, kind) + bytes([1] + [0] * 15 + [symbol])
        for kind, symbol in ((0x00, 0), (0x10, 0xE0))
    )
    blocks = (-(-side // 8)) ** 2
    first = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 0, 0) + bytes(blocks // 8 + 1)
    bits = ("0" + "1" * 14) * (blocks // 32767 + 1)
    bits += "1" * (-len(bits) % 8)
    ends = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 63, 0) + ends
    return b"\xff\xd8" + comment + tables + frame + codes + first + scan * scans + b"\xff\xd9"
