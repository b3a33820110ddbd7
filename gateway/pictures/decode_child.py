"""The one place where pictures are decoded: a process of its own, with an empty environment, no rights and no secrets.

Run as `python -I decode_child.py PARENT`; speaks over its pipes. It first says what it is confined by, as a JSON list on a
line. A request is `op u8 | length u32 | data`, an answer `length u32 | JSON`
followed by as many blobs as the JSON's `blobs` lists the sizes of. Ops: L look, T thumbnail, B a big one, H a huge one, D draw.
A hostile picture can at worst end this process; whoever started it starts another.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageDraw, ImageFile, ImageOps, UnidentifiedImageError

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # -I leaves our own folders out
from gateway.pictures.confinement import confine

OPENED = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP")
ACCEPTED = {*OPENED, "MPO"}  # a JPEG that holds several pictures; its first one is taken
MEGAPIXELS = {"JPEG": 100, "MPO": 100}
OTHER_MEGAPIXELS = 40
LONGEST_SIDE = 32_768
SIZES = {b"T": 256, b"B": 1024, b"H": 2048}
SMALL = SIZES[b"T"]
LONG, LONGEST_BOX = 2.5, 8  # a receipt is as wide as can be read, not as long as another picture
BLANK_SPREAD = 4


class Refused(Exception):
    """A picture that is not decoded, by rule; its text is a fixed code."""


def main() -> None:
    parent = int(sys.argv[1]) if len(sys.argv) > 1 else None
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    _write(sink, [json.dumps(_lock_down(parent)).encode() + b"\n"])
    while head := source.read(5):
        op, length = struct.unpack("<cI", head)
        facts, blobs = _answer(op, source.read(length))
        text = json.dumps({**facts, "blobs": [len(blob) for blob in blobs]}).encode()
        _write(sink, [struct.pack("<I", len(text)), text, *blobs])


def _lock_down(parent: int | None = None) -> list[str]:
    """Answers what holds from now on."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = max(MEGAPIXELS.values()) * 1_000_000
    os.nice(10)
    _rehearse()
    return confine(parent)


def _rehearse() -> None:
    """Load what is loaded at first use: nothing can be opened later."""
    Image.init()
    drawn = Image.open(io.BytesIO(_draw("rehearsal", 64, 48)))
    for name in OPENED:
        out = io.BytesIO()
        drawn.convert("RGB").save(out, name, **({"exif": Image.Exif()} if name in ("JPEG", "WEBP") else {}))
        for op in (b"L", *SIZES):
            _answer(op, out.getvalue())
            _answer(op, out.getvalue()[:-20])
    _answer(b"T", b"nothing that is a picture")


def _answer(op: bytes, data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    try:
        if op == b"D":
            return {}, [_draw(**json.loads(data))]
        return _looked(data) if op == b"L" else _shrunk(data, SIZES[op])
    except Refused as error:
        return {"error": str(error)}, []
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        ZeroDivisionError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
    ):
        return {"error": "image_undecodable"}, []
    except (MemoryError, OverflowError):
        return {"error": "image_needs_too_much_memory"}, []
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"error": "image_too_large"}, []


def _looked(data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    with _opened(data) as image:
        return _facts(image) | {"colours": _colours(image)}, []


def _shrunk(data: bytes, size: int) -> tuple[dict[str, Any], list[bytes]]:
    """Of a file that ends too early, what there is: some providers draw it too, and the log says so."""
    try:
        with _opened(data) as image:
            return _thumbnail(image, _facts(image), size)
    except OSError as error:
        if "truncated" not in str(error):
            raise
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with _opened(data) as image:
            return _thumbnail(image, _facts(image) | {"truncated": True}, size)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=OPENED)
    if image.format not in ACCEPTED:
        raise Refused("format_not_decoded")
    width, height = image.size
    most = MEGAPIXELS.get(image.format, OTHER_MEGAPIXELS) * 1_000_000
    if width * height > most or max(width, height) > LONGEST_SIDE:
        raise Refused("image_too_large")
    return image


