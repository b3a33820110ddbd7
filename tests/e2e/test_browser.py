"""Journeys in Debian's Chromium: what a person does in the first minutes, with mouse and keyboard, in both themes."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.conftest import SHARED, Stage, needs
from tests.fake_upstream import FakeUpstream, chat_events, response, stream
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        browser = play.chromium.launch(executable_path=needs("chromium"), args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def session(chromium: Browser, loupe: Loupe) -> Any:
    """The cookies of somebody who followed the printed link."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(loupe.manage("loginlink", "--base", loupe.root))
    expect(page).to_have_url(f"{loupe.root}/w/default/logs")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def context(chromium: Browser, session: Any) -> Iterator[BrowserContext]:
    made = chromium.new_context(storage_state=session, viewport={"width": 1440, "height": 900})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, loupe: Loupe) -> Iterator[Page]:
    """A page that must not complain and must not ask anybody else for anything."""
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(loupe.root) else complaints.append(request.url))
    yield page
    assert complaints == []


def ask(stage: Stage, text: str, *pictures: bytes) -> str:
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in pictures]
    stage.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]})
    return str(stage.log()["id"])


def drawn(page: Page, selector: str) -> bool:
    """Whether the picture is really there, not a broken-image glyph."""
    page.locator(selector).first.wait_for()
    return bool(
        page.wait_for_function(
            "s => { const i = document.querySelector(s); return i.complete && i.naturalWidth > 0 }", arg=selector
        )
    )


