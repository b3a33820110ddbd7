"""A difference loses no word of either text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prompts.diff import words_between


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_difference_holds_both_texts(left: str, right: str) -> None:
    found = words_between(left, right)
    assert "".join(one.text for one in found if one.kind != "ins") == left
    assert "".join(one.text for one in found if one.kind != "del") == right
