"""How many tokens a picture costs as input, estimated from its size: by model family, each formula with its source.

Measured against providers' own counts (tests/gateway/pictures/test_image_tokens.py); where a family's rule is not published or does
not fit, there is no estimate. A provider's own count always comes first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil, floor, sqrt
from typing import NamedTuple


class Grid(NamedTuple):
    """How a scaled picture is cut: cells of so many of its pixels, the last of a row or column perhaps narrower; tokens of
    each, and those that come to them: for a look at the whole, or for marks between rows.
    """

    name: str
    width: float
    height: float
    columns: int
    rows: int
    each: float
    besides: int = 0


class Seen(NamedTuple):
    """What a model makes of a picture: its tokens, the size in pixels to which the provider scales it first, and how it is cut."""

    tokens: int
    width: int
    height: int
    grid: Grid | None = None


Rule = Callable[[int, int, str], Seen]


def estimate(model: str, width: int, height: int, detail: str = "") -> int | None:
    """Input tokens of one picture, in pixels as stored; None for a model whose rule is not known."""
    seen = as_seen(model, width, height, detail)
    return seen.tokens if seen else None


def as_seen(model: str, width: int, height: int, detail: str = "") -> Seen | None:
    """None for a model whose rule is not known."""
    if width <= 0 or height <= 0:
        return None
    name = model.lower().replace("%3a", ":")
    rule = next((rule for pattern, rule in FAMILIES if re.search(pattern, name)), None)
    return rule(width, height, detail) if rule else None


def _scaled(tokens: int, width: int, height: int, scale: float, grid: Grid | None = None) -> Seen:
    return Seen(tokens, max(1, round(width * scale)), max(1, round(height * scale)), grid)


def tiles(base: int, each: int) -> Rule:
    """OpenAI's 512-pixel tiles: into 2048 x 2048, the short side to 768 at most, then counted (OpenAI, images guide)."""

    def rule(width: int, height: int, detail: str) -> Seen:
        if detail == "low":
            return _scaled(base, width, height, min(1.0, 512 / max(width, height)))
        scale = min(1.0, 2048 / max(width, height))
        scale = min(scale, 768 / min(width, height))
        across, down = (ceil(round(side * scale, 6) / 512) for side in (width, height))
        grid = Grid("tile", 512, 512, across, down, each, base)
        return _scaled(base + each * across * down, width, height, scale, grid)

    return rule


def patches(multiplier: float, budget: int = 1536, side: int = 2048) -> Rule:
    """OpenAI's 32-pixel patches, scaled down until they are within the budget (OpenAI, images guide)."""

    def rule(width: int, height: int, detail: str) -> Seen:
        size = min(1.0, side / max(width, height))
        w, h = width * size, height * size
        if ceil(w / 32) * ceil(h / 32) > budget:
            scale = sqrt(1024 * budget / (w * h))
            across, down = w * scale / 32, h * scale / 32
            scale *= min(floor(across) / across, floor(down) / down)
            w, h = int(w * scale), int(h * scale)
        grid = Grid("patch", 32, 32, ceil(w / 32), ceil(h / 32), multiplier)
        return Seen(ceil(grid.columns * grid.rows * multiplier), max(1, round(w)), max(1, round(h)), grid)

    return rule


def by_detail(rules: dict[str, Rule], otherwise: str) -> Rule:
    """OpenAI's models since gpt-5.4 scale a picture by what `detail` asks (OpenAI, images guide; not measured)."""

    def rule(width: int, height: int, detail: str) -> Seen:
        return rules.get(detail, rules[otherwise])(width, height, detail)

    return rule


LOW, HIGH, ORIGINAL = patches(1.2, 256, 512), patches(1.2, 2500), patches(1.2, 10_000, 6000)
FULL_SIZE = patches(1.2, 30_000, 65_535)
"""From gpt-5.6 on nothing is scaled: above this budget the request is refused."""


def claude(side: int, most: int) -> Rule:
    """28-pixel squares after fitting both the long side and the number of squares (Anthropic, vision guide; measured)."""

    def rule(width: int, height: int, detail: str) -> Seen:
        scale = min(1.0, side / max(width, height))
        while True:
            across, down = ceil(width * scale / 28), ceil(height * scale / 28)
            if across * down <= most:
                return _scaled(across * down, width, height, scale, Grid("patch", 28, 28, across, down, 1))
            scale *= min(0.999, sqrt(most / (across * down)))

    return rule


def gemini_tiles(width: int, height: int, detail: str) -> Seen:
    """Gemini 2.0: 258 for a small picture, else 258 a crop and for the overview (ai.google.dev, tokens)."""
    if max(width, height) <= 384:
        return Seen(258, width, height)
    unit = min(max(floor(min(width, height) / 1.5), 256), 768)
    across, down = ceil(width / unit), ceil(height / unit)
    return Seen(258 * (across * down + 1), width, height, Grid("crop", unit, unit, across, down, 258, 258))


