"""Picture sets in the browser: fifty pictures over two versions, stopped half way and gone on with; comparisons; marks."""

from __future__ import annotations

import re
import threading
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask, drawn
from tests.e2e.test_prompts import write_prompt
from tests.fake_upstream import chat_events, response, stream
from tests.pictures import picture

pytestmark = [pytest.mark.browser, ON_SQLITE]

PASTE_OF_A_CELL = """() => {
  const transfer = new DataTransfer();
  transfer.setData("text/plain", "12.50");
  transfer.items.add(new File(["x"], "image.png", { type: "image/png" }));
  const event = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
  document.querySelector(".case-value textarea").dispatchEvent(event);
  return event.defaultPrevented;
}"""


def new_set(stage: Stage, page: Page, slug: str) -> None:
    """The page of a new set with the variables of a prompt."""
    page.goto(f"{stage.loupe.root}/w/default/sets")
    page.get_by_label("Name").fill(f"Receipts {uuid.uuid4().hex[:6]}")
    page.get_by_label("with the variables of").select_option(slug)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="0 cases")).to_be_visible()


def pictures_in(folder: Path, count: int) -> list[Path]:
    files = [folder / f"receipt-{number:02}.png" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(picture(size=(40 + number, 30)))
    return files


def test_fifty_pictures_run_over_two_versions_stopped_half_way_and_gone_on_with(
    stage: Stage, page: Page, tmp_path: Path
) -> None:
    slug = write_prompt(stage, page)
    page.locator("[name=m0-0-text]").fill("You read receipts.")
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("status").first).to_contain_text("Version 2 is saved")
    new_set(stage, page, slug)
    page.get_by_label("Files").set_input_files(pictures_in(tmp_path, 50))
    expect(page.get_by_label("pictures alone go to")).to_have_value("receipt")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("50 cases imported.")
    assert drawn(page, ".case .slot-picture")
    for number in (1, 2):
        page.get_by_label(f"Prompt and version of column {number}").fill(f"{slug}@{number}")
    go = threading.Event()
    stage.case.will(*[response()] * 40, stream(chat_events("half", " whole"), go=go))
    page.get_by_role("button", name="Run all 50 cases").click()
    expect(page.get_by_role("status")).to_contain_text("40 of 100 answered")
    expect(page.locator(".cell-running").first).to_contain_text("half")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_contain_text("stopped")
    expect(page.locator(".cell-running")).to_have_count(0)
    go.set()
    stage.case.scripts.clear()
    page.reload()
    page.get_by_role("button", name="Go on with 60").click()
    expect(page.get_by_role("status")).to_contain_text("100 of 100 answered")
    expect(page.locator(".cell-done")).to_have_count(100)
    expect(page.locator(".cell-answer").last).to_have_text("A red square.")
    assert drawn(page, ".run-value img")
    page.locator(".cell-facts a").first.click()
    expect(page.locator("main")).to_contain_text(f"{slug}@1")
    page.go_back()
    page.get_by_role("link", name="Show in logs").click()
    expect(page.locator(".sums").first).to_contain_text("108 requests")  # eight were broken off


def test_a_case_is_written_checked_and_marked_by_keyboard(stage: Stage, page: Page) -> None:
    new_set(stage, page, write_prompt(stage, page))
    address = page.url
    page.get_by_role("button", name="Add a case").press("Enter")
    page.get_by_label("currency", exact=True).fill("EUR")
    page.get_by_label("The answer").select_option("contains")
    expect(page.locator(".case .field-error:visible")).to_contain_text("Write what the answer is expected to hold")
    page.get_by_role("button", name="Run all 1 case").click()
    expect(page.locator(".field-error").first).to_contain_text("cannot be checked: Write what the answer is expected")
    page.get_by_label("Expected").fill("square")
    page.get_by_label("Expected").press("Tab")
    expect(page.locator(".case .field-error:visible")).to_have_count(0)
    page.get_by_label("Name of the case").fill("a square")
    with page.expect_response(re.compile(r"/cases/\d+$")):
        page.get_by_label("Name of the case").press("Enter")
    page.goto(address)
    expect(page.get_by_label("Name of the case")).to_have_value("a square")
    expect(page.get_by_label("currency", exact=True)).to_have_value("EUR")
    page.get_by_role("button", name="Run all 1 case").press("Enter")
    expect(page.locator(".cell .passed")).to_contain_text("passed")
    expect(page.locator(".run-head").first).to_contain_text("1 of 1 passed")
    page.get_by_role("button", name="Good").press("Enter")
    expect(page.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".run-head").first).to_contain_text("1 good, 0 bad")
    page.get_by_label("Note on answer 1.1").fill("as it should be")
    page.get_by_label("Note on answer 1.1").press("Enter")
    page.get_by_label("Note on answer 1.1").fill("as it should be, nearly")
    page.get_by_role("button", name="Bad").click()
    expect(page.get_by_role("button", name="Bad")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".run-head").first).to_contain_text("0 good, 1 bad")
    page.get_by_role("link", name="Marked bad").click()
    expect(page.get_by_label("Note on answer 1.1")).to_have_value("as it should be, nearly")


