"""Notations that are no JSON: tags of vision models, calls of computer-use agents, and places given in prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gateway.coordinates.loose_json import NUMBER
from gateway.coordinates.shapes import LONGEST_LABEL, MOST_SHAPES, MOST_TEXT, Shape, shapes_of_json

Match = re.Match[str]
Patterns = Sequence[tuple[re.Pattern[str], Callable[[Match], Iterator[Shape]]]]

# Blanks have a bound: where several may follow each other, a model's thousand blanks would be tried in every way to part them.
BLANKS = r"\s{0,12}"
PAIR = rf"[(\[]{BLANKS}({NUMBER}){BLANKS},{BLANKS}({NUMBER}){BLANKS}[)\]]"
OPENS, CLOSES, PARTS = r"[\s\[(]{0,12}", r"[\s\])]{0,12}", r"[\s,]{1,12}"
FOUR = rf"(?P<numbers>{OPENS}{NUMBER}{PARTS}{NUMBER}{CLOSES},?{OPENS}{NUMBER}{PARTS}{NUMBER}{CLOSES})"
LABEL = r"(?:(?:<\|object_ref_start\|>|<ref>)(?P<label>[^<]{0,120})(?:<\|object_ref_end\|>|</ref>)\s{0,12})?"
ACTION = r"(?P<label>(?:pyautogui\.)?(?:\w{0,20}click|tap|touch|move_?to|hover|long_?press|scroll|drag_?to))"


def find_shapes(text: str) -> list[Shape]:
    """All that is found, in the order of the text; where two notations fit, the narrower counts."""
    text, kept = text[:MOST_TEXT], list[Shape]()
    for shape in (*_read(text, NOTATIONS), *shapes_of_json(text), *_read(text, PROSE)):
        if all(
            shape.start >= one.end or one.start >= shape.end or shape.notation == one.notation == "molmo"
            for one in kept
        ):
            kept.append(shape)
        if len(kept) == MOST_SHAPES:
            break
    return sorted(kept, key=lambda one: one.start)


def _read(text: str, patterns: Patterns) -> Iterator[Shape]:
    for pattern, make in patterns:
        for match in pattern.finditer(text):
            for shape in make(match):
                yield replace(shape, label=shape.label.strip()[:LONGEST_LABEL], start=match.start(), end=match.end())


def _tagged_box(match: Match) -> Iterator[Shape]:
    x1, y1, x2, y2 = (float(one) for one in re.findall(NUMBER, match["numbers"]))
    yield Shape("box", ((x1, y1), (x2, y2)), match["label"] or "", "tag")


def _tagged_point(match: Match) -> Iterator[Shape]:
    yield Shape("point", ((float(match[1]), float(match[2])),), notation="tag")


def _steps(match: Match) -> Iterator[Shape]:
    """PaliGemma's `<loc0123>` are steps of 1,024, y first; Florence's `<loc_123>` are of 1,000, x first."""
    a, b, c, d = (float(one) for one in re.findall(r"\d+", match["steps"]))
    is_florence = "_" in match["steps"]
    label = (is_florence and match["before"]) or match["after"] or ""
    yield Shape("box", ((a, b), (c, d)), label, "florence" if is_florence else "paligemma")


def _molmo(match: Match) -> Iterator[Shape]:
    """`<point x="10.5" y="20" alt="…">` and `<points x1=… y1=… x2=… y2=…>`."""
    given = dict(re.findall(rf'\b([xy]\d*)\s*=\s*"({NUMBER})"', match["fields"]))
    label = re.search(r'alt="([^"]*)"', match["fields"])
    for name, x in given.items():
        if name.startswith("x") and (y := given.get(f"y{name[1:]}")):
            yield Shape("point", ((float(x), float(y)),), label[1] if label else "", "molmo")


def _action(match: Match) -> Iterator[Shape]:
    notation = "tag" if "_box" in match[0] else ""
    yield Shape("point", ((float(match[2]), float(match[3])),), match["label"], notation)


def _in_prose(match: Match) -> Iterator[Shape]:
    yield Shape("point", ((float(match[1]), float(match[2])),))


def _compiled(*pairs: tuple[str, Callable[[Match], Iterator[Shape]]]) -> Patterns:
    return [(re.compile(pattern, re.IGNORECASE), make) for pattern, make in pairs]


IS = rf"{BLANKS}[=:]{BLANKS}"
X_AND_Y = rf"\bx{IS}[\"']?({NUMBER})(?:px)?[\"']?{BLANKS}(?:,|;|and)?{BLANKS}y{IS}[\"']?({NUMBER})"
GIVEN_TO = rf"(?:(?:x|coordinate|point|start_box){IS})?['\"]?(?:<\|box_start\|>)?[(\[]?"
NOTATIONS = _compiled(
    (rf"<points?\b(?P<fields>(?:\s{{1,12}}\w{{1,20}}{IS}\"[^\"<>]{{0,200}}\")+){BLANKS}/?>", _molmo),
    (rf"{LABEL}<\|box_start\|>{FOUR}<\|box_end\|>", _tagged_box),
    (rf"{LABEL}<(?:box|bbox)>{FOUR}</(?:box|bbox)>", _tagged_box),
    (r"(?P<before>[\w ]{0,60})(?P<steps>(?:<loc_?\d{1,4}>){4})(?P<after>[\w ]{0,60})", _steps),
    (
        rf"\b{ACTION}\({BLANKS}{GIVEN_TO}{BLANKS}({NUMBER}){BLANKS},{BLANKS}(?:y{IS})?({NUMBER})[^)\n]{{0,80}}\)?",
        _action,
    ),
    (rf"<(?P<label>click|tap)\b[^<>]{{0,80}}?{X_AND_Y}[^<>]{{0,80}}>", _action),
    (rf"<\|(?:point|box)_start\|>{BLANKS}{PAIR}{BLANKS}<\|(?:point|box)_end\|>", _tagged_point),
)
PROSE = _compiled(
    (rf"\b(?:at|coordinates?|point|position|location|located|cent(?:er|re))\b[^\n\d(\[]{{0,24}}{PAIR}", _in_prose),
    (X_AND_Y, _in_prose),
)
