"""Places are found in whatever way a model writes them, and nowhere else."""

from __future__ import annotations

import json
from itertools import chain
from math import isfinite
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.coordinates.loose_json import values_in
from gateway.coordinates.notations import find_shapes
from tests.patience import soon

BOX = ("box", ((10, 20), (110, 220)))
POINT = ("point", ((412, 188),))
WRITTEN: dict[str, tuple[str, str]] = {
    '{"bbox": [10, 20, 110, 220], "label": "total"}': ("box", "total"),
    '{"bbox_2d": [10, 20, 110, 220], "label": "total"}': ("box", "total"),
    '```json\n[{"box_2d": [10, 20, 110, 220], "label": "total"}]\n```': ("box", "total"),
    '{"bounding_box": {"x": 10, "y": 20, "width": 100, "height": 200}, "name": "total"}': ("box", "total"),
    '{"label": "total", "box": {"x1": 10, "y1": 20, "x2": 110, "y2": 220}}': ("box", "total"),
    '{"class": "total", "xmin": 10, "ymin": 20, "xmax": 110, "ymax": 220}': ("box", "total"),
    '{"left": 10, "top": 20, "right": 110, "bottom": 220, "text": "total"}': ("box", "total"),
    '{"left": 10, "top": 20, "width": 100, "height": 200}': ("box", ""),
    '{"cx": 60, "cy": 120, "w": 100, "h": 200}': ("box", ""),
    '{"region": [[10, 20], [110, 220]]}': ("box", ""),
    '{"bbox": [110, 220, 10, 20]}': ("box", "swapped corners are read as a size"),
    "The button is at [10, 20, 110, 220].": ("box", ""),
    "{'bbox': (10, 20, 110, 220), 'label': 'total',}": ("box", "total"),
    '{"items": [{"label": "total", "bbox": [10, 20, 110, 220]': ("box", "total"),
    'find({"bbox": [10, 20, 110, 220]})': ("box", ""),
    "<ref>total</ref><box>(10,20),(110,220)</box>": ("box", "total"),
    "<|object_ref_start|>total<|object_ref_end|><|box_start|>(10,20),(110,220)<|box_end|>": ("box", "total"),
    "<box>[[10, 20, 110, 220]]</box>": ("box", ""),
    "<loc0010><loc0020><loc0110><loc0220> total": ("box", "total"),
    "total<loc_10><loc_20><loc_110><loc_220>": ("box", "total"),
    "click(x=412, y=188)": ("point", "click"),
    "pyautogui.click(412, 188)": ("point", "pyautogui.click"),
    "click(start_box='(412,188)')": ("point", "click"),
    "click(start_box='<|box_start|>(412,188)<|box_end|>')": ("point", "click"),
    "left_double_click(coordinate=[412, 188])": ("point", "left_double_click"),
    '{"action": "left_click", "coordinate": [412, 188]}': ("point", "left_click"),
    '{"type": "click", "x": 412, "y": 188, "button": "left"}': ("point", "click"),
    '<click x="412" y="188"/>': ("point", "click"),
    '<point x="412" y="188" alt="the dog">the dog</point>': ("point", "the dog"),
    "<|point_start|>(412,188)<|point_end|>": ("point", ""),
    "It is located at (412, 188) on the screen.": ("point", ""),
    "Move to x: 412, y: 188.": ("point", ""),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_place_is_found_in_every_notation(text: str) -> None:
    kind, label = WRITTEN[text]
    (found,) = find_shapes(text)
    expected = BOX if kind == "box" else POINT
    if "swapped" in label:
        expected, label = ("box", ((110, 220), (120, 240))), ""
    assert (found.kind, found.points) == expected
    assert found.label == label
    assert text[found.start : found.end]


def test_polygons_and_paths_are_read_with_all_their_corners() -> None:
    square = [[1, 2], [30, 2], [30, 40], [1, 40]]
    written = [
        {"polygon": square},
        {"segmentation": [[1, 2, 30, 2, 30, 40, 1, 40]]},
        {"points": [{"x": x, "y": y} for x, y in square]},
        {"vertices": [{"x": x, "y": y} for x, y in square], "label": "page"},
    ]
    for one in written:
        (found,) = find_shapes(json.dumps(one))
        assert (found.kind, found.points) == ("polygon", tuple(map(tuple, square)))
    (drag,) = find_shapes(json.dumps({"type": "drag", "path": [{"x": 1, "y": 2}, {"x": 30, "y": 40}]}))
    assert (drag.kind, drag.points, drag.label) == ("path", ((1, 2), (30, 40)), "drag")


def test_each_of_many_has_its_own_place_label_and_picture() -> None:
    text = 'Two: [{"label": "a", "bbox": [1, 2, 30, 40]}, {"image": 2, "label": "b", "bbox": [5, 6, 70, 80]}]'
    first, second = find_shapes(text)
    assert [(one.label, one.picture) for one in (first, second)] == [("a", None), ("b", 2)]
    assert [text[one.start : one.end] for one in (first, second)] == ["[1, 2, 30, 40]", "[5, 6, 70, 80]"]


def test_molmos_points_are_each_a_point() -> None:
    found = find_shapes('<points x1="10.5" y1="20" x2="30" y2="40.5" alt="cars">cars</points>')
    assert [(one.points, one.label) for one in found] == [(((10.5, 20),), "cars"), (((30, 40.5),), "cars")]


@pytest.mark.parametrize(
    "text",
    [
        "The total is 68.42, with 4 items [1, 2, 3, 4].",
        '{"color": [10, 20, 110, 220]}',
        '{"usage": {"x": 1, "y": 2}}',
        '{"embedding": [0.1, 0.2, 0.3, 0.4]}',
        "In 2024 (and 2025) see [1] and (2, 3).",
        '{"total": 68.42, "items": [{"price": 3.5}]}',
        "```python\nx = [i for i in range(10)]\n```",
    ],
)
def test_other_numbers_are_no_places(text: str) -> None:
    assert find_shapes(text) == []


@given(st.text(alphabet="[]{}()<>|_:,=\"'xyclickboxpoint0123456789.- \n\\", max_size=300) | st.text())
def test_any_text_is_read_to_its_end(text: str) -> None:
    for shape in find_shapes(text):
        assert 0 <= shape.start < shape.end <= len(text)
        assert shape.points


@given(
    st.recursive(
        st.integers(-1000, 1000) | st.text() | st.booleans() | st.none(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_proper_json_is_read_as_it_is(document: Any) -> None:
    text = json.dumps({"in": document})
    (found,) = values_in(text)
    assert (found.start, found.end) == (0, len(text))


BEGUN = (
    "[",
    '{"bbox": [',
    "x=1",
    "<click x=1",
    "<box>1 1",
    "click(",
    "click(1,",
    "at (",
    "<point x=",
    "<|box_start|>(1,",
    "1",
    '["',
)


@pytest.mark.parametrize("begun", BEGUN)
@pytest.mark.parametrize("filling", [" ", "\n", "1", "[", ", ", "[1, ", "<loc", 'a="', "x=1 "])
def test_a_text_that_never_ends_is_soon_read(begun: str, filling: str) -> None:
    text = begun + filling * (150_000 // len(filling))
    with soon():
        find_shapes(text)


@pytest.mark.parametrize("number", ["1" * 400, "1e999", "-1e400", "9" * 15 + "e99"])
def test_numbers_without_measure_break_nothing(number: str) -> None:
    for text in (
        f'{{"image": {number}, "bbox": [1, 2, 30, {number}]}}',
        f"click({number}, 3)",
        f"<box>1 2 3 {number}</box>",
    ):
        for shape in find_shapes(text):
            assert all(map(isfinite, chain(*shape.points)))
