"""Draws the pictures of the sample logs: receipts, screens, charts and landscapes, with the faults that real ones have.

Nothing is decoded here; what a stranger sends is decoded in `decode_child` only.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw  # noqa: TID251 - drawing our own pictures

FORMATS = {"JPEG": 55, "PNG": 30, "WEBP": 12, "GIF": 3}
SIZES = ((640, 480), (1024, 768), (768, 1024), (800, 800), (1280, 720), (600, 1500), (1600, 500), (320, 240))
SHOPS = ("Corner Bakery", "Hotel Aurora", "City Parking", "Kiosk 24", "Green Grocer", "Book Nook", "Taxi Rank 7")
GPS = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A file and the word for what is on it."""

    data: bytes
    media_type: str
    subject: str


def draw(chance: random.Random) -> Drawn:
    size = chance.choice(SIZES)
    subject, scene = chance.choice((("receipt", _receipt), ("screen", _screen), ("chart", _chart), ("hills", _hills)))
    fault = chance.random()
    image = Image.new("RGB", size, "white") if fault < 0.02 else scene(chance, size)
    format = chance.choices(list(FORMATS), list(FORMATS.values()))[0]
    exif = Image.Exif()
    if format == "JPEG" and 0.02 <= fault < 0.07:
        exif[0x0112] = chance.choice((3, 6, 8))
    if format == "JPEG" and 0.05 <= fault < 0.10:
        exif[0x8825] = GPS
    if format in ("PNG", "WEBP") and 0.10 <= fault < 0.22:
        image.putalpha(Image.linear_gradient("L").resize(size))
    if format == "JPEG" and 0.22 <= fault < 0.24:
        image = image.convert("CMYK")
    out = io.BytesIO()
    image.save(out, format, **({"exif": exif} if format == "JPEG" else {}))
    data = out.getvalue()
    truncated = format == "JPEG" and 0.24 <= fault < 0.26
    return Drawn(data[: len(data) * 2 // 3] if truncated else data, f"image/{format.lower()}", subject)


def _colour(chance: random.Random, low: int = 40, high: int = 220) -> tuple[int, int, int]:
    return chance.randint(low, high), chance.randint(low, high), chance.randint(low, high)


def _receipt(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    image = Image.new("RGB", size, _colour(chance, 60, 130))
    pen = ImageDraw.Draw(image)
    pen.rectangle((width * 0.2, height * 0.06, width * 0.8, height * 0.96), fill=(250, 249, 244))
    pen.text((width * 0.27, height * 0.1), chance.choice(SHOPS), fill=(20, 20, 20), font_size=height // 18)
    for line in range(9):
        y = height * (0.22 + line * 0.07)
        pen.text(
            (width * 0.25, y),
            chance.choice(("Bread", "Room", "Coffee", "Apples", "Book")),
            fill=(40, 40, 40),
            font_size=height // 28,
        )
        pen.text((width * 0.62, y), f"{chance.uniform(1, 90):.2f}", fill=(40, 40, 40), font_size=height // 28)
    return image


def _screen(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    image = Image.new("RGB", size, (245, 246, 248))
    pen = ImageDraw.Draw(image)
    accent = _colour(chance)
    pen.rectangle((0, 0, width, height * 0.09), fill=accent)
    pen.rectangle((0, height * 0.09, width * 0.2, height), fill=(228, 230, 235))
    for row in range(6):
        y = height * (0.15 + row * 0.13)
        pen.rounded_rectangle(
            (width * 0.24, y, width * 0.95, y + height * 0.1), 8, fill="white", outline=(210, 212, 218)
        )
        pen.rectangle(
            (width * 0.26, y + height * 0.04, width * chance.uniform(0.4, 0.8), y + height * 0.06), fill=(190, 193, 200)
        )
    return image


def _chart(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for bar in range(8):
        x = width * (0.08 + bar * 0.11)
        pen.rectangle((x, height * chance.uniform(0.15, 0.8), x + width * 0.08, height * 0.9), fill=_colour(chance))
    pen.line((width * 0.05, height * 0.9, width * 0.97, height * 0.9), fill=(60, 60, 60), width=3)
    return image


def _hills(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    hue = Image.linear_gradient("L").resize(size)
    start = chance.randint(0, 255)
    bands = (hue.point(lambda v: (v // 4 + start) % 256), Image.new("L", size, 110), Image.new("L", size, 215))
    image = Image.merge("HSV", bands).convert("RGB")
    pen = ImageDraw.Draw(image)
    for _ in range(3):
        x, y = chance.uniform(-0.2, 0.8) * width, chance.uniform(0.35, 0.6) * height
        pen.polygon([(x, height), (x + width * 0.35, y), (x + width * 0.8, height)], fill=_colour(chance, 30, 110))
    return image
