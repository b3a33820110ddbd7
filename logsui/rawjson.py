"""A stored body as text with its pictures as chips. Base64 never reaches a page: what is not cut out is shortened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.models import LogImage, RequestLog

TOKEN = re.compile(r"sha256:[0-9a-f]{64}")
LONG_RUN = re.compile(r"[A-Za-z0-9+/_=-]{1000,}")
SHOWN = 400_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, or a picture in its place."""

    text: str
    image: LogImage | None = None


def pieces(body: bytes, log: RequestLog, direction: LogImage.Direction) -> list[Piece]:
    images = {f"sha256:{one.image_id}": one for one in log.images.all() if one.direction == direction}
    return list(_split(_pretty(body), images))


def _split(text: str, images: dict[str, LogImage]) -> Iterator[Piece]:
    done = 0
    for match in TOKEN.finditer(text):
        image = images.get(match[0])
        if image is not None:
            yield Piece(text[done : match.start()])
            yield Piece(match[0][:19], image)
            done = match.end()
    yield Piece(text[done:])


def _pretty(body: bytes) -> str:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    text = text.encode("utf-8", "replace").decode()
    text = LONG_RUN.sub(lambda run: f"{run[0][:40]}… ({len(run[0]):,} characters)", text)
    return (
        text
        if len(text) <= SHOWN
        else text[:SHOWN] + f"\n… {len(text) - SHOWN:,} more characters; the download has all"
    )