def test_pictures_come_into_a_case_by_upload_and_from_the_logs(stage: Stage, page: Page, tmp_path: Path) -> None:
    word = uuid.uuid4().hex[:12]
    ask(stage, f"pick me {word}", picture(size=(66, 44)))
    new_set(stage, page, write_prompt(stage, page))
    page.get_by_label("Variable", exact=True).fill("second")
    page.get_by_label("Variable", exact=True).press("Enter")
    expect(page.get_by_role("status").first).to_have_text("second is a column now.")
    page.get_by_role("button", name="Add a case").click()
    slots = page.locator(".case-value")
    expect(slots).to_have_count(3)
    [file] = pictures_in(tmp_path, 1)
    slots.nth(1).locator("[data-upload]").set_input_files(file)
    expect(slots.nth(1).locator("textarea")).to_have_value(re.compile("^loupe:sha256:[0-9a-f]{64}$"))
    slots.nth(0).locator("textarea").fill("EUR")
    assert page.evaluate(PASTE_OF_A_CELL) is False, "words that come with a picture of themselves stay words"
    slots.nth(2).get_by_role("button", name="Logs").click()
    page.get_by_label("Search the logs").fill(word)
    expect(page.locator(".pick")).to_have_count(1)
    with page.expect_response(lambda answer: "v-second=loupe" in (answer.request.post_data or "")):
        page.locator(".pick").click()
    page.reload()
    expect(slots.nth(0).locator("textarea")).to_have_value("EUR")
    for at in (1, 2):
        expect(slots.nth(at).locator("textarea")).to_have_value(re.compile("^loupe:sha256:[0-9a-f]{64}$"))
        expect(slots.nth(at).locator("img")).to_be_visible()


def test_versions_are_compared_on_the_values_of_the_editor(stage: Stage, page: Page) -> None:
    slug = write_prompt(stage, page)
    page.locator("[name=m0-0-text]").fill("You read receipts.")
    page.get_by_role("button", name="Save version").click()
    page.get_by_label("currency").fill("EUR")
    page.get_by_role("button", name="Compare …").click()
    expect(page.get_by_label("currency")).to_have_value("EUR")
    page.get_by_label("Model of column 2").fill(f"@{stage.slug}/gpt-4o-mini")
    page.get_by_role("button", name="Run side by side").click()
    expect(page.locator(".cell-answer")).to_have_text(["A red square."] * 2)
    expect(page.locator(".run-head").nth(0)).to_contain_text(f"{slug}@2")
    expect(page.locator(".run-head").nth(1)).to_contain_text(f"{slug}@1")
    expect(page.locator(".run-head").nth(1)).to_contain_text("gpt-4o-mini")
    page.get_by_role("link", name="Run again").click()
    expect(page.get_by_label("currency")).to_have_value("EUR")
    expect(page.get_by_label("Model of column 2")).to_have_value(f"@{stage.slug}/gpt-4o-mini")


def test_a_picture_is_picked_from_the_logs(stage: Stage, page: Page) -> None:
    word = uuid.uuid4().hex[:12]
    ask(stage, f"pick me {word}", picture(size=(77, 44)))
    write_prompt(stage, page)
    page.locator(".slot").get_by_role("button", name="From the logs").press("Enter")
    page.get_by_label("Search the logs").fill(word)
    expect(page.locator(".pick")).to_have_count(1)
    expect(page.locator(".pick")).to_have_attribute("title", re.compile("77 × 44"))
    page.locator(".pick").press("Enter")
    expect(page.locator("#picker")).to_be_hidden()
    expect(page.locator("[name=m1-1-url]")).to_have_value(re.compile("^loupe:sha256:[0-9a-f]{64}$"))
    assert drawn(page, ".slot .slot-picture")
    page.get_by_role("button", name="Save version").click()
    expect(page.get_by_role("status").first).to_contain_text("Version 2 is saved")
    page.get_by_role("link", name="v2, v1 published").click()
    expect(page.locator(".pair .picture-none")).to_have_text("no picture in v1")
    assert drawn(page, ".pair img")


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_of_sets_is_wider_than_the_window(stage: Stage, page: Page, tmp_path: Path, width: int) -> None:
    new_set(stage, page, write_prompt(stage, page, uuid.uuid4().hex + "W" * 68))
    address = page.url
    page.get_by_label("Files").set_input_files(pictures_in(tmp_path, 3))
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_label("Prompt and version of column 1").fill("no-such-prompt")
    page.get_by_role("button", name="Run all 3 cases").click()
    expect(page.locator(".run-columns .field-error")).to_contain_text("There is no prompt 'no-such-prompt'")
    page.set_viewport_size({"width": width, "height": 844})
    for path in (address, f"{stage.loupe.root}/w/default/sets", f"{stage.loupe.root}/w/default/comparisons/new"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_sets_are_made_and_run_without_javascript(
    chromium: Browser, session: object, stage: Stage, page: Page, tmp_path: Path
) -> None:
    slug = write_prompt(stage, page)
    made = chromium.new_context(storage_state=session, java_script_enabled=False)  # type: ignore[arg-type]
    plain = made.new_page()
    new_set(stage, plain, slug)
    plain.get_by_label("Files").set_input_files(pictures_in(tmp_path, 2))
    plain.get_by_label("pictures alone go to").select_option("receipt")
    plain.get_by_role("button", name="Import", exact=True).click()
    plain.get_by_label("Name of the case").first.fill("the first")
    plain.get_by_label("Name of the case").first.press("Enter")
    expect(plain.get_by_role("status").first).to_have_text("the first is saved.")
    plain.get_by_label("Prompt and version of column 1").fill(slug)
    plain.get_by_role("button", name="Run all 2 cases").click()
    stage.case.wait_request(2)
    for _ in range(50):
        plain.reload()
        if plain.locator(".cell-done").count() == 2:
            break
    expect(plain.locator(".cell-answer").first).to_have_text("A red square.")
    made.close()
