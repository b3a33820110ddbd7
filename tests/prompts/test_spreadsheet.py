"""A cell never runs as a formula, and comes back as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prompts.spreadsheet import guarded, unguarded


@given(st.text(max_size=20))
def test_no_text_is_a_formula_when_guarded_and_every_one_comes_back(text: str) -> None:
    assert guarded(text)[:1] not in ("=", "+", "-", "@", "\t", "\r") or not text
    assert unguarded(guarded(text)) == text
