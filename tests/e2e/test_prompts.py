"""The prompt editor: a template with an image variable made without JSON, tried, published, called, compared."""

from __future__ import annotations

import json
import re
import threading
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask, drawn
from tests.fake_upstream import FakeUpstream, chat_events, response, stream
from tests.loupe import until
from tests.pictures import data_url, picture

pytestmark = [pytest.mark.browser, ON_SQLITE]


def write_prompt(stage: Stage, page: Page, name: str = "") -> str:
    """A new prompt with a text and an image variable, published; its slug."""
    page.goto(f"{stage.loupe.root}/w/default/prompts/new")
    page.get_by_label("Name").fill(name or f"Receipt {uuid.uuid4().hex[:8]}")
    page.locator("[name=m1-0-text]").fill("What is the total, in {{currency}}?")
    page.locator("[name=m1-1-url]").fill("{{receipt}}")
    page.locator("#model").fill(f"@{stage.slug}/gpt-4o")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("status").first).to_contain_text("Version 1 is published")
    return page.locator(".bar-slug").inner_text()


def test_a_template_is_made_tried_and_called_without_json(stage: Stage, page: Page, tmp_path: Path) -> None:
    slug = write_prompt(stage, page)
    expect(page.locator(".slot-frame")).to_have_text("{{receipt}}")
    page.get_by_label("currency").fill("EUR")
    file = tmp_path / "receipt.png"
    file.write_bytes(picture(size=(90, 60)))
    page.locator(".variable [data-upload]").set_input_files(file)
    assert drawn(page, ".variable .slot-picture")
    stage.case.will(stream(chat_events("12", ".50")))
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_contain_text("12.50")
    expect(page.locator("#run-state")).to_have_text("Answered")
    sent = json.loads(stage.case.requests[-1].body)
    assert sent["messages"][1]["content"][0]["text"] == "What is the total, in EUR?"
    assert sent["messages"][1]["content"][1]["image_url"]["url"] == data_url(picture(size=(90, 60)))
    body = {"variables": {"currency": "USD", "receipt": "https://x.example/1.jpg"}}
    until(lambda: stage.post(f"/v1/prompts/{slug}/completions", json.dumps(body).encode())[0] == 200, "it is served")
    assert stage.log()["prompt_variables"] == {
        "currency": "USD",
        "receipt": {"picture": "messages[1].content[1].image_url.url"},
    }
    page.get_by_role("link", name="v1, v1 published").click()
    expect(page.get_by_role("row").filter(has_text=f"{slug}@1").locator("td").nth(1)).to_have_text("2")
    page.go_back()
    page.get_by_role("link", name="Show in logs").click()
    expect(page.locator(".log-row").first).to_contain_text("What is the total, in USD?")


def test_a_pasted_picture_becomes_a_fixed_part_of_the_template(stage: Stage, page: Page) -> None:
    write_prompt(stage, page)
    page.locator("[name=m1-1-url]").focus()
    page.evaluate(
        """async () => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 30 });
          canvas.getContext("2d").fillRect(0, 0, 20, 30);
          const blob = await new Promise((done) => canvas.toBlob(done));
          const transfer = new DataTransfer();
          transfer.items.add(new File([blob], "pasted.png", { type: "image/png" }));
          const event = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
          document.activeElement.dispatchEvent(event);
        }"""
    )
    expect(page.locator("[name=m1-1-url]")).to_have_value(re.compile("^loupe:sha256:[0-9a-f]{64}$"))
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("status").first).to_contain_text("Version 2 is saved")
    expect(page.locator(".slot-picture")).to_be_visible()
    expect(page.locator(".variable")).to_have_count(1)


def test_what_is_no_picture_is_told_beside_its_slot(stage: Stage, page: Page, tmp_path: Path) -> None:
    write_prompt(stage, page)
    for name, data, says in (
        ("notes.png", b"these are words", "no picture that a model takes"),
        ("huge.png", bytes(31_000_000), "31.0 MB; 20 MB is the most"),
    ):
        (tmp_path / name).write_bytes(data)
        page.locator(".slot [data-upload]").set_input_files(tmp_path / name)
        expect(page.locator(".slot [data-problem]")).to_contain_text(says)


