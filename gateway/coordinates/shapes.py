"""Finds the boxes, points and polygons in what a model said: JSON of any common shape, or a notation of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gateway.coordinates.loose_json import Value, values_in

Kind = Literal["box", "point", "polygon", "path"]
Pair = tuple[float, float]

MOST_TEXT, MOST_SHAPES, LONGEST_LABEL = 200_000, 500, 80
LABELS = (
    "label",
    "name",
    "class",
    "category",
    "title",
    "object",
    "textcontent",
    "text",
    "description",
    "element",
    "action",
    "type",
)
PICTURES = ("image", "imageindex", "picture", "page", "frame")
BOXES = {
    "bbox",
    "box",
    "boundingbox",
    "bndbox",
    "rect",
    "rectangle",
    "region",
    "bounds",
    "coordinates",
    "coords",
    "location",
    "xyxy",
}
SIZED_BOXES = {"xywh", "bboxxywh", "ltwh"}
POINTS = {
    "point",
    "coordinate",
    "coordinates",
    "coords",
    "position",
    "location",
    "center",
    "centre",
    "startcoordinate",
    "xy",
}
POLYGONS = {"polygon", "polygons", "segmentation", "vertices", "points", "contour", "outline", "quad", "corners"}
PATHS = {"path", "trajectory", "polyline"}
NO_PLACES = {"color", "colour", "colors", "rgb", "rgba", "embedding", "usage", "scores", "logprobs", "version", "size"}
TWO_CORNERS = (
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("left", "top", "right", "bottom"),
    ("startx", "starty", "endx", "endy"),
)
CORNER_AND_SIZE = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
CENTRE_AND_SIZE = (("cx", "cy", "w", "h"), ("cx", "cy", "width", "height"), ("xcenter", "ycenter", "width", "height"))


@dataclass(frozen=True, slots=True)
class Shape:
    """`points` are pairs of numbers in the order in which they were written; of a box, two opposite corners.

    `notation` names one that has its own meaning (`spaces`), empty for plain numbers. `picture` is the number of the picture
    that it says it is about. It was said from `start` to `end` of the text.
    """

    kind: Kind
    points: tuple[Pair, ...]
    label: str = ""
    notation: str = ""
    picture: int | None = None
    start: int = 0
    end: int = 0


def shapes_of_json(text: str) -> Iterator[Shape]:
    for value in values_in(text[:MOST_TEXT]):
        yield from _inside(value, _Around(alone=True))


@dataclass(frozen=True, slots=True)
class _Around:
    """What is known around a value: its name, the label and the picture that its object gives; `alone` when nothing names it."""

    key: str = ""
    label: str = ""
    picture: int | None = None
    alone: bool = False


def _inside(value: Value, around: _Around) -> Iterator[Shape]:
    if around.key in NO_PLACES:
        return
    if isinstance(value.of, dict):
        yield from _inside_object(value, value.of, around)
    elif isinstance(value.of, list):
        shape = _of_list(value, value.of, around)
        if shape is not None:
            yield replace(shape, label=around.label, picture=around.picture, start=value.start, end=value.end)
            return
        for one in value.of:
            yield from _inside(one, around)


def _inside_object(value: Value, fields: Mapping[str, Value], around: _Around) -> Iterator[Shape]:
    named = {_plain(name): one for name, one in fields.items()}
    texts = (one.of for name in LABELS if (one := named.get(name)) and isinstance(one.of, str) and one.of)
    numbers = (int(one.number) for name in PICTURES if (one := named.get(name)) and one.number is not None)
    label, picture = next(texts, around.label)[:LONGEST_LABEL], next(numbers, around.picture)
    shape = _of_fields({name: one.number for name, one in named.items() if one.number is not None})
    if shape is not None:
        yield replace(shape, label=label, picture=picture, start=value.start, end=value.end)
        return
    for name, one in named.items():
        yield from _inside(one, _Around(name, label, picture))


def _of_fields(numbers: Mapping[str, float]) -> Shape | None:
    for names in TWO_CORNERS:
        if found := _all(numbers, names):
            return _box(found)
    for names in CORNER_AND_SIZE:
        if found := _all(numbers, names):
            x, y, width, height = found
            return _box([x, y, x + width, y + height])
    for names in CENTRE_AND_SIZE:
        if found := _all(numbers, names):
            x, y, width, height = found
            return _box([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    point = _all(numbers, ("x", "y"))
    return Shape("point", ((point[0], point[1]),)) if point else None


def _all(numbers: Mapping[str, float], names: Sequence[str]) -> list[float]:
    return [numbers[name] for name in names] if all(name in numbers for name in names) else []


def _of_list(value: Value, inside: list[Value], around: _Around) -> Shape | None:
    numbers = [number for one in inside if (number := one.number) is not None]
    if numbers and len(numbers) == len(inside):
        return _of_numbers(numbers, around)
    pairs = [pair for one in inside if (pair := _pair(one))]
    return _of_pairs(tuple(pairs), around) if pairs and len(pairs) == len(inside) else None


def _of_numbers(numbers: list[float], around: _Around) -> Shape | None:
    name = _stem(around.key)
    if len(numbers) == 4 and name in SIZED_BOXES:
        x, y, width, height = numbers
        return _box([x, y, x + width, y + height])
    if len(numbers) == 4 and (name in BOXES or (around.alone and _looks_like_a_box(numbers))):
        return replace(_box(numbers), notation="box_2d" if around.key == "box2d" else "")
    if len(numbers) == 2 and name in POINTS:
        return Shape("point", ((numbers[0], numbers[1]),), notation="point" if around.key == "point" else "")
    if len(numbers) >= 6 and len(numbers) % 2 == 0 and name in POLYGONS:
        return Shape("polygon", tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    return None


def _of_pairs(pairs: tuple[Pair, ...], around: _Around) -> Shape | None:
    name = _stem(around.key)
    if name in PATHS:
        return Shape("path", pairs)
    if len(pairs) == 2 and name in BOXES:
        return Shape("box", pairs)
    return Shape("polygon", pairs) if len(pairs) >= 3 and name in POLYGONS | BOXES else None


def _looks_like_a_box(numbers: Sequence[float]) -> bool:
    """Four numbers that nothing names may be anything: corners that are apart are taken for a box."""
    a, b, c, d = numbers
    return c > a and d > b and min(numbers) >= 0 and (max(numbers) <= 1 or (c - a >= 4 and d - b >= 4))


def _box(numbers: Sequence[float]) -> Shape:
    """COCO writes width and height where others write a second corner: what lies before the first can be no such corner."""
    a, b, c, d = numbers
    if c < a or d < b:
        c, d = a + c, b + d
    return Shape("box", ((a, b), (c, d)))


def _pair(value: Value) -> Pair | None:
    if isinstance(value.of, list) and len(value.of) == 2:
        first, second = (one.number for one in value.of)
        return (first, second) if first is not None and second is not None else None
    if isinstance(value.of, dict):
        numbers = {_plain(name): one.number for name, one in value.of.items() if one.number is not None}
        found = _all(numbers, ("x", "y"))
        return (found[0], found[1]) if found else None
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _stem(key: str) -> str:
    """`bbox_2d` is a `bbox`."""
    return re.sub(r"\d+d?\Z", "", key)
