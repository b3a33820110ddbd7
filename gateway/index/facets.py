"""What can be asked about a log, as data: a name, a title, and how a row answers. The sidebar, the search language and the
index are made from this table, so that a new facet is a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gateway.index.bitmaps import Value
    from gateway.models import Feedback, Image, LogImage, RequestLog

METADATA = "metadata."
LONGEST_VALUE = 120
SQUARE = 0.9, 1.1
LONG = 2.2

Unit = Literal["", "count", "money", "ms", "bytes", "megapixels"]
SCALE: dict[Unit, int] = {"money": 10**8, "megapixels": 1000}
"""How many of the index's whole numbers make one of the unit. Money is kept to the digit that the database keeps."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A log with its pictures, as the facets look at it."""

    log: RequestLog
    images: Sequence[LogImage]
    feedback: Sequence[Feedback] = ()

    def files(self) -> Iterator[Image]:
        return (one.image for one in self.images if one.image is not None)


@dataclass(frozen=True, slots=True)
class Facet:
    """`unit` tells that it is a number, `is_flag` that its one value is `yes`.

    `folded` facets are not opened in the sidebar until asked for.
    """

    name: str
    title: str
    group: str
    read: Callable[[Entry], Value]
    unit: Unit = ""
    folded: bool = False
    is_flag: bool = False

    @property
    def is_number(self) -> bool:
        return bool(self.unit)


def _word(read: Callable[[RequestLog], str | None]) -> Callable[[Entry], Value]:
    def words(entry: Entry) -> Value:
        value = read(entry.log)
        return [value[:LONGEST_VALUE]] if value else []

    return words


def _flag(holds: Callable[[Image], bool | None]) -> Callable[[Entry], Value]:
    return lambda entry: ["yes"] if any(holds(image) for image in entry.files()) else []


def _mistyped(entry: Entry) -> Value:
    return ["yes"] if any(one.is_mistyped for one in entry.images) else []


def _feedback(entry: Entry) -> Value:
    scores = [one.value for one in entry.feedback if one.value is not None]
    held = {"good": any(score > 0 for score in scores), "bad": any(score < 0 for score in scores)}
    held["note"] = any(one.note for one in entry.feedback)
    return [name for name, is_held in held.items() if is_held]


def _prompt_version(entry: Entry) -> Value:
    log = entry.log
    return [f"{log.prompt_slug}@{log.prompt_version}"] if log.prompt_version else []


def _milliseconds(value: float | None) -> int | None:
    return None if value is None else max(round(value), 0)


def _money(value: Decimal | None) -> int | None:
    return None if value is None else max(round(value * SCALE["money"]), 0)


def _largest(read: Callable[[Image], int | None]) -> Callable[[Entry], Value]:
    return lambda entry: max((size for image in entry.files() if (size := read(image)) is not None), default=None)


def _thousand_pixels(image: Image) -> int | None:
    return image.width * image.height // 1000 if image.width and image.height else None


def _aspect(image: Image) -> str | None:
    """The shape as it is seen upright: EXIF orientations 5 to 8 lie on their side."""
    if not image.width or not image.height:
        return None
    ratio = image.width / image.height
    ratio = 1 / ratio if (image.orientation or 1) > 4 else ratio
    if max(ratio, 1 / ratio) >= LONG:
        return "panorama" if ratio > 1 else "tall"
    return "square" if SQUARE[0] <= ratio <= SQUARE[1] else "landscape" if ratio > 1 else "portrait"


def _directions(entry: Entry) -> Value:
    return {one.direction for one in entry.images if one.is_picture} or ["none"]


def _snapshots(entry: Entry) -> Value:
    return {one.snapshot for one in entry.images if one.source == "link"}


