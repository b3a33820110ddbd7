"""Where the strings of a JSON text stand; and JSON that would take many times its size is not read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.content.json_text import MOST_TOKENS, MOST_VALUES, Outline, TooManyValues, parse, strings, strings_at
from tests.patience import soon

PIECES = ["[],", "{},", '"a",', "1,", '"\\"",', '{"a":', "[", "[[],", '{"k":1},']


@pytest.mark.parametrize("piece", PIECES)
def test_a_body_of_many_values_is_refused_in_a_moment(piece: str) -> None:
    body = b'{"x": [' + piece.encode() * (2 * MOST_VALUES) + b"0]}"
    with soon(), pytest.raises(TooManyValues):
        parse(body)


def test_long_texts_and_pictures_are_no_values() -> None:
    body = json.dumps({"text": "a, b [c] {d} " * 200_000, "picture": "A" * 5_000_000}).encode()
    assert Outline.of(body).values < 10
    assert parse(body)["picture"]


def test_strings_are_looked_for_so_far_and_no_further() -> None:
    body = b"[" + b"1," * MOST_TOKENS + b'"last"]'
    assert list(strings(body)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def walked(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string with its path, by Python's own reader."""
    if isinstance(value, str):
        yield path.lstrip("."), value
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from walked(one, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from walked(one, f"{path}.{name}")


@given(JSON, st.sampled_from([None, 1]))
def test_every_string_is_found_with_its_path(document: Any, indent: int | None) -> None:
    keys = [path for path, _ in walked(document)]
    assume(all(path.isascii() and not set('"\\\n\r\t\b\f\x7f') & set(path) and path.isprintable() for path in keys))
    assume(all(len(path) < 300 for path in keys))
    body = json.dumps(document, ensure_ascii=False, indent=indent).encode("utf-8", "surrogatepass")
    found = list(strings(body))
    said = [(place.path, json.loads(b'"' + body[place.start : place.end] + b'"')) for place in found]
    assert said == list(walked(document))


@given(JSON, st.data())
def test_the_strings_at_some_places_are_those_of_all_that_are_there(document: Any, data: Any) -> None:
    body = json.dumps(document).encode()
    offsets = data.draw(st.lists(st.integers(0, len(body)), max_size=5))
    wanted = [place for place in strings(body) if any(place.start <= at <= place.end for at in offsets)]
    assert list(strings_at(body, offsets)) == wanted
