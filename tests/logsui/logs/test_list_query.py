"""The address of a list and what it means."""

from __future__ import annotations

from gateway.index.search_language import parse
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