def _facts(image: Image.Image) -> dict[str, Any]:
    """What the header tells: size in stored pixels, EXIF orientation 1 to 8 and position, frames, transparency, colours."""
    width, height = image.size
    exif = image.getexif()
    orientation = exif.get(0x0112)
    return {
        "width": width,
        "height": height,
        "orientation": orientation if orientation in range(1, 9) else None,
        "frames": 2 if getattr(image, "is_animated", False) else 1,
        "has_alpha": image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info,
        "has_gps": bool(exif.get_ifd(0x8825)),
        "colour_mode": image.mode,
        "truncated": False,
    }


def _thumbnail(image: Image.Image, facts: dict[str, Any], size: int) -> tuple[dict[str, Any], list[bytes]]:
    """WebP at most so many pixels long (but see `_readable`), upright, without metadata; and the 64-bit difference hash.

    A JPEG is decoded at the eighth, quarter or half that is still larger, which takes a tenth of the time.
    """
    image.draft("RGB", (size, size))
    upright = ImageOps.exif_transpose(image)
    upright = upright.convert("RGBA" if facts["has_alpha"] else "RGB")
    whole = upright.copy() if (is_long := _is_long(upright)) else upright
    _shrink(whole, size, size)
    out = io.BytesIO()
    (_readable(upright, size) if is_long else whole).save(out, "WEBP", quality=80, method=1)
    return facts | {"perceptual_hash": _difference_hash(whole), "blank": _is_blank(whole)}, [out.getvalue()]


def _is_long(image: Image.Image) -> bool:
    return max(image.size) > LONG * min(image.size)


def _readable(image: Image.Image, size: int) -> Image.Image:
    """Of a long picture the small thumbnail is its beginning, a larger one is half as wide as others and longer than they are."""
    width, height = image.size
    if size == SMALL:
        most = round(LONG * min(width, height))
        image = image.crop((0, 0, min(width, most), min(height, most)))
        _shrink(image, size, size)
    else:
        short, long = size // 2, size * LONGEST_BOX
        _shrink(image, *((short, long) if height > width else (long, short)))
    return image


def _shrink(image: Image.Image, width: int, height: int) -> None:
    image.thumbnail((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _is_blank(image: Image.Image) -> bool:
    """One colour all over, but for what compression does to it."""
    bands = image.getextrema()
    pairs = bands if isinstance(bands[0], tuple) else (bands,)
    return all(high - low <= BLANK_SPREAD for low, high in pairs)


def _difference_hash(image: Image.Image) -> str:
    """dHash: is each of 8 x 8 grey points darker than its right neighbour? (N. Krawetz, 2013)"""
    grey = image.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    bits = (grey[y * 9 + x] < grey[y * 9 + x + 1] for y in range(8) for x in range(8))
    return f"{sum(bit << i for i, bit in enumerate(bits)):016x}"


def _colours(image: Image.Image) -> list[str]:
    """The three commonest colours of an 8-colour palette, as #rrggbb."""
    image.draft("RGB", (128, 128))
    small = image.convert("RGB")
    small.thumbnail((64, 64))
    reduced = small.quantize(8)
    palette, counts = reduced.getpalette() or [], sorted(reduced.getcolors() or [], reverse=True)
    return ["#" + bytes(palette[3 * index : 3 * index + 3]).hex() for _, index in counts[:3] if isinstance(index, int)]


def _draw(text: str, width: int, height: int) -> bytes:
    """A test picture: a gradient seeded by the text, and the text."""
    seed = sum(text.encode()) % 360
    image = Image.linear_gradient("L").resize((width, height))
    image = Image.merge(
        "HSV",
        (
            image.point(lambda v: (v // 3 + seed) % 256),
            Image.new("L", image.size, 120),
            Image.new("L", image.size, 210),
        ),
    )
    image = image.convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.ellipse((width * 0.62, height * 0.16, width * 0.84, height * 0.45), fill=(255, 240, 200))
    pen.polygon([(0, height), (width * 0.38, height * 0.42), (width * 0.76, height)], fill=(40, 60, 70))
    pen.polygon([(width * 0.4, height), (width * 0.72, height * 0.55), (width, height)], fill=(60, 84, 92))
    pen.text((16, 14), text.encode("ascii", "replace").decode()[:60], fill=(30, 30, 30))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _write(sink: BinaryIO, pieces: list[bytes]) -> None:
    for piece in pieces:
        sink.write(piece)
    sink.flush()


if __name__ == "__main__":
    main()
