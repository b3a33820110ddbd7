"""What the numbers of a model mean on a picture."""

from __future__ import annotations

import pytest

from gateway.coordinates.notations import find_shapes
from gateway.coordinates.spaces import SPACES, guess

SIZE, SEEN = (4000, 3000), (1024, 768)


@pytest.mark.parametrize(
    ("model", "text", "space"),
    [
        ("gpt-4o", '{"bbox": [30, 1480, 400, 1520]}', "pixels-xy"),
        ("gpt-4o", '{"bbox": [0.1, 0.2, 0.5, 0.6]}', "unit-xy"),
        ("gpt-4o", '{"bbox": [3500, 100, 3900, 2900]}', "pixels-xy"),
        ("gemini-2.5-pro", '[{"box_2d": [120, 50, 420, 980], "label": "a"}]', "1000-yx"),
        ("gemini-2.5-pro", '{"point": [120, 50], "label": "a"}', "1000-yx"),
        ("gemini-3-pro", '{"bbox": [120, 50, 420, 980]}', "1000-xy"),
        ("gemini-3-pro", '{"bbox": [120, 50, 3420, 2980]}', "pixels-xy"),
        ("qwen/qwen3-vl-30b", '{"bbox_2d": [120, 50, 420, 980]}', "1000-xy"),
        ("qwen2.5-vl-72b", '{"bbox_2d": [120, 50, 420, 700]}', "seen-xy"),
        ("claude-opus-5", '{"action": "left_click", "coordinate": [412, 188]}', "seen-xy"),
        ("qwen-vl-max", "<box>(10,20),(110,220)</box>", "1000-xy"),
        ("molmo-7b", '<point x="10" y="20" alt="a">a</point>', "percent-xy"),
        ("paligemma-3b", "<loc0010><loc0020><loc0110><loc0220> cat", "1024-yx"),
    ],
)
def test_the_space_is_told_by_notation_model_and_numbers(model: str, text: str, space: str) -> None:
    assert guess(model, find_shapes(text), SIZE, SEEN).name == space


def test_numbers_that_are_no_pixels_of_a_small_picture_are_thousandths() -> None:
    assert guess("gpt-4o", find_shapes('{"bbox": [300, 100, 900, 700]}'), (200, 100), (200, 100)).name == "1000-xy"


@pytest.mark.parametrize(
    ("space", "pair", "placed"),
    [
        ("pixels-xy", (400, 300), (400, 300)),
        ("pixels-yx", (300, 400), (400, 300)),
        ("seen-xy", (512, 384), (2000, 1500)),
        ("unit-xy", (0.5, 0.25), (2000, 750)),
        ("percent-xy", (50, 25), (2000, 750)),
        ("1000-yx", (250, 500), (2000, 750)),
        ("1024-xy", (512, 256), (2000, 750)),
    ],
)
def test_a_pair_is_put_on_the_picture_exactly(
    space: str, pair: tuple[float, float], placed: tuple[float, float]
) -> None:
    assert SPACES[space].placed(pair, SIZE, SEEN) == placed