def test_parts_are_added_moved_and_taken_away_by_keyboard(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.loupe.root}/w/default/prompts/new")
    page.locator("[value='add-text:1']").focus()
    page.keyboard.press("Enter")
    page.locator("[name=m1-2-text]").fill("the last {{word}}")
    page.locator("[value='up:1:2']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[name=m1-1-text]")).to_have_value("the last {{word}}")
    expect(page.locator("[value='up:1:1']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[name=m1-0-text]")).to_have_value("the last {{word}}")
    expect(page.locator("[value='down:1:0']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[name=m1-1-text]")).to_have_value("the last {{word}}")
    expect(page.locator("#variables")).to_contain_text("word")
    page.locator("[value='remove:1:1']").press("Enter")
    expect(page.locator("[name=m1-1-url]")).to_have_value("{{picture}}")
    page.get_by_text("JSON", exact=True).click()
    text = page.locator("textarea[name=json]")
    text.fill(text.input_value().replace("in one sentence", "in ten words"))
    page.get_by_role("button", name="Use this JSON").click()
    expect(page.locator("[name=m0-0-text]")).to_have_value("You describe pictures in ten words.")
    text.fill('[{"role": "user", "content": ')
    page.get_by_role("button", name="Use this JSON").click()
    expect(page.locator(".json-view .field-error")).to_contain_text("The template is not JSON")


def test_the_second_of_two_editors_is_shown_the_difference(stage: Stage, page: Page) -> None:
    write_prompt(stage, page)
    other = page.context.new_page()
    other.goto(page.url)
    for one, text in ((other, "theirs"), (page, "mine")):
        one.locator("[name=m0-0-text]").fill(f"You are {text}.")
        one.get_by_role("button", name="Save version").click()
    expect(page.locator(".conflict")).to_contain_text("Version 2 was saved in the meantime")
    expect(page.locator(".conflict del")).to_have_text("theirs")
    expect(page.locator(".conflict ins")).to_have_text("mine")
    expect(page.locator("[name=m0-0-text]")).to_have_value("You are mine.")
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("status").first).to_contain_text("Version 3 is saved")
    other.close()


def test_a_draft_survives_a_reload(stage: Stage, page: Page) -> None:
    write_prompt(stage, page)
    page.locator("[name=m0-0-text]").fill("not saved yet")
    page.reload()
    expect(page.locator("[name=m0-0-text]")).to_have_value("not saved yet")
    expect(page.get_by_role("status").first).to_contain_text("What you had not saved is back")
    page.get_by_role("button", name="Discard it").click()
    expect(page.locator("[name=m0-0-text]")).to_have_value("You describe pictures in one sentence.")


def test_a_prompt_that_is_saved_is_not_served_before_it_is_published(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.loupe.root}/w/default/prompts/new")
    slug = f"own-name-{uuid.uuid4().hex[:6]}"
    page.get_by_label("Name").fill("Saved only")
    page.get_by_label("Called as").fill(slug)
    page.get_by_label("Name").press("Enter")
    expect(page.get_by_role("link", name="v1, not published")).to_be_visible()
    status, _, answer = stage.post(f"/v1/prompts/{slug}/completions", b"{}")
    assert (status, "has no published version" in answer.decode()) == (404, True)
    page.get_by_role("button", name="Publish").click()
    until(lambda: stage.post(f"/v1/prompts/{slug}/completions", b"{}")[0] == 200, "it is served")


def test_an_old_version_is_shown_though_there_is_a_draft_of_the_newest(stage: Stage, page: Page) -> None:
    write_prompt(stage, page)
    address = page.url
    page.locator("[name=m0-0-text]").fill("Second.")
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("status").first).to_contain_text("Version 2 is saved")
    page.locator("[name=m0-0-text]").fill("Not saved.")
    page.goto(f"{address}?version=1")
    expect(page.locator("[name=m0-0-text]")).to_have_value("You describe pictures in one sentence.")
    page.goto(address)
    expect(page.locator("[name=m0-0-text]")).to_have_value("Not saved.")


def test_versions_are_compared_published_and_labelled(stage: Stage, page: Page) -> None:
    slug = write_prompt(stage, page)
    page.locator("[name=m0-0-text]").fill("You read receipts.")
    page.get_by_label("A note on this version").fill("receipts only")
    page.get_by_role("button", name="Save version").click()
    page.get_by_role("link", name="v2, v1 published").click()
    expect(page.locator(".diff ins").last).to_contain_text("receipts")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("status")).to_contain_text("Version 2 is published")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("status")).to_contain_text("The newest version says again what version 1 said")
    expect(page.get_by_role("row").filter(has_text="v3")).to_contain_text("version 1 again")
    page.get_by_label("Label").fill("staging")
    page.get_by_role("button", name="Set label").click()
    expect(page.locator("table").first).to_contain_text("staging")
    page.get_by_label("Label").fill("latest")
    page.get_by_role("button", name="Set label").click()
    expect(page.get_by_role("status")).to_contain_text("'latest' cannot be a label")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this prompt").click()
    row = page.get_by_role("row").filter(has_text=slug)
    row.get_by_role("button", name="Restore").click()
    expect(row.get_by_role("link", name="v3")).to_be_visible()


