"""The address of a list and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.index.search_language import Choice, parse
from logsui.logs.list_query import ListQuery


def test_an_address_is_read_and_written_the_same() -> None:
    query = ListQuery.read({"q": "model:a red", "from": "1000", "to": "2000", "chart": "cost"})
    assert (
        ListQuery.read(
            dict(pair.split("=") for pair in query.address[1:].replace("%3A", ":").replace("+", " ").split("&"))
        )
        == query
    )
    assert query.search == parse("model:a red")
    assert query.with_span("7d").address == "?q=model%3Aa+red&w=7d&chart=cost"


@pytest.mark.parametrize("text", ["", "red", 'red model:a trace:t since:2h "a b"', "-key:x,y cost:>1"])
@pytest.mark.parametrize("rest", [{}, {"w": "7d", "chart": "cost"}, {"from": "5", "to": "9"}])
@given(name=st.sampled_from(["model", "metadata.a b", "status"]), value=st.text(min_size=1), negated=st.booleans())
def test_the_many_links_of_a_page_are_those_that_are_made_one_by_one(
    text: str, rest: dict[str, str], name: str, value: str, *, negated: bool
) -> None:
    query = ListQuery.read({"q": text, "before": "00000000-0000-7000-8000-000000000001", **rest})
    condition = Choice(name, (value,), negated)
    assert query.address_with(condition) == query.asking(query.search.also(condition)).address
