"""One context: from the list to a request and back, by keyboard and by pointer, in any width."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask
from tests.pictures import data_url, picture

pytestmark = [pytest.mark.browser, ON_SQLITE]


@pytest.fixture
def three(stage: Stage) -> list[str]:
    """Ids, newest first, of three requests that one search finds, with others between them."""
    ids = []
    for number in range(3):
        one = replace(stage, trace=f"{stage.trace}-{number}")
        parts = [{"type": "text", "text": f"step {number}"}, shown(picture(size=(40 + number, 30)))]
        one.chat({"messages": [{"role": "user", "content": parts}]}, x_portkey_metadata=f'{{"run": "{stage.trace}"}}')
        ids.append(str(one.log()["id"]))
        ask(replace(stage, trace=f"{stage.trace}-other-{number}"), "another")
    return ids[::-1]


def shown(data: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(data)}}


def test_a_requests_own_page_walks_the_search_and_leads_back_to_its_row(
    context: BrowserContext, stage: Stage, three: list[str]
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 800})
    address = f"{stage.loupe.root}/w/default/logs?q=metadata.run:{stage.trace}&w=24h"
    page.goto(address)
    page.locator(f"#log-{three[0]} .row-link").click()
    expect(page).to_have_url(re.compile(rf"/logs/{three[0]}\?q=metadata.run"))
    expect(page.locator(".bar-question")).to_contain_text(stage.trace)
    for id in three[1:]:
        page.keyboard.press("j")
        expect(page).to_have_url(re.compile(rf"/logs/{id}\?q=metadata.run"))
    expect(page.locator("#older")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(rf"/logs\?q=metadata.run%3A{stage.trace}&w=24h$"))
    expect(page.locator(f"#log-{three[2]} .row-link")).to_be_focused()
    page.close()


def test_a_row_opens_wherever_it_is_clicked_and_its_text_can_be_marked(
    stage: Stage, page: Page, three: list[str]
) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs?q=metadata.run:{stage.trace}")
    page.locator(f"#log-{three[1]} .cell-time").click()
    expect(page.locator("#panel h1")).to_have_text("step 1")
    page.locator("#panel-close").click()
    words = page.locator(f"#log-{three[0]} .row-link").bounding_box()
    assert words is not None
    page.mouse.move(words["x"] + 1, words["y"] + 8)
    page.mouse.down()
    page.mouse.move(words["x"] + 60, words["y"] + 8, steps=5)
    page.mouse.up()
    assert page.evaluate("getSelection().toString()") != ""
    expect(page.locator("#panel")).to_be_hidden()


def test_keys_act_on_the_row_that_has_the_keyboard(stage: Stage, page: Page, three: list[str]) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs?q=metadata.run:{stage.trace}")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#toast")).to_contain_text("Pinned")
    page.keyboard.press("j")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile(f"diff.a={three[0]}&b={three[1]}"))
    page.go_back()
    page.locator(f"#log-{three[2]} .row-link").focus()
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile(f"{three[2]}/replay"))


def test_escape_closes_the_topmost_thing_first(stage: Stage, page: Page, three: list[str]) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs?q=metadata.run:{stage.trace}")
    page.keyboard.press("j")
    page.keyboard.press("c")  # opens the request, and in it what can be copied
    menu = page.locator("#panel details.menu[open]")
    expect(menu).to_have_count(1)
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(page.locator("#panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    page.goto(f"{stage.loupe.root}/w/default/logs/{three[0]}")
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(f"/logs/{three[0]}$"))


def test_two_selected_rows_are_compared(stage: Stage, page: Page, three: list[str]) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs?q=metadata.run:{stage.trace}")
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(page.get_by_role("link", name="Compare", exact=True)).to_be_hidden()
    page.keyboard.press("J")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile(f"diff.a={three[1]}&b={three[0]}"))


def test_values_are_filters_and_can_be_copied(context: BrowserContext, stage: Stage, three: list[str]) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{stage.loupe.root}/w/default/logs?q=metadata.run:{stage.trace}")
    page.locator(f"#log-{three[0]} [data-filter=model]").click()
    expect(page.locator("#q")).to_have_value(re.compile("metadata.run:.* model:gpt-4o"))
    page.locator(f"#log-{three[0]} .row-link").click()
    panel = page.locator("#panel")
    panel.get_by_role("button", name="Copy the trace id").click()
    assert page.evaluate("navigator.clipboard.readText()") == f"{stage.trace}-2"
    turn = panel.locator(".turn-answer")
    turn.hover()
    turn.get_by_role("button", name="Copy").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == "A red square."
    panel.get_by_role("link", name=f"@{stage.slug}").click()
    expect(page.locator("#q")).to_have_value(f"vkey:@{stage.slug}")
    page.close()


def test_a_ticked_value_keeps_its_place(stage: Stage, page: Page, three: list[str]) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs?w=all")
    values = page.locator("details.facet[id$='-model'] > ul .facet-value span")
    before = values.all_text_contents()
    values.last.click()
    page.wait_for_url(re.compile("q="))
    assert values.all_text_contents()[: len(before)] == before


def test_the_headline_the_filters_and_the_chart_follow_new_requests(stage: Stage, page: Page) -> None:
    ask(stage, "the first")
    page.goto(f"{stage.loupe.root}/w/default/logs?q=vkey:@{stage.slug}&w=1h")
    figures = [page.locator("#sums b").first, page.locator("#filters .facet-value", has_text="Success").locator("b")]
    before = [int(one.inner_text().replace(",", "")) for one in figures]
    ask(replace(stage, trace=f"{stage.trace}-next"), "the next")
    for figure, count in zip(figures, before, strict=True):
        expect(figure).to_have_text(f"{count + 1:,}")


def test_times_are_in_utc_by_choice_on_every_page(
    stage: Stage, chromium: Browser, session: Any, three: list[str]
) -> None:
    id = three[0]
    context = chromium.new_context(storage_state=session, timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(f"{stage.loupe.root}/w/default/logs?q=metadata.run:{stage.trace}")
    row = page.locator(f"#log-{id} time")
    local = row.inner_text()
    page.locator("summary.pill").first.click()
    page.get_by_role("button", name="UTC").click()
    expect(row).not_to_have_text(local)
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    expect(page.locator("dd time")).to_contain_text("UTC")
    context.close()
