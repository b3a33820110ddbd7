"""What numbers mean on a picture: which of a few spaces they are in, by their notation, their model, and by themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from gateway.coordinates.shapes import Pair, Shape

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Space:
    """Numbers go from 0 to `most` over the width and over the height, or are pixels of the file or of what the model sees."""

    name: str
    title: str
    most: float | Literal["file", "seen"]
    y_first: bool = False

    def placed(self, pair: Pair, size: Size, seen: Size) -> Pair:
        """In pixels of a picture of this size, upright, that the model sees at size `seen`."""
        x, y = pair[::-1] if self.y_first else pair
        across, down = size if self.most == "file" else seen if self.most == "seen" else (self.most, self.most)
        return x / across * size[0], y / down * size[1]


KINDS: tuple[tuple[str, str, float | Literal["file", "seen"]], ...] = (
    ("pixels", "pixels of the file", "file"),
    ("seen", "pixels that the model sees", "seen"),
    ("unit", "0 to 1", 1.0),
    ("percent", "0 to 100", 100.0),
    ("1000", "0 to 1,000", 1000.0),
    ("1024", "0 to 1,024", 1024.0),
)
SPACES = {
    f"{name}-{order}": Space(f"{name}-{order}", title + (", y first" if order == "yx" else ""), most, order == "yx")
    for name, title, most in KINDS
    for order in ("xy", "yx")
}
# The notations that say by themselves what their numbers mean. Sources: Qwen-VL's and InternVL's model cards (tags, 0 to 1,000),
# Molmo's (percent), big_vision's PaliGemma readme (1,024 steps, y first), Florence-2's processor (1,000), ai.google.dev (box_2d).
NOTATIONS = {
    "box_2d": "1000-yx",
    "tag": "1000-xy",
    "molmo": "percent-xy",
    "paligemma": "1024-yx",
    "florence": "1000-xy",
}
# What models were taught. Sources: ai.google.dev (image understanding), Anthropic (computer use: coordinates are of the
# scaled screenshot), Qwen2.5-VL's report (pixels of the resized picture), Qwen3-VL's (0 to 1,000).
MODELS = (
    (r"gemini", "1000-xy"),
    (r"qwen-?3-?vl|qwen-?2-?vl|qwen-?vl|ui-?tars|internvl|cogvlm|glm-4", "1000-xy"),
    (r"qwen-?2\.5-?vl|claude", "seen-xy"),
    (r"molmo", "percent-xy"),
)


def guess(model: str, shapes: Sequence[Shape], size: Size, seen: Size) -> Space:
    """The space that fits best: the notation's, shares of one, the model's own, then whichever the numbers fit into."""
    notations = {shape.notation for shape in shapes}
    for notation, name in NOTATIONS.items():
        if notation in notations:
            return SPACES[name]
    pairs = list(chain.from_iterable(shape.points for shape in shapes))
    if all(0 <= number <= 1 for pair in pairs for number in pair):
        return SPACES["unit-xy"]
    taught = next((name for pattern, name in MODELS if re.search(pattern, model.lower())), "")
    if "gemini" in model.lower() and "point" in notations:
        taught = "1000-yx"
    if taught and _fits(SPACES[taught], pairs, size, seen):
        return SPACES[taught]
    return next(
        (SPACES[name] for name in ("pixels-xy", "1000-xy") if _fits(SPACES[name], pairs, size, seen)),
        SPACES["pixels-xy"],
    )


def _fits(space: Space, pairs: Sequence[Pair], size: Size, seen: Size) -> bool:
    placed = [space.placed(pair, size, seen) for pair in pairs]
    return all(x <= size[0] * 1.01 and y <= size[1] * 1.01 for x, y in placed)
