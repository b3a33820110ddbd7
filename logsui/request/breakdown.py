"""What a request is made of, as two bars: its bytes by text, pictures and base64, its time by where it was spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.models import LogImage, RequestLog

MOST_TOLD = 6


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a bar; `start` and `length` in percent."""

    kind: str
    title: str
    amount: float
    start: float
    length: float


def bytes_of(log: RequestLog, images: Sequence[LogImage]) -> list[Stretch]:
    """Base64 takes four bytes for three; a picture that was linked or uploaded takes none or its own."""
    sent = [one for one in images if one.direction == LogImage.Direction.INPUT and one.image and one.source != "link"]
    pieces = [("image", f"image {one.index + 1}", one.image.size) for one in sent if one.image]
    encoded = sum(_encoded(one) for one in sent)
    overhead = max(encoded - sum(size for _, _, size in pieces), 0)
    text = log.request_bytes - encoded
    if text < 0:  # the same picture several times in one string, or a body that was not cut
        return []
    overall = [("text", "text", text), *pieces, *([("overhead", "base64", overhead)] if overhead else [])]
    return _laid_out(overall, log.request_bytes)


def told(bar: Sequence[Stretch]) -> list[Stretch]:
    """The stretches that are told one by one; many pictures are told as one."""
    pictures = [one for one in bar if one.kind == "image"]
    if len(pictures) <= MOST_TOLD:
        return list(bar)
    whole = Stretch("image", f"{len(pictures)} images", sum(one.amount for one in pictures), 0, 0)
    rest = [one for one in bar if one.kind != "image"]
    return [*rest[:1], whole, *rest[1:]]


def time_of(log: RequestLog) -> list[Stretch]:
    """Gateway, provider to its first byte, and the rest of the answer; nothing where it was not measured."""
    if not log.total_ms:
        return []
    first = min(log.first_byte_ms or log.upstream_ms or 0, log.total_ms)
    gateway = min(log.gateway_ms or 0, log.total_ms)
    waited = max(first - gateway, 0)
    pieces = [("gateway", "gateway", gateway), ("wait", "to the first byte", waited)]
    rest = log.total_ms - gateway - waited
    return _laid_out([*pieces, ("stream", "the rest of the answer", max(rest, 0))], log.total_ms)


def _encoded(one: LogImage) -> int:
    assert one.image is not None
    return one.image.size if one.source == LogImage.Source.FILE else -(-one.image.size // 3) * 4


def _laid_out(pieces: Sequence[tuple[str, str, float]], whole: float) -> list[Stretch]:
    made, at = [], 0.0
    for kind, title, amount in pieces:
        length = 100 * amount / whole if whole else 0
        made.append(Stretch(kind, title, round(amount, 2), round(at, 2), round(length, 2)))
        at += length
    return made
