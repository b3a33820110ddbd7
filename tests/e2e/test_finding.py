"""Finding one request among many: search box, facets, chart, live rows, columns, selection and export."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ask, drawn
from tests.loupe import Loupe, until
from tests.pictures import picture

pytestmark = pytest.mark.browser


def test_what_is_being_read_does_not_move_and_what_is_new_waits_in_a_pill(stage: Stage, page: Page) -> None:
    id = ask(stage, "hold on")
    page.goto(f"{stage.loupe.root}/w/default/logs")
    page.locator(f"#log-{id} .row-link").focus()
    before = page.locator(f"#log-{id}").bounding_box()
    newer = ask(replace(stage, trace=f"{stage.trace}-2"), "comes in above")
    expect(page.locator("#live")).to_contain_text("1 new")
    assert page.locator(f"#log-{id}").bounding_box() == before
    expect(page.locator(f"#log-{newer}")).to_have_count(0)
    page.locator("#live").click()
    expect(page.locator(f"#log-{newer}")).to_be_visible()
    expect(page.locator("#live")).to_have_text("Live")


def test_facets_search_box_and_address_say_the_same(stage: Stage, page: Page) -> None:
    ask(stage, f"plain {stage.trace}")
    ask(replace(stage, trace=f"{stage.trace}-2"), f"pictured {stage.trace}", picture("JPEG"), picture())
    page.goto(f"{stage.loupe.root}/w/default/logs?q=vkey:@{stage.slug}")
    facet = page.locator(".facet-value", has_text="jpeg")
    facet.click()
    expect(page.locator("#q")).to_have_value(re.compile("format:jpeg$"))
    expect(page).to_have_url(re.compile("format%3Ajpeg"))
    expect(facet).to_have_attribute("aria-checked", "true")
    expect(page.locator(".log-row").first).to_contain_text("pictured")
    page.locator("[name=facet][value=images] ~ label input[name=low]").fill("2")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value(re.compile(r"images:2\.\.$"))
    page.go_back()
    expect(page.locator("#q")).to_have_value(re.compile("format:jpeg$"))
    page.go_back()
    expect(page.locator("#q")).to_have_value(f"vkey:@{stage.slug}")


def test_the_search_box_says_what_may_follow_and_remembers(stage: Stage, page: Page) -> None:
    ask(stage, "suggested")
    page.goto(f"{stage.loupe.root}/w/default/logs")
    page.keyboard.press("/")
    page.keyboard.type("vk")
    expect(page.get_by_role("option", name="vkey:")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.type(stage.slug)
    expect(page.get_by_role("option", name=f"vkey:@{stage.slug}")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value(f"vkey:@{stage.slug} ")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"q=vkey%3A%40{stage.slug}"))
    page.goto(f"{stage.loupe.root}/w/default/logs")
    page.locator("#q").focus()
    page.get_by_role("option", name=f"vkey:@{stage.slug}").click()
    expect(page.locator("#q")).to_have_value(f"vkey:@{stage.slug}")


def test_dragging_on_the_chart_narrows_the_window_and_back_undoes_it(stage: Stage, page: Page) -> None:
    ask(stage, "charted")
    page.goto(f"{stage.loupe.root}/w/default/logs?w=24h")
    box = page.locator("svg.bars").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 20)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(page.get_by_text("No requests in this window")).to_be_visible()
    page.go_back()
    expect(page.locator(".log-row").first).to_be_visible()


def test_the_same_picture_leads_to_its_other_requests(stage: Stage, page: Page) -> None:
    unique = picture(size=(77, 31), colour=(hash(stage.trace) % 200, 10, 99))
    first = ask(stage, "once", unique)
    second = ask(replace(stage, trace=f"{stage.trace}-2"), "twice", unique)
    page.goto(f"{stage.loupe.root}/w/default/logs/{second}")
    page.get_by_role("link", name="in 1 other request").click()
    expect(page.locator(".log-row")).to_have_count(2)
    expect(page.locator(f"#log-{first}")).to_be_visible()


def test_the_list_can_be_a_contact_sheet(stage: Stage, page: Page) -> None:
    id = ask(stage, "on the sheet", picture())
    page.goto(f"{stage.loupe.root}/w/default/logs?q=image:input")
    page.get_by_text("View", exact=True).click()
    page.get_by_role("button", name="Contact sheet").click()
    expect(page.locator(f"#log-{id}.tile")).to_be_visible()
    assert drawn(page, ".tile img")
    page.get_by_text("View", exact=True).click()
    page.get_by_role("button", name="Roomy").click()
    expect(page.locator(f"tr#log-{id}")).to_be_visible()


def test_a_column_can_be_shown_moved_and_hidden(stage: Stage, page: Page) -> None:
    ask(stage, "columns")
    page.goto(f"{stage.loupe.root}/w/default/logs")
    for button in ("Show", "Hide"):
        page.get_by_text("View", exact=True).click()
        page.locator(".menu-row", has_text="Metadata").get_by_role("button", name=button).click()
        expect(page.locator("th.cell-metadata")).to_have_count(int(button == "Show"))


def test_chosen_rows_are_exported(stage: Stage, page: Page) -> None:
    ids = [ask(replace(stage, trace=f"{stage.trace}-{n}"), f"row {n}") for n in range(3)]
    page.goto(f"{stage.loupe.root}/w/default/logs?q=vkey:@{stage.slug}")
    page.locator(f"#log-{ids[2]} .cell-words").click(modifiers=["Shift"])
    page.locator(f"#log-{ids[1]} .cell-words").click(modifiers=["Shift"])
    expect(page.locator("#selected-count")).to_have_text("2 selected")
    with page.expect_download() as download:
        page.locator("#selection").get_by_role("link", name="JSON Lines").click()
    lines = download.value.path().read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == set(ids[1:])


def test_a_request_is_found_by_its_trace_and_its_kin_are_one_click_away(stage: Stage, page: Page) -> None:
    for span, parent in (("plan", ""), ("look", "plan")):
        stage.chat(x_portkey_span_id=span, x_portkey_parent_span_id=parent, x_portkey_span_name=f"{span} step")
    until(lambda: len(stage.loupe.logs(f"trace_id={stage.trace}")) == 2, "both are logged")
    page.goto(f"{stage.loupe.root}/w/default/logs")
    page.keyboard.press("/")
    page.keyboard.type(f"trace:{stage.trace}")
    page.keyboard.press("Enter")
    expect(page.locator(".log-row")).to_have_count(2)
    page.locator(".log-row .row-link").first.click()
    tree = page.locator("#panel .trace")
    expect(tree.locator(".here")).to_contain_text("look step")
    tree.get_by_role("link", name="plan step").click()
    expect(page.locator(".trace .here")).to_contain_text("plan step")


# The bar may come and go between two looks of a test on a machine with much to do.
NOTE_PROGRESS = """() => {
  const toast = document.getElementById("toast");
  const note = () => { if (!toast.hidden && toast.querySelector("progress")) document.body.dataset.noted = "progress"; };
  new MutationObserver(note).observe(toast, { childList: true, attributes: true });
}"""


def test_ten_thousand_requests_are_exported_with_their_pictures(
    chromium: Browser, own_loupe: Callable[..., Loupe], long_or_short: Callable[[int, int], int]
) -> None:
    """Ten thousand with `--long`, a thousand without: still many batches, each with pictures."""
    loupe, count = own_loupe(), long_or_short(10_000, 1000)
    loupe.manage("demo", "--logs", str(count))
    page = chromium.new_page()
    page.goto(loupe.manage("loginlink", "--base", loupe.root))
    page.goto(f"{loupe.root}/w/default/logs?w=all&q=image:input")
    page.get_by_text("Export", exact=True).click()
    link = page.locator("a[data-export][href*='/zip']")
    shown = int(link.get_attribute("data-export") or 0)
    page.evaluate(NOTE_PROGRESS)
    with page.expect_download(timeout=120_000) as download:
        link.click()
        expect(page.locator("body")).to_have_attribute("data-noted", "progress")
    with zipfile.ZipFile(download.value.path()) as folder:
        lines = folder.read("logs.jsonl").splitlines()
        files = set(folder.namelist())
        assert folder.testzip() is None
    assert len(lines) == shown > count * 0.8
    named = {one["file"] for line in lines for one in json.loads(line)["images"]}
    assert named <= files
    assert len(named) > 20
    expect(page.locator("#toast")).to_be_hidden()
    page.context.close()