def test_a_request_appears_in_the_open_page_by_itself_with_its_picture(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs")
    text = f"appears by itself {stage.trace}"
    parts = [
        {"type": "text", "text": text},
        {"type": "image_url", "image_url": {"url": data_url(picture(size=(90, 60)))}},
    ]
    stage.chat({"messages": [{"role": "user", "content": parts}]})
    row = page.locator(".log-row", has_text=text)
    expect(row.locator("img.thumb")).to_be_visible(timeout=2000)
    id = row.get_attribute("id")
    assert drawn(page, f"#{id} img.thumb")


def test_from_the_list_to_the_panel_to_the_lightbox_and_back(stage: Stage, page: Page) -> None:
    id = ask(
        stage, f"two pictures {stage.trace}", picture(size=(640, 480)), picture(size=(200, 300), colour=(0, 90, 200))
    )
    page.goto(f"{stage.loupe.root}/w/default/logs")
    page.locator(f"#log-{id} .row-link").click()
    panel = page.locator("#panel")
    expect(panel.locator("h1")).to_have_text(f"two pictures {stage.trace}")
    expect(panel.locator("figure img")).to_have_count(2)
    expect(page.locator(f"#log-{id}")).to_be_visible()
    assert drawn(page, "#panel figure img")
    panel.locator("figure a.picture-box").first.click()
    box = page.locator("#lightbox")
    expect(box).to_be_visible()
    expect(page.locator("#lightbox-caption")).to_contain_text("640 × 480")
    assert drawn(page, "#lightbox img")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lightbox-caption")).to_contain_text("(2 of 2)")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(panel).to_be_visible()
    page.go_back()
    expect(panel).to_be_hidden()
    expect(page.locator(f"#log-{id}")).to_be_visible()


def test_the_address_of_an_open_panel_opens_it_again(stage: Stage, page: Page) -> None:
    id = ask(stage, f"deep link {stage.trace}", picture())
    page.goto(f"{stage.loupe.root}/w/default/logs?open={id}")
    expect(page.locator("#panel h1")).to_have_text(f"deep link {stage.trace}")
    page.locator("#panel-page").click()
    expect(page).to_have_url(re.compile(f"/logs/{id}$"))
    expect(page.locator(".log h1")).to_have_text(f"deep link {stage.trace}")


def test_the_keyboard_alone_is_enough(stage: Stage, page: Page) -> None:
    older = ask(stage, f"first {stage.trace}", picture())
    newer = ask(replace(stage, trace=f"{stage.trace}-2"), f"second {stage.trace}", picture())
    page.goto(f"{stage.loupe.root}/w/default/logs")
    expect(page.locator(f"#log-{newer}")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator(f"#log-{newer} .row-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h1")).to_have_text(f"second {stage.trace}")
    page.keyboard.press("j")
    expect(page.locator("#panel h1")).to_have_text(f"first {stage.trace}")
    expect(page).to_have_url(re.compile(older))
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator(f"#log-{older} .row-link")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type(f'"second {stage.trace}"')
    page.keyboard.press("Enter")
    expect(page.locator(".log-row")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile("/keys$"))


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


def test_the_same_picture_leads_to_its_other_requests(stage: Stage, page: Page) -> None:
    unique = picture(size=(77, 31), colour=(hash(stage.trace) % 200, 10, 99))
    first = ask(stage, "once", unique)
    second = ask(replace(stage, trace=f"{stage.trace}-2"), "twice", unique)
    page.goto(f"{stage.loupe.root}/w/default/logs/{second}")
    page.get_by_role("link", name="in 1 other request").click()
    expect(page.locator(".log-row")).to_have_count(2)
    expect(page.locator(f"#log-{first}")).to_be_visible()


def test_a_replay_answers_beside_the_old_answer_and_both_can_be_compared(stage: Stage, page: Page) -> None:
    id = ask(stage, f"say it again {stage.trace}", picture(size=(64, 48)))
    stage.case.will(response(body=said("A green circle.")))
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    page.keyboard.press("r")
    body = page.locator("#body")
    expect(body).to_have_value(re.compile("sha256:"))
    body.fill(body.input_value().replace("say it again", "say it differently"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("A green circle.")
    expect(page.locator("#replay-state")).to_have_text("Answered")
    sent = json.loads(stage.case.requests[-1].body)
    assert sent["messages"][0]["content"][0]["text"] == f"say it differently {stage.trace}"
    assert sent["messages"][0]["content"][1]["image_url"]["url"] == data_url(picture(size=(64, 48)))
    page.locator("#answer").get_by_role("link", name="Compare").click()
    expect(page.locator(".diff del").first).to_contain_text("again")
    expect(page.locator(".diff ins").first).to_contain_text("differently")
    expect(page.get_by_text("Picture 1 is the same on both sides.")).to_be_visible()


def test_two_requests_are_compared_by_marking_one(stage: Stage, page: Page) -> None:
    first = ask(stage, "left side", picture(size=(50, 50)))
    second = ask(replace(stage, trace=f"{stage.trace}-2"), "right side", picture(size=(50, 50), colour=(1, 99, 2)))
    page.goto(f"{stage.loupe.root}/w/default/logs/{first}")
    page.keyboard.press("x")
    page.goto(f"{stage.loupe.root}/w/default/logs/{second}")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile(f"a={first}&b={second}"))
    page.get_by_text("Lay one over the other").click()
    page.get_by_role("button", name="Difference").click()
    expect(page.locator(".stacked")).to_have_attribute("data-mode", "difference")


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def test_markdown_is_drawn_and_can_be_read_as_it_came(stage: Stage, page: Page) -> None:
    stage.case.will(
        response(body=said("| a | b |\n|---|---|\n| 1 | **2** |\n\n<b>no</b> ![x](http://trap.example/x.png)"))
    )
    page.goto(f"{stage.loupe.root}/w/default/logs/{ask(stage, 'a table please')}")
    expect(page.locator(".markdown table strong")).to_have_text("2")
    expect(page.locator(".markdown img, .markdown b")).to_have_count(0)
    page.get_by_role("button", name="Plain").click()
    expect(page.locator(".rich .words")).to_contain_text("|---|---|")


def test_a_long_text_is_folded_and_opens(stage: Stage, page: Page) -> None:
    stage.case.will(response(body=said("word " * 8000)))
    page.goto(f"{stage.loupe.root}/w/default/logs/{ask(stage, 'a long answer please')}")
    folded = page.locator(".turn-answer")
    assert (folded.bounding_box() or {})["height"] < 700
    page.get_by_text("Show all").click()
    assert (folded.bounding_box() or {})["height"] > 2000


def test_the_raw_body_shows_pictures_as_chips(stage: Stage, page: Page) -> None:
    id = ask(stage, "raw", picture())
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    page.get_by_text("Request body").click()
    chip = page.locator(".chip").first
    expect(chip).to_contain_text("PNG")
    chip.click()
    expect(page.locator("#lightbox")).to_be_visible()


def test_forty_pictures_unfold_in_the_tree(stage: Stage, page: Page) -> None:
    id = ask(stage, "forty", *[picture(size=(20 + n, 20)) for n in range(40)])
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    expect(page.locator("figure img")).to_have_count(40)
    page.get_by_text("Request body").click()
    page.locator(".tree summary", has_text="content").click()
    expect(page.locator(".tree .node", has_text="39").first).to_be_visible()


def test_a_stream_in_flight_is_seen_and_then_its_answer(stage: Stage, page: Page) -> None:
    import threading

    go = threading.Event()
    stage.case.will(stream(chat_events("A", " red", " square"), go=go))
    body = json.dumps(
        {
            "model": f"@{stage.slug}/gpt-4o",
            "stream": True,
            "messages": [{"role": "user", "content": f"slowly {stage.trace}"}],
        }
    )
    caller = threading.Thread(target=stage.post, args=("/v1/chat/completions", body.encode()))
    page.goto(f"{stage.loupe.root}/w/default/logs")
    caller.start()
    row = page.locator(".log-row", has_text=stage.slug).first
    expect(row.locator(".dot-in_flight")).to_be_visible()
    row.locator(".row-link").click()
    expect(page.locator("#panel").get_by_text("The answer is on its way.")).to_be_visible()
    go.set()
    caller.join()
    expect(page.locator("#panel .turn-answer")).to_contain_text("A red square")
    expect(row).to_contain_text("A red square")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_have_readable_contrast(chromium: Browser, session: Any, stage: Stage, scheme: Any) -> None:
    ask(stage, "contrast", picture())
    made = chromium.new_context(storage_state=session, color_scheme=scheme)
    page = made.new_page()
    page.goto(f"{stage.loupe.root}/w/default/logs")
    assert page.evaluate(CONTRAST, [".row-link", ".second", "th", "h1", ".pill-live"]) >= 4.5
    made.close()


CONTRAST = """selectors => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = colour => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const paper = light(getComputedStyle(document.documentElement).backgroundColor);
  return Math.min(...selectors.map(selector => {
    const ink = light(getComputedStyle(document.querySelector(selector)).color);
    return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
  }));
}"""


def test_the_theme_can_be_chosen(page: Page, loupe: Loupe) -> None:
    page.goto(f"{loupe.root}/account")
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.goto(f"{loupe.root}/w/default/logs")
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_a_virtual_key_is_made_in_its_providers_form_and_tried(
    stage: Stage, page: Page, upstream: FakeUpstream
) -> None:
    slug = f"claude-{uuid.uuid4().hex[:8]}"
    upstream.on(slug).will(response(401, {"type": "error", "error": {"type": "x", "message": "invalid x-api-key"}}))
    page.goto(f"{stage.loupe.root}/w/default/keys")
    page.get_by_label("Provider", exact=True).select_option(label="Vertex AI")
    expect(page.locator("#set-project_id")).to_be_visible()
    page.get_by_label("Provider", exact=True).select_option(label="Anthropic")
    expect(page.locator("#set-project_id")).to_have_count(0)
    page.get_by_label("Slug").fill(slug)
    page.locator("#secret").fill("sk-ant-not-real")
    page.locator("#base_url").fill(upstream.url(slug))
    page.get_by_role("button", name="Add virtual key").click()
    row = page.get_by_role("row").filter(has_text=f"@{slug}")
    row.get_by_role("button", name="Test").click()
    expect(row.get_by_role("status")).to_have_text("Anthropic refuses the secret (401): invalid x-api-key")


def test_a_translated_call_is_read_like_any_other(stage: Stage, page: Page, upstream: FakeUpstream) -> None:
    slug = f"gemini-{uuid.uuid4().hex[:8]}"
    said = {"candidates": [{"content": {"parts": [{"text": "A red square on white."}]}, "finishReason": "STOP"}]}
    upstream.on(slug).will(response(body=said))
    stage.loupe.add_virtual_key(slug, f"http://127.0.0.1:{upstream.port}/{slug}/v1beta", provider="google")
    part = {"type": "image_url", "image_url": {"url": data_url(picture("JPEG"), "image/png")}}
    content = [{"type": "text", "text": "What is it?"}, part]
    stage.chat(
        {"model": f"@{slug}/gemini-2.5-flash", "messages": [{"role": "user", "content": content}], "user": "ada"}
    )
    page.goto(f"{stage.loupe.root}/w/default/logs/{stage.log()['id']}")
    assert drawn(page, ".talk img")
    expect(page.locator(".talk")).to_contain_text("A red square on white.")
    expect(page.locator(".log-head")).to_contain_text("declared as image/png, but the bytes are image/jpeg")
    page.get_by_text("Body as google got it").click()
    expect(page.locator(".raw > details[open] .chip img")).to_be_visible()
    expect(page.locator(".tree .node", has_text="mimeType").last).to_contain_text("image/jpeg")


def test_a_key_is_made_copied_and_revoked(page: Page, loupe: Loupe) -> None:
    page.goto(f"{loupe.root}/w/default/keys")
    page.get_by_label("Name").fill("from the browser")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#new-key")).to_have_text(re.compile(r"^lp_\w{49}$"))
    page.on("dialog", lambda dialog: dialog.accept())
    row = page.locator("tr", has_text="from the browser").filter(has=page.get_by_role("button", name="Revoke")).first
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_window(context: BrowserContext, stage: Stage, width: int) -> None:
    id = ask(stage, "x" * 400, picture(size=(1600, 200)), picture(size=(40, 900)))
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 844})
    for path in ("/w/default/logs", f"/w/default/logs/{id}", "/w/default/keys", "/w/default/connect", "/account"):
        page.goto(stage.loupe.root + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_reading_works_without_javascript(chromium: Browser, session: Any, stage: Stage) -> None:
    id = ask(stage, "without scripts", picture())
    made = chromium.new_context(storage_state=session, java_script_enabled=False)
    page = made.new_page()
    page.goto(f"{stage.loupe.root}/w/default/logs")
    page.locator(f"#log-{id} .row-link").click()
    expect(page.locator("figure img")).to_be_visible()
    page.locator("figure a.picture-box").click()
    assert page.url.endswith("/images/i0")
    made.close()


def test_the_lightbox_shows_true_pixels_moves_and_downloads(stage: Stage, page: Page) -> None:
    id = ask(stage, "large", picture(size=(3000, 2000)))
    page.goto(f"{stage.loupe.root}/w/default/logs?q=vkey:@{stage.slug}")
    page.locator(".facet-value").first.click()  # the page is replaced in part, and the lightbox must still work
    page.locator(f"#log-{id} .row-link").click()
    page.locator("#panel figure a.picture-box").click()
    assert drawn(page, "#lightbox img")
    page.keyboard.press("z")
    assert page.evaluate("document.getElementById('lightbox-image').getBoundingClientRect().width") == 3000
    page.mouse.move(700, 400)
    page.mouse.down()
    page.mouse.move(500, 300)
    page.mouse.up()
    assert page.evaluate("[lightbox.scrollLeft, lightbox.scrollTop]") == [200, 100]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").last.click()
    assert download.value.path().read_bytes() == picture(size=(3000, 2000))


def tried(stage: Stage, *, broken: int) -> None:
    """Wait until the worker has looked at the pictures, and given up on so many."""
    failed = "image_undecodable"
    until(lambda: [one["problem"] for one in stage.log()["images"]].count(failed) == broken, "all are looked at")


def test_broken_and_unknown_pictures_say_why(stage: Stage, page: Page) -> None:
    broken = picture("PNG", (300, 300))[:60]
    id = ask(stage, "odd ones", broken, b"%PDF-1.7 " + bytes(200), b"GIF89a" + bytes(30))
    tried(stage, broken=1)
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    expect(page.get_by_text("The file ends too early")).to_be_visible()
    expect(page.get_by_text("not shown: image_undecodable").first).to_be_visible()
    expect(page.get_by_text("PDF is kept, not drawn")).to_be_visible()
    page.goto(f"{stage.loupe.root}/w/default/logs?open={id}")
    expect(page.locator(f"#log-{id} .thumb-label")).to_have_count(2)


def test_a_request_of_twenty_megabytes_opens_at_once(stage: Stage, page: Page) -> None:
    noise = b"\x89PNG\r\n\x1a\n" + bytes(7_000_000)
    text = "z" * 2_000_000
    parts = [{"type": "image_url", "image_url": {"url": data_url(noise + bytes([n]))}} for n in range(2)]
    stage.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]})
    id = stage.log()["id"]
    tried(stage, broken=2)
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}", timeout=5000)
    expect(page.locator(".side h2 span").first).to_contain_text("20.7 MB sent")
    page.get_by_text("Request body").click()
    expect(page.locator(".tree .chip")).to_have_count(2)
    assert len(page.content()) < 1_000_000


def test_naughty_strings_are_read_and_found_as_they_are(stage: Stage, page: Page, blns: list[str]) -> None:
    for start in range(0, len(blns), 200):
        some = [text for text in blns[start : start + 200] if text.strip()]
        one = replace(stage, trace=f"{stage.trace}-{start}")
        one.case.will(response(body=said("\n".join(some))))
        content = [{"type": "text", "text": text} for text in some]
        one.chat({"messages": [{"role": "user", "content": content}], "metadata": {"odd": some[0][:60]}})
        page.goto(f"{stage.loupe.root}/w/default/logs/{one.log()['id']}")
        shown = page.locator(".talk .turn").first.locator(".words").all_text_contents()
        assert shown == [text.encode("utf-8", "replace").decode().replace("\r", "\n") for text in some]


@pytest.fixture(scope="session")
def blns() -> list[str]:
    folder = SHARED / "corpora" / "blns"
    if not folder.exists():
        pytest.skip("the corpora lie beside the repository, in ../shared/corpora")
    found: list[str] = json.loads(next(folder.rglob("blns.json")).read_text())
    return found
