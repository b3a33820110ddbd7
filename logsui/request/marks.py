"""Boxes, points and polygons of answers and tool calls, drawn over the pictures that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.coordinates.notations import find_shapes
from gateway.coordinates.shapes import Pair, Shape
from gateway.coordinates.spaces import SPACES, Space, guess

COOKIE, MOST_REMEMBERED = "loupe_spaces", 30
COLOURS = 6


@dataclass(frozen=True, slots=True)
class Mark:
    """A shape in pixels of its picture, upright; `said` is how it stands in the text."""

    number: int
    kind: str
    points: tuple[Pair, ...]
    label: str
    said: str

    @property
    def title(self) -> str:
        return self.label or f"{self.kind} {self.number}"

    @property
    def colour(self) -> int:
        """One of a few, so that neighbours differ."""
        return self.number % COLOURS

    @property
    def x(self) -> float:
        return min(x for x, _ in self.points)

    @property
    def y(self) -> float:
        return min(y for _, y in self.points)

    @property
    def width(self) -> float:
        return max(x for x, _ in self.points) - self.x

    @property
    def height(self) -> float:
        return max(y for _, y in self.points) - self.y

    @property
    def corners(self) -> str:
        """As SVG writes points."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)


@dataclass(frozen=True, slots=True)
class Marks:
    """Those of one picture of `size`, and the space in which their numbers were read."""

    size: tuple[int, int]
    space: Space
    is_guess: bool
    marks: Sequence[Mark]

    @property
    def view_box(self) -> str:
        return f"0 0 {self.size[0]} {self.size[1]}"

    @property
    def letter(self) -> float:
        """The height of a label, in pixels of the picture."""
        return max(self.size) / 50

    @property
    def reach(self) -> float:
        """The radius of a point, in pixels of the picture."""
        return max(self.size) / 80

    @property
    def spaces(self) -> list[tuple[str, str, bool]]:
        """What may be picked: name, title, and whether it is what the numbers are read in."""
        guessed = " (guessed)" if self.is_guess else ""
        return [
            (one.name, one.title + (guessed if one == self.space else ""), one == self.space) for one in SPACES.values()
        ]


def said_shapes(texts: Sequence[str]) -> list[tuple[Shape, str]]:
    """Each with the words in which it was said."""
    return [(shape, text[shape.start : shape.end]) for text in texts for shape in find_shapes(text)]


def marks_on(
    found: Sequence[tuple[Shape, str]], model: str, size: tuple[int, int], seen: tuple[int, int], chosen: str = ""
) -> Marks:
    """`seen` is the size at which the model sees the picture, `chosen` the name of a space that somebody picked."""
    space = SPACES.get(chosen) or guess(model, [shape for shape, _ in found], size, seen)
    marks = [
        Mark(number, shape.kind, tuple(space.placed(pair, size, seen) for pair in shape.points), shape.label, said)
        for number, (shape, said) in enumerate(found, 1)
    ]
    return Marks(size, space, not chosen, marks)


def remembered(cookies: Mapping[str, str]) -> dict[str, str]:
    """The space that somebody picked for each model. A cookie that says nothing of the kind says nothing."""
    pairs = (pair.partition("=")[::2] for pair in cookies.get(COOKIE, "").split("&"))
    return {model: space for model, space in pairs if model and space in SPACES}


def remembering(known: Mapping[str, str], model: str, space: str) -> str:
    """The cookie's new text; what was picked longest ago is forgotten first."""
    kept = {name: one for name, one in known.items() if name != model}
    pairs = [*kept.items(), *([(model, space)] if space in SPACES else [])][-MOST_REMEMBERED:]
    return "&".join(f"{name}={one}" for name, one in pairs)


def cookie_name(model: str) -> str:
    """A model's name with what a cookie may hold."""
    return "".join(letter for letter in model if letter.isalnum() or letter in "-._:/")[:80]