FACETS = (
    Facet("state", "State", "Outcome", _word(lambda log: log.state)),
    Facet("status", "Status", "Outcome", _word(lambda log: str(log.status or ""))),
    Facet("error", "Error", "Outcome", _word(lambda log: log.failure)),
    Facet("image", "Pictures", "Images", _directions),
    Facet("rotated", "Rotated by EXIF", "Images", _flag(lambda image: (image.orientation or 1) > 1), is_flag=True),
    Facet("gps", "Has GPS", "Images", _flag(lambda image: image.has_gps), is_flag=True),
    Facet("transparent", "Transparent", "Images", _flag(lambda image: image.has_alpha), is_flag=True),
    Facet("animated", "Animated", "Images", _flag(lambda image: (image.frames or 1) > 1), is_flag=True),
    Facet("cmyk", "CMYK", "Images", _flag(lambda image: image.colour_mode == "CMYK"), is_flag=True),
    Facet("blank", "Blank", "Images", _flag(lambda image: image.blank), is_flag=True),
    Facet("truncated", "Truncated", "Images", _flag(lambda image: image.truncated), is_flag=True),
    Facet("broken", "Not drawable", "Images", _flag(lambda image: image.thumbnail == "failed"), is_flag=True),
    Facet("mistyped", "Declared as another type", "Images", _mistyped, is_flag=True),
    Facet("format", "Format", "Images", lambda entry: {image.label.lower() for image in entry.files()}),
    Facet("images", "How many", "Images", lambda entry: entry.log.input_images + entry.log.output_images, "count"),
    Facet("megapixels", "Megapixels", "Images", _largest(_thousand_pixels), "megapixels"),
    Facet("bytes", "File size", "Images", _largest(lambda image: image.size), "bytes", folded=True),
    Facet("aspect", "Shape", "Images", lambda entry: {shape for one in entry.files() if (shape := _aspect(one))}),
    Facet("source", "Given as", "Images", lambda entry: {one.source for one in entry.images}, folded=True),
    Facet("snapshot", "Copy of the link", "Images", _snapshots),
    Facet("model", "Model", "Request", _word(lambda log: log.model)),
    Facet("provider", "Provider", "Request", _word(lambda log: log.provider)),
    Facet("vkey", "Virtual key", "Request", _word(lambda log: f"@{log.virtual_key.slug}" if log.virtual_key else None)),
    Facet("key", "API key", "Request", _word(lambda log: log.api_key.name if log.api_key else None)),
    Facet("endpoint", "Endpoint", "Request", _word(lambda log: log.endpoint)),
    Facet("template", "Prompt", "Request", _word(lambda log: log.prompt_slug)),
    Facet("version", "Prompt version", "Request", _prompt_version, folded=True),
    Facet("stream", "Stream", "Request", _word(lambda log: "yes" if log.stream else "no"), folded=True),
    Facet("finish", "Finish reason", "Request", _word(lambda log: log.finish_reason), folded=True),
    Facet("warning", "Warnings", "Request", lambda entry: ["yes"] if entry.log.warnings else [], is_flag=True),
    Facet("feedback", "Feedback", "Request", _feedback),
    Facet("client", "Client", "Request", _word(lambda log: log.sdk), folded=True),
    Facet("cost", "Cost", "Figures", lambda entry: _money(entry.log.cost), "money"),
    Facet("tokens", "Tokens", "Figures", lambda entry: entry.log.total_tokens, "count"),
    Facet("latency", "Latency", "Figures", lambda entry: _milliseconds(entry.log.total_ms), "ms"),
    Facet("ttfb", "First byte", "Figures", lambda entry: _milliseconds(entry.log.first_byte_ms), "ms", folded=True),
    Facet("size", "Request size", "Figures", lambda entry: entry.log.request_bytes, "bytes", folded=True),
)
BY_NAME = {facet.name: facet for facet in FACETS}
NUMBERS = {facet.name for facet in FACETS if facet.is_number}


def shortened(value: str) -> str:
    """A value as the index keeps it: of a long one the beginning and the end."""
    half = LONGEST_VALUE // 2
    return value if len(value) <= LONGEST_VALUE else f"{value[:half]}…{value[1 - half :]}"


def values_of(entry: Entry) -> dict[str, Value]:
    """Everything the index knows of one log, by column; its metadata are columns of their own."""
    found: dict[str, Value] = {facet.name: facet.read(entry) for facet in FACETS}
    for key, value in entry.log.metadata.items():
        found[METADATA + key] = [shortened(str(value))]
    return found