def gemini_flat(width: int, height: int, detail: str) -> Seen:
    """Gemini 2.5 counts 258 for any picture (measured)."""
    return Seen(258, width, height)


def gemini_budget(width: int, height: int, detail: str) -> Seen:
    """Gemini 3: the picture is scaled up or down to a budget of tokens in its own proportions (ai.google.dev; measured)."""
    budget = {"low": 280, "medium": 560, "high": 1120, "original": 2240, "ultra_high": 2240}.get(detail, 1120)
    ratio = width / height
    across, down = floor(sqrt(budget * ratio)), floor(sqrt(budget / ratio))
    grid = Grid("patch", width / across, height / down, across, down, 1) if across and down else None
    return Seen(across * down, width, height, grid)


def mistral(side: int, patch: int) -> Rule:
    """Rows of patches, each row with its end mark (mistralai/mistral-common, tokens/tokenizers/image.py)."""

    def rule(width: int, height: int, detail: str) -> Seen:
        ratio = max(width / side, height / side)
        if ratio > 1:
            width, height = round(width / ratio), round(height / ratio)
        across, down = (width - 1) // patch + 1, (height - 1) // patch + 1
        return Seen(down * (across + 1), width, height, Grid("patch", patch, patch, across, down, 1, down))

    return rule


def llama4(width: int, height: int, detail: str) -> Seen:
    """Llama 4: tiles of 336 pixels in the picture's proportions, 16 at most, and the whole, about 145 each (differences
    between measured pictures fit; the absolute is not proven).
    """
    across, down = ceil(width / 336), ceil(height / 336)
    while across * down > 16:
        across, down = (across - 1, down) if across >= down else (across, down - 1)
    count = across * down
    grid = Grid("tile", width / across, height / down, across, down, 145, 145 if count > 1 else 0)
    return Seen(145 * (count + 1 if count > 1 else 1), width, height, grid)


def qwen(width: int, height: int, detail: str) -> Seen:
    """Qwen2-VL and 2.5-VL: sides rounded to 28 pixels, a token each 28 x 28, and two marks (Qwen2-VL, image processor)."""
    w, h = max(28, round(width / 28) * 28), max(28, round(height / 28) * 28)
    if w * h > 16384 * 784:
        scale = sqrt(width * height / (16384 * 784))
        w, h = floor(width / scale / 28) * 28, floor(height / scale / 28) * 28
    elif w * h < 4 * 784:
        scale = sqrt(4 * 784 / (width * height))
        w, h = ceil(width * scale / 28) * 28, ceil(height * scale / 28) * 28
    return Seen(w * h // 784 + 2, w, h, Grid("patch", 28, 28, w // 28, h // 28, 1, 2))


# The first pattern that is found in the model's name counts, so the narrower stand before the wider.
FAMILIES: tuple[tuple[str, Rule], ...] = (
    (r"gpt-image-1", tiles(65, 129)),
    (r"gpt-4\.1-mini", patches(1.62)),
    (r"gpt-4\.1-nano", patches(2.46)),
    (r"o4-mini", patches(1.72)),
    (r"gpt-5\.[6-9]|gpt-[6-9]", by_detail({"low": LOW, "high": HIGH, "original": FULL_SIZE}, "original")),
    (r"gpt-5\.5", by_detail({"low": LOW, "high": HIGH, "original": ORIGINAL}, "original")),
    (r"gpt-5\.4", by_detail({"low": LOW, "high": HIGH, "original": ORIGINAL}, "high")),
    (r"gpt-5\.[23]|codex", patches(1.2)),
    (r"llama-?4", llama4),
    (r"gpt-5-mini", patches(1.2)),
    (r"gpt-5-nano", patches(1.5)),
    (r"gpt-4o-mini", tiles(2833, 5667)),
    (r"gpt-4o|gpt-4\.1|gpt-4-turbo|gpt-4-vision|gpt-4\.5|chatgpt-4o", tiles(85, 170)),
    (r"gpt-5\.1|gpt-5-chat|gpt-5(?:-20\d\d|$)", tiles(70, 140)),
    (r"(?:^|/)o[13](?:-pro|-20\d\d|$)", tiles(75, 150)),
    (r"computer-use-preview", tiles(65, 129)),
    (r"claude-(?:opus|sonnet|haiku)-(?:5|4[-.][789])|claude-(?:fable|mythos)", claude(2576, 4784)),
    (r"claude", claude(1568, 1568)),
    (r"gemini-2\.0", gemini_tiles),
    (r"gemini-2\.5", gemini_flat),
    (r"gemini-3", gemini_budget),
    (r"pixtral", mistral(1024, 16)),
    (r"ministral-3|mistral-(?:small|medium|large)", mistral(1540, 28)),
    (r"qwen2(?:\.5)?-vl", qwen),
)
