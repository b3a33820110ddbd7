"""Small changes to a JSON text leave every other byte as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.content.json_edit import apply, difference, edit_of_only, edits_for, has_string_value
from gateway.content.json_text import Outline, parse
from tests.patience import soon

keys = st.sampled_from(["model", "image_url", "url", 'mod"el', "x"])
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(['"model":', '\\"image_url": "x"', "image_url"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


def rewritten(node: Any) -> Any:
    """The same document with every string under `model` replaced, the slow way."""
    if isinstance(node, dict):
        return {k: "NEW" if k == "model" and isinstance(v, str) else rewritten(v) for k, v in node.items()}
    return [rewritten(one) for one in node] if isinstance(node, list) else node


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(keys, values, max_size=5), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_exactly_the_values_of_the_key_change(doc: dict[str, Any], indent: Any, ascii_only: bool) -> None:
    body = json.dumps(doc, indent=indent, ensure_ascii=ascii_only).encode()
    edits = edits_for(body, doc, "model", lambda path, value: lambda text: '"NEW"')
    assert json.loads(apply(body, edits)) == rewritten(doc)
    assert has_string_value(Outline.of(body), "model") == bool(edits)
    for start, end, _ in edits:
        assert body[start:end].startswith(b'"')


def test_a_change_can_be_limited_to_a_path() -> None:
    doc = {"model": "a", "nested": {"model": "b"}}
    body = json.dumps(doc).encode()
    edits = edits_for(body, doc, "model", lambda path, _: (lambda text: '"z"') if path == () else None)
    assert json.loads(apply(body, edits)) == {"model": "z", "nested": {"model": "b"}}


@pytest.mark.parametrize("body", [b'{"model": "a", "model": "b"}', b'{"mod\\u0065l": "a"}'])
def test_a_key_given_twice_or_in_escapes_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be changed in place"):
        edits_for(body, json.loads(body), "model", lambda path, value: lambda text: text)


@given(st.dictionaries(st.text(max_size=12), st.one_of(st.text(), st.lists(st.text(max_size=5)))), st.integers(0, 3))
def test_long_strings_hide_no_key(document: dict[str, Any], pictures: int) -> None:
    document["images"] = ["A" * 30_000] * pictures
    body = json.dumps(document).encode()
    short = Outline.of(body).text
    assert len(short) <= len(body)
    assert all(json.dumps(key).encode() in short for key in document)


@pytest.mark.parametrize("many", [1, 3000])
def test_a_body_that_looks_alike_everywhere_is_compared_in_a_moment(many: int) -> None:
    """One picture whose `-` became a `+` took 8 s in half a megabyte, and hours in 64 MB."""
    half = 400_000 // many
    piece = b"A" * half + b"+" + b"A" * half
    body = b'["' + (piece.replace(b"+", b"-") + b'","') * many + b"A" * half * 3 + b'"]'
    sent = b'{"x":["' + (piece + b'","') * many + b'"]}'
    with soon():
        edits = difference(body, sent, [piece] * many)
    assert apply(body, edits) == sent


def test_a_key_that_stands_often_and_deep_is_found_in_a_moment() -> None:
    body = b'{"model":"a","x":' + b"[" * 480 + b'{"model":"b"},' * 100_000 + b"1" + b"]" * 480 + b"}"
    with soon():
        edits = edits_for(body, parse(body), "model", lambda path, _: (lambda _: '"c"') if path == () else None)
    assert apply(body, edits) == body.replace(b'"a"', b'"c"')


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(keys, values, max_size=5), st.sampled_from([None, 1]), st.booleans(), st.integers(0, 2))
def test_the_only_one_of_a_key_is_changed_without_reading_the_body(
    doc: dict[str, Any], indent: Any, ascii_only: bool, pictures: int
) -> None:
    doc = {"before": "B" * 20_000 * pictures, **doc, "images": ["A" * 30_000] * pictures}
    body = json.dumps(doc, indent=indent, ensure_ascii=ascii_only).encode()
    edit = edit_of_only(Outline.of(body), "model", lambda text: '"NEW"')
    if edit is None:
        assert body.count(b'"model"') != 1 or b"\\u" in body or not isinstance(doc.get("model"), str)
    else:
        assert json.loads(apply(body, [edit])) == rewritten(doc)


@pytest.mark.parametrize(
    "body", [b'{"model": "a", "model": "b"}', b'{"mod\\u0065l": "a", "x": {"model": "a"}}', b'{"model": 1}', b'"model"']
)
def test_a_key_that_is_not_plain_is_left_to_those_who_read(body: bytes) -> None:
    assert edit_of_only(Outline.of(body), "model", lambda text: text) is None
