"""JSON is shown as it was written: every token, in its order, however deep."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.json_written import Members, Number, broken_into_lines, compact, parsed_as_written, written

NUMBERS = st.sampled_from(["0", "-0", "15.50", "0.0700", "1E-7", "1e400", "12345678901234567890", "-1.0e+2", "3.0"])
STRINGS = st.text(max_size=8).map(json.dumps) | st.just('"\\u00e9\\/{[,:]}"')


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}:{value}" for name, value in members) + "}"


TEXTS = st.recursive(
    NUMBERS | STRINGS | st.sampled_from(["true", "false", "null"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda values: "[" + ",".join(values) + "]")
        | st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"a b"']), inner), max_size=4).map(_object)
    ),
    max_leaves=12,
)


@given(TEXTS)
def test_no_token_changes_when_lines_are_broken(text: str) -> None:
    shown = broken_into_lines(text)
    if text[0] in "{[":
        assert written(shown) == written(text)
        assert broken_into_lines(shown) == shown
    else:
        assert shown == ""


@given(TEXTS)
def test_what_is_read_as_written_is_written_as_read(text: str) -> None:
    assert written(compact(written(text))) == written(text)
    assert json.loads(compact(parsed_as_written(text.encode()))) == json.loads(text)


def test_members_of_one_name_and_the_digits_of_numbers_stay() -> None:
    assert written('{"a": 1.50, "a": [2]}') == Members([("a", Number("1.50")), ("a", [Number("2")])])
    assert compact(parsed_as_written(b'{"a": 1.50, "b": 1E-7}')) == '{"a": 1.50, "b": 1E-7}'


@pytest.mark.parametrize("depth", [100, 400, 900])
def test_what_is_deep_is_shown_or_said_to_be_too_deep(depth: int) -> None:
    text = '{"a":' * depth + "1.50" + "}" * depth
    assert broken_into_lines(text).count("\n") == 2 * depth
    document = parsed_as_written(text.encode())
    assert document is None or compact(document).count("{") == depth
