"""The three request bodies: a picture by address, and a picture of 100 KB and of 1 MB inside the JSON."""

from __future__ import annotations

import base64
import io
import json
import random
from dataclasses import dataclass

from PIL import Image

MODEL = "gpt-4o-mini"
STAMP_LENGTH = 16
SYSTEM = (
    "You look at product photographs and answer in one short sentence. Name the colour, the material and any damage; "
    "if the picture is too dark or too blurred to tell, say so and ask for another one."
)
QUESTION = (
    "What is wrong with the article in this picture, and would you send it back to the seller? Answer in one sentence."
)
STAMP_OFFSET = 6
COMMENT_LIMIT = 65_533


@dataclass(frozen=True, slots=True)
class Body:
    """One request body, as the bytes before and after the stamp that makes each request's picture its own."""

    name: str
    before: bytes
    after: bytes
    stamped: bool

    @property
    def size(self) -> int:
        return len(self.before) + len(self.after) + (STAMP_LENGTH if self.stamped else 0)

    def whole(self) -> bytes:
        return self.before + (stamp(0) if self.stamped else b"") + self.after


def stamp(number: int) -> bytes:
    """The base64 of twelve digits, which is what a picture's comment holds."""
    return base64.b64encode(b"%012d" % number)


def make_bodies(*, same_picture: bool = False) -> list[Body]:
    return [
        Body(
            "picture by URL",
            _chat("https://pictures.example.com/returns/2026/07/0f3a9c1e/front.jpg"),
            b"",
            stamped=False,
        ),
        _with_picture("100 KB picture", picture(100_000, (800, 600)), same_picture=same_picture),
        _with_picture("1 MB picture", picture(1_000_000, (2400, 1800)), same_picture=same_picture),
    ]


def picture(size: int, shape: tuple[int, int]) -> bytes:
    """A JPEG of exactly `size` bytes that costs a decoder what a photograph costs."""
    photo = _photo(shape)
    encoded = b""
    for quality in range(95, 20, -3):
        out = io.BytesIO()
        photo.save(out, "JPEG", quality=quality)
        encoded = out.getvalue()
        if len(encoded) + 18 <= size:
            break
    comments = _comment(b"%012d" % 0)
    while (missing := size - len(encoded) - len(comments)) > 4:
        comments += _comment(b" " * min(missing - 4, COMMENT_LIMIT))
    return encoded[:2] + comments + encoded[2:]


def _photo(shape: tuple[int, int]) -> Image.Image:
    """Soft shapes under fine grain, the same ones in every run."""
    dice = random.Random(7)
    small = (shape[0] // 16, shape[1] // 16)
    colours = Image.frombytes("RGB", small, dice.randbytes(small[0] * small[1] * 3))
    grain = Image.frombytes("L", shape, dice.randbytes(shape[0] * shape[1]))
    soft = colours.resize(shape, Image.Resampling.BICUBIC)
    return Image.blend(soft, grain.convert("RGB"), 0.12)


def _comment(text: bytes) -> bytes:
    return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text


def _with_picture(name: str, jpeg: bytes, *, same_picture: bool) -> Body:
    encoded = base64.b64encode(jpeg).decode()
    body = _chat("data:image/jpeg;base64," + encoded)
    if same_picture:
        return Body(name, body, b"", stamped=False)
    start = body.index(b"base64,") + len(b"base64,") + STAMP_OFFSET // 3 * 4
    return Body(name, body[:start], body[start + STAMP_LENGTH :], stamped=True)


def streamed() -> Body:
    """A picture by address, answered in a stream."""
    body = _chat("https://pictures.example.com/returns/2026/07/0f3a9c1e/front.jpg")
    return Body("stream of 50 chunks", body[:-1] + b',"stream":true}', b"", stamped=False)


def _chat(url: str) -> bytes:
    parts = [
        {"type": "text", "text": QUESTION},
        {"type": "image_url", "image_url": {"url": url, "detail": "high"}},
    ]
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": parts}]
    body = {"model": MODEL, "messages": messages, "max_tokens": 200, "temperature": 0.2, "user": "bench"}
    return json.dumps(body, separators=(",", ":")).encode()
