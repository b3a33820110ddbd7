"""Reading one request: the conversation, its pictures, the raw bodies, and inputs that mean harm."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import SHARED, Stage
from tests.e2e.conftest import ON_SQLITE, ask, drawn, said
from tests.fake_upstream import response
from tests.loupe import until
from tests.pictures import data_url, picture

pytestmark = [pytest.mark.browser, ON_SQLITE]


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


def test_on_paper_a_folded_answer_is_whole_and_nothing_that_only_a_screen_can_do_is_there(
    stage: Stage, page: Page
) -> None:
    stage.case.will(response(body=said("word " * 8000 + "the end")))
    page.goto(f"{stage.loupe.root}/w/default/logs/{ask(stage, 'print me ' * 400)}")
    page.emulate_media(media="print")
    for words in page.locator(".fold > .words").all():
        expect(words).to_be_visible()
        assert (words.bounding_box() or {})["height"] > 300
    for gone in (".rail", ".bar", ".actions", ".fold-start", ".raw"):
        expect(page.locator(gone).first).to_be_hidden()


def test_text_from_right_to_left_runs_so_in_the_conversation_and_in_the_list(stage: Stage, page: Page) -> None:
    stage.case.will(response(body=said("هذه فاتورة")))
    id = ask(stage, "ما هذا؟")
    page.goto(f"{stage.loupe.root}/w/default/logs?open={id}")
    expect(page.locator("#panel .turn-answer")).to_contain_text("هذه فاتورة")
    directions = "all => all.map(one => getComputedStyle(one).direction)"
    shown = page.locator("#panel .words").evaluate_all(directions)
    assert set(shown) == {"rtl"}


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


def test_the_lightbox_opens_from_a_page_that_was_replaced_in_part(stage: Stage, page: Page) -> None:
    id = ask(stage, "large", picture(size=(3000, 2000)))
    page.goto(f"{stage.loupe.root}/w/default/logs?q=vkey:@{stage.slug}")
    page.locator(".facet-value").first.click()
    page.locator(f"#log-{id} .row-link").click()
    page.locator("#panel figure a.picture-box").click()
    assert drawn(page, "#lightbox-image")


def tried(stage: Stage, *problems: str) -> None:
    """Wait until the worker has looked at the pictures, and found just these problems, in any order."""

    def all_are_found() -> bool:
        return sorted(one["problem"] for one in stage.log()["images"] if one["problem"]) == sorted(problems)

    until(all_are_found, "all are looked at")


def test_broken_and_unknown_pictures_say_why(stage: Stage, page: Page) -> None:
    broken = picture("PNG", (300, 300))[:60]
    id = ask(stage, "odd ones", broken, b"%PDF-1.7 " + bytes(200), b"GIF89a" + bytes(30))
    tried(stage, "image_truncated", "image_undecodable")
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
    tried(stage, "image_undecodable", "image_undecodable")
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
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
