"""The line over the list, the same by a facet, and the list in the order of a number."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.conftest import Stage
from tests.fake_upstream import COMPLETION, response
from tests.logsui.browser import Browser
from tests.loupe import until


@pytest.fixture
def three(stage: Stage) -> Stage:
    """Three requests of this test alone: two answered, one of them dearer, and one refused by the provider."""
    dear = COMPLETION | {"usage": {"prompt_tokens": 90_000, "completion_tokens": 10, "total_tokens": 90_010}}
    stage.case.will(response(), response(body=dear), response(429, {"error": {"message": "slow down"}}))
    for user in ("ann", "bob", "ann"):
        stage.chat(x_portkey_metadata=f'{{"_user": "{user}", "run": "{stage.trace}"}}')
    return stage


def asked(stage: Stage) -> str:
    return f"q=metadata.run:{stage.trace}"


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_headline_says_what_is_found(three: Stage, browser: Browser) -> None:
    def headline() -> str:
        page = browser.get(f"/w/default/logs?{asked(three)}").text
        return words(page.partition('id="sums">')[2].partition("</p>")[0])

    until(lambda: headline().startswith("3 requests"), "all three are there")
    said = headline()
    assert "1 error (33%)" in said
    assert "91,120 tokens" in said
    assert re.search(r"\$0\.2\d", said)


def test_it_is_added_up_by_user_model_and_key(three: Stage, browser: Browser) -> None:
    def table() -> list[str]:
        page = browser.get(f"/w/default/logs/by/metadata._user?{asked(three)}").text
        return [words(row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)[1:]]

    until(lambda: sum(int(row.split()[1]) for row in table()) == 3, "all three are there")
    bob, ann = table()
    assert bob.split()[:3] == ["bob", "1", "0"]
    assert ann.split()[:3] == ["ann", "2", "1"]
    for facet in ("model", "vkey", "key", "error", "endpoint"):
        assert browser.get(f"/w/default/logs/by/{facet}?{asked(three)}").status == 200
    for unknown in ("nonsense", "cost"):
        assert browser.get(f"/w/default/logs/by/{unknown}").status == 404


def test_the_list_is_put_in_the_order_of_what_requests_cost(three: Stage, browser: Browser) -> None:
    def order(sort: str) -> list[str]:
        page = browser.get(f"/w/default/logs?{asked(three)}&sort={sort}").text
        return re.findall(r'id="log-([0-9a-f-]{36})"', page)

    until(lambda: len(order("")) == 3, "all three are there")
    newest = order("")
    assert order("cost") == [newest[1], newest[2]]  # what failed cost nothing, and is left out
    assert order("tokens") == order("cost")
    assert len(order("latency")) == 3
    page = browser.get(f"/w/default/logs?{asked(three)}&sort=beauty")
    assert page.status == 400
    assert "is not one of cost, tokens" in page.text


def test_the_next_page_of_a_sorted_list_goes_on_where_the_last_ended(three: Stage, browser: Browser) -> None:
    def order(skip: int) -> list[str]:
        page = browser.get(f"/w/default/logs?{asked(three)}&sort=latency&skip={skip}").text
        return re.findall(r'id="log-([0-9a-f-]{36})"', page)

    until(lambda: len(order(0)) == 3, "all three are there")
    assert [order(skip) for skip in (1, 2, 3)] == [order(0)[1:], order(0)[2:], []]


def test_a_window_can_be_typed(three: Stage, browser: Browser) -> None:
    page = browser.get(f"/w/default/logs?{asked(three)}&from=2020-01-01T00:00&to=2020-01-02T00:00:00")
    assert page.status == 200
    assert "Custom range" in page.text
    assert 'id="log-' not in page.text
    assert browser.get("/w/default/logs?from=yesterday").status == 400


def test_a_page_goes_out_compressed_and_a_picture_as_it_is(stage: Stage, browser: Browser) -> None:
    page = browser.get("/w/default/logs", accept_encoding="gzip")
    assert page.headers["content-encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(page.body)[:40]
    assert "content-encoding" not in browser.get("/w/default/logs").headers
