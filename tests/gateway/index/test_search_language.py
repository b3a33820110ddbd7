"""The search language: what a person types, what it means, and how it says that it means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.index.search_language import BadQuery, Choice, Range, SearchQuery, Words, parse

words = st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"], exclude_characters='",:-\\'), min_size=1)
phrases = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
choices = st.builds(
    Choice,
    st.sampled_from(["model", "status", "metadata.user", "metadata.a name: odd"]),
    st.lists(phrases, min_size=1, max_size=3).map(tuple),
    st.booleans(),
)


@given(st.text())
def test_every_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        question = parse(text)
    except BadQuery as error:
        assert str(error)  # noqa: PT017 - either way is right
    else:
        assert parse(str(question)) == question


@given(st.lists(choices, max_size=3), st.lists(phrases, max_size=2))
def test_a_question_is_written_so_that_it_is_read_again(conditions: list[Choice], said: list[str]) -> None:
    question = SearchQuery(tuple(Words(text, is_phrase=True) for text in said), tuple(conditions))
    assert parse(str(question)) == question


def test_words_phrases_and_filters_stand_side_by_side() -> None:
    found = parse('invoice "total due" -draft prompt:read model:gpt-4o,"o 4" -status:5xx trace:abc')
    assert found.words == (
        Words("invoice"),
        Words("total due", is_phrase=True),
        Words("draft", negated=True),
        Words("read", "prompt"),
    )
    assert found.conditions == (Choice("model", ("gpt-4o", "o 4")), Choice("status", ("5xx",), negated=True))
    assert found.trace == "abc"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("cost:>0.01", 1_000_001, None),
        ("cost:$0.5..", 50_000_000, None),
        ("latency:1s..2.5s", 1000, 2500),
        ("latency:<=2min", None, 120_000),
        ("size:>=2MB", 2_000_000, None),
        ("megapixels:..1.5", None, 1500),
        ("images:4", 4, 4),
        ("tokens:<10k", None, 9999),
        ("cost:*", None, None),
    ],
)
def test_numbers_have_bounds_and_units(text: str, low: int | None, high: int | None) -> None:
    (found,) = parse(text).conditions
    assert isinstance(found, Range)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    ("wanted", "value", "is_met"),
    [
        ("gpt-4*", "gpt-4o", True),
        ("GPT-4O", "gpt-4o", True),
        ("4xx", "429", True),
        ("4xx", "500", False),
        ("gpt", "gpt-4o", False),
        ("a.c", "abc", False),
        ("*", "", True),
    ],
)
def test_values_are_matched_whole_with_stars_for_anything(wanted: str, value: str, *, is_met: bool) -> None:
    assert Choice("model", (wanted,)).wants(value) is is_met


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("since:soon", "soon is no time"),
        ("model:", "model: needs a value"),
        ("cost:cheap", "cost:cheap is not a number"),
        ("latency:5parsec", "units: ms, s, m, min"),
        ("cost:..", "needs a bound"),
        ("a - b", "A lone - means nothing"),
        ("-trace:x", "trace: takes one value and no minus"),
        ("x" * 2001, "may have 2000 characters"),
    ],
)
def test_what_means_nothing_is_refused_with_the_cure(text: str, says: str) -> None:
    with pytest.raises(BadQuery, match=says.replace("(", r"\(")):
        parse(text)


def test_toggling_a_value_twice_changes_nothing() -> None:
    question = parse("red model:gpt-4o status:200")
    with_both = question.toggled("model", "claude")
    assert str(with_both) == "red status:200 model:gpt-4o,claude"
    assert with_both.toggled("model", "claude").toggled("model", "gpt-4o") == parse("red status:200")


@pytest.mark.parametrize(
    ("wanted", "value", "wants"),
    [
        ("*a" * 500 + "*b", "a" * 200, False),
        ("*" * 1000 + "b", "a" * 200, False),
        ("a*b*c", "a-b-b-c-c", True),
        ("*ab*ab", "abab", True),
        ("ab*ba", "aba", False),
        ("*", "", True),
    ],
)
def test_stars_are_looked_for_one_after_the_other(wanted: str, value: str, *, wants: bool) -> None:
    assert Choice("model", (wanted,)).wants(value) is wants
