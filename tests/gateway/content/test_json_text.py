"""JSON that would take many times its size is not read."""

from __future__ import annotations

import json
import time

import pytest

from gateway.content.json_text import MOST_TOKENS, MOST_VALUES, Outline, TooManyValues, parse, strings

PIECES = ["[],", "{},", '"a",', "1,", '"\\"",', '{"a":', "[", "[[],", '{"k":1},']


@pytest.mark.parametrize("piece", PIECES)
def test_a_body_of_many_values_is_refused_in_a_moment(piece: str) -> None:
    body = b'{"x": [' + piece.encode() * (2 * MOST_VALUES) + b"0]}"
    began = time.monotonic()
    with pytest.raises(TooManyValues):
        parse(body)
    assert time.monotonic() - began < 2


def test_long_texts_and_pictures_are_no_values() -> None:
    body = json.dumps({"text": "a, b [c] {d} " * 200_000, "picture": "A" * 5_000_000}).encode()
    assert Outline.of(body).values < 10
    assert parse(body)["picture"]


def test_strings_are_looked_for_so_far_and_no_further() -> None:
    body = b"[" + b"1," * (MOST_TOKENS // 2) + b'"last"]'
    assert list(strings(body)) == []