def test_a_request_of_the_log_is_opened_as_a_prompt_with_its_picture(stage: Stage, page: Page) -> None:
    id = ask(stage, f"from the log {stage.trace}", picture(size=(50, 40)))
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    page.get_by_role("link", name="Open as prompt").click()
    expect(page.locator("[name=m0-0-text]")).to_have_value(f"from the log {stage.trace}")
    assert drawn(page, ".slot-picture")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#run-state")).to_have_text("Answered")
    sent = json.loads(stage.case.requests[-1].body)
    assert sent["messages"][0]["content"][1]["image_url"]["url"] == data_url(picture(size=(50, 40)))


def test_a_run_can_be_cancelled_and_the_provider_hears_of_it(stage: Stage, page: Page) -> None:
    write_prompt(stage, page)
    go = threading.Event()
    stage.case.will(stream(chat_events("never", " ending"), go=go))
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#run-state")).to_have_text("Answering …")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#run-state")).to_have_text("Cancelled")
    until(lambda: stage.loupe.logs(f"q=state:aborted%20vkey:@{stage.slug}"), "the log says that the client left")
    go.set()


def test_an_answer_that_is_an_error_is_shown_in_the_providers_words(stage: Stage, context: BrowserContext) -> None:
    page = context.new_page()  # Chromium itself complains of an answer that is an error
    write_prompt(stage, page)
    stage.case.will(response(400, {"error": {"message": "no such model here"}}))
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer")).to_contain_text("no such model here")


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_of_prompts_is_wider_than_the_window(stage: Stage, page: Page, width: int) -> None:
    write_prompt(stage, page)
    address = page.url
    page.set_viewport_size({"width": width, "height": 844})
    for path in (address, f"{address}/versions", f"{stage.loupe.root}/w/default/prompts"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_editor_works_without_javascript(chromium: Browser, session: object, stage: Stage) -> None:
    made = chromium.new_context(storage_state=session, java_script_enabled=False)  # type: ignore[arg-type]
    page = made.new_page()
    page.goto(f"{stage.loupe.root}/w/default/prompts/new")
    page.locator("[value='add-text:1']").click()
    page.locator("[name=m1-2-text]").fill("plain forms")
    page.get_by_label("Name").fill("Without scripts")
    page.get_by_role("button", name="Save version").click()
    expect(page.locator("[name=m1-2-text]")).to_have_value("plain forms")
    made.close()


def test_slips_and_refusals_stand_beside_what_causes_them(stage: Stage, context: BrowserContext) -> None:
    page = context.new_page()  # Chromium itself complains of an answer that is an error
    write_prompt(stage, page)
    page.locator("[name=m1-0-text]").press_sequentially(" {{#open}} {{>nowhere}}")
    expect(page.locator("#m1-0-text-slips")).to_contain_text("{{#open}} is never closed")
    expect(page.locator("#m1-0-text-slips")).to_contain_text("There is no partial nowhere")
    page.locator("[name=m1-0-text]").fill("What is it?")
    expect(page.locator("#m1-0-text-slips")).to_be_hidden()
    page.get_by_label("receipt").fill("hello")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".variable [data-problem]")).to_contain_text("'hello' is not a picture")
    expect(page.get_by_label("receipt")).to_be_focused()
    page.get_by_label("receipt").fill("")
    page.locator("#model").fill("@gone/gpt-4o")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".model [data-problem]")).to_contain_text("There is no virtual key @gone")
    expect(page.locator(".variable [data-problem]")).to_be_hidden()


def test_a_link_that_leads_nowhere_is_told_beside_its_variable(
    stage: Stage, upstream: FakeUpstream, context: BrowserContext
) -> None:
    page = context.new_page()  # Chromium itself complains of an answer that is an error
    stage.loupe.add_virtual_key(slug := f"links-{uuid.uuid4().hex[:6]}", upstream.url(slug), provider="ollama")
    write_prompt(stage, page)
    page.locator("#model").fill(f"@{slug}/llava")
    page.get_by_label("receipt").fill("https://127.0.0.1:9/expired.jpg")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".variable [data-problem]")).to_contain_text("the picture behind the link was not fetched")
