"""A difference loses no word of either text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.diff import words_between
from tests.patience import soon


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_difference_holds_both_texts(left: str, right: str) -> None:
    found = words_between(left, right)
    assert "".join(one.text for one in found if one.kind != "ins") == left
    assert "".join(one.text for one in found if one.kind != "del") == right


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (" ".join(str(n % 7) for n in range(4900)), " ".join(str(n * 3 % 7) for n in range(4900))),
        ("a " * 4900, "b " + "a " * 4900),
        (" ".join(str(n * n % 97 % 3) for n in range(1700)), " ".join(str(n * n % 89 % 3) for n in range(1700))),
    ],
)
def test_texts_that_say_little_again_and_again_take_no_time(left: str, right: str) -> None:
    with soon():
        found = words_between(left, right)
    assert "".join(one.text for one in found if one.kind != "ins") == left
    assert "".join(one.text for one in found if one.kind != "del") == right
