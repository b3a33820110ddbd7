"""What a person does in the first minutes: a request appears, is opened, keys are made; both themes, small screens."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask, drawn
from tests.fake_upstream import FakeUpstream, chat_events, response, stream
from tests.loupe import Loupe
from tests.pictures import data_url, picture

pytestmark = [pytest.mark.browser, ON_SQLITE]


def test_a_request_appears_in_the_open_page_by_itself_with_its_picture(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs")
    text = f"appears by itself {stage.trace}"
    parts = [
        {"type": "text", "text": text},
        {"type": "image_url", "image_url": {"url": data_url(picture(size=(90, 60)))}},
    ]
    stage.chat({"messages": [{"role": "user", "content": parts}]})
    row = page.locator(".log-row", has_text=text)
    expect(row.locator("img.thumb")).to_be_visible()
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
    page.reload()
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


def test_a_key_is_made_copied_and_revoked(page: Page, loupe: Loupe) -> None:
    page.goto(f"{loupe.root}/w/default/keys")
    page.get_by_label("Name").fill("from the browser")
    page.get_by_role("button", name="Create key").click()
    expect(page.locator("#new-key")).to_have_text(re.compile(r"^lp_\w{49}$"))
    page.on("dialog", lambda dialog: dialog.accept())
    row = page.locator("tr", has_text="from the browser").filter(has=page.get_by_role("button", name="Revoke")).first
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")


def test_the_theme_can_be_chosen(page: Page, loupe: Loupe) -> None:
    page.goto(f"{loupe.root}/account")
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.goto(f"{loupe.root}/w/default/logs")
    assert page.locator("html").get_attribute("data-theme") == "dark"


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
