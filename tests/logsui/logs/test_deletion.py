"""Deleting in the browser: one from its page, some that were chosen, all that is found; and keeping one."""

from __future__ import annotations

import re
import uuid

from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.logsui.test_access import chat_with
from tests.loupe import until
from tests.pictures import picture


def ids_of(stage: Stage, query: str) -> list[str]:
    return [log["id"] for log in stage.loupe.logs(f"q={query}")]


def test_one_is_deleted_from_its_page(browser: Browser, stage: Stage) -> None:
    id = chat_with(stage, "delete me", picture(colour=(1, 2, 3)))
    page = f"/w/default/logs/{id}"
    assert "data-confirm" in browser.get(page).text
    assert "is deleted" in browser.post(f"{page}/delete", page).text
    assert browser.get(page).status == 404


def test_one_is_kept_and_let_go_of_again(browser: Browser, stage: Stage) -> None:
    page = f"/w/default/logs/{chat_with(stage, 'keep me')}"
    assert 'aria-pressed="true"' in browser.post(f"{page}/keep", page, keep="yes").text
    assert 'value="yes"' in browser.post(f"{page}/keep", page, keep="no").text


def test_what_is_found_is_deleted_once_its_count_is_typed(browser: Browser, stage: Stage) -> None:
    word = f"w{uuid.uuid4().hex[:10]}"
    for n in range(3):
        stage.chat({"messages": [{"role": "user", "content": f"{word} number {n}"}]}, x_portkey_trace_id=f"{word}-{n}")
        stage.loupe.log(f"{word}-{n}")
    asked = browser.get(f"/w/default/logs/delete?q={word}&w=1h")
    assert "3 requests" in asked.text
    address = "/w/default/logs/delete" + _form_of(asked.text)
    wrong = browser.post(address, address, count="2")
    assert "That is not 3" in wrong.text
    assert len(ids_of(stage, word)) == 3
    assert "The deletion has begun" in browser.post(address, address, count="3").text
    until(lambda: not ids_of(stage, word) or None, "the worker has deleted them")


def test_those_that_were_chosen_are_deleted_and_no_other(browser: Browser, stage: Stage) -> None:
    first, second, third = _three(stage)
    address = f"/w/default/logs/delete?ids={first},{second}"
    assert "2 chosen requests" in browser.get(address).text
    assert "2 requests are deleted" in browser.post(address, address, count="2").text
    assert [browser.get(f"/w/default/logs/{id}").status for id in (first, second, third)] == [404, 404, 200]


def _three(stage: Stage) -> list[str]:
    traces = [f"choose-{uuid.uuid4()}" for _ in range(3)]
    for trace in traces:
        stage.chat({"messages": [{"role": "user", "content": "one of three"}]}, x_portkey_trace_id=trace)
    return [str(stage.loupe.log(trace)["id"]) for trace in traces]


def _form_of(page: str) -> str:
    found = re.search(r'<form class="stacked-form" method="post" action="(\?[^"]+)"', page)
    assert found, page
    return found[1].replace("&amp;", "&")


def test_a_slip_is_told_before_anything_is_typed(browser: Browser) -> None:
    page = browser.get("/w/default/logs/delete?q=modle:gpt")
    assert page.status == 400
    assert "Nothing was deleted" in page.text
    assert "Type" not in page.text


def test_nothing_found_is_nothing_to_delete(browser: Browser) -> None:
    assert "nothing to delete" in browser.get(f"/w/default/logs/delete?q={uuid.uuid4().hex}").text
    assert browser.get("/w/default/logs/delete?q=status:").status == 404
    assert browser.get("/w/default/logs/delete?ids=x").status == 404
