"""Looking at pictures: the room that they and the words get, the lightbox, and what is drawn on them."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask, drawn, said
from tests.fake_upstream import response
from tests.loupe import until
from tests.pictures import picture

pytestmark = [pytest.mark.browser, ON_SQLITE]

WIDTHS = (390, 1024, 1280, 1440, 2560)


def box(page: Page, selector: str) -> dict[str, float]:
    found = page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return dict(found)


def is_wider_than_the_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_words_have_room_at_every_width_with_and_without_the_panel(
    context: BrowserContext, stage: Stage, width: int
) -> None:
    id = ask(stage, "a long question " * 12, *(picture(size=(60 + n, 40)) for n in range(5)))
    ask(stage, "another", picture())
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    for address in ("", f"?open={id}") if width >= 1000 else ("",):
        page.goto(f"{stage.loupe.root}/w/default/logs{address}")
        row = f"#log-{id}"
        assert box(page, f"{row} .cell-words")["width"] >= 240
        assert not is_wider_than_the_window(page)
        cells = page.locator(f"{row} td:visible").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).map(b => [b.left, b.right, b.top, b.bottom])"
        )
        for (_, right, _, bottom), (left, _, top, _) in pairwise(cells):
            assert left >= right - 1 or top >= bottom - 1 or width < 640, "cells print over each other"
        if address:
            expect(page.locator(f"{row} .cell-model")).to_be_hidden()
            expect(page.locator(f"{row} .thumb:visible")).to_have_count(1 if width < 2000 else 4)
    page.close()


@pytest.mark.parametrize(("width", "least"), [(390, 320), (1280, 640), (2560, 900)])
def test_a_photo_fills_the_column_up_to_most_of_the_height(
    context: BrowserContext, stage: Stage, width: int, least: int
) -> None:
    id = ask(stage, "one photo", picture("JPEG", (4000, 3000)))
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 1200})
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    assert drawn(page, ".picture-box img")
    shown = box(page, ".picture-box img")
    assert least <= shown["width"] <= width
    assert shown["height"] <= 0.7 * 1200 + 1
    assert shown["width"] / shown["height"] == pytest.approx(4 / 3, rel=0.02)
    assert not is_wider_than_the_window(page)
    page.close()


def test_two_photos_stand_side_by_side_with_their_tops_in_line(context: BrowserContext, stage: Stage) -> None:
    id = ask(stage, "two photos", picture("JPEG", (4000, 3000)), picture("JPEG", (3000, 3000)))
    page = context.new_page()
    page.set_viewport_size({"width": 2560, "height": 1200})
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    first, second = (box(page, f"figure:has(#picture-i{n}) .picture-box") for n in (0, 1))
    assert first["y"] == second["y"]
    assert first["height"] == pytest.approx(second["height"], abs=3)
    assert first["width"] > 700
    page.close()


def test_many_pictures_make_rows_of_one_height(stage: Stage, page: Page) -> None:
    id = ask(stage, "many", *(picture(size=(300 + 20 * n, 240)) for n in range(12)))
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    page.wait_for_function("document.querySelectorAll('.picture[data-ratio]').length === 12")
    boxes = page.locator(".picture-box").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(b => [Math.round(b.top), b.height])"
    )
    rows: dict[int, list[float]] = {}
    for top, height in boxes:
        rows.setdefault(top, []).append(height)
    assert len(rows) < 5
    for heights in rows.values():
        assert max(heights) - min(heights) < 3
    expect(page.locator(".picture-number").nth(11)).to_have_text("image 12")


def in_lightbox(page: Page, stage: Stage, id: str) -> None:
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    page.locator(".picture-box").first.click()
    assert drawn(page, "#lightbox-image")
    expect(page.locator("#lightbox:not([aria-busy])")).to_be_visible()


def under(page: Page, x: float, y: float) -> list[float]:
    """Which pixel of the picture stands at a place of the window."""
    found: list[float] = page.evaluate(
        """([x, y]) => { const b = document.getElementById('lightbox-image').getBoundingClientRect(),
           i = document.getElementById('lightbox-image');
           return [(x - b.left) / b.width * i.naturalWidth, (y - b.top) / b.height * i.naturalHeight] }""",
        [x, y],
    )
    return found


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves(stage: Stage, page: Page) -> None:
    in_lightbox(page, stage, ask(stage, "large", picture(size=(3000, 2000))))
    page.mouse.move(1100, 600)
    before = under(page, 1100, 600)
    page.mouse.wheel(0, -800)
    assert under(page, 1100, 600) == pytest.approx(before, abs=2)
    width = box(page, "#lightbox-image")["width"]
    page.mouse.down()
    page.mouse.move(900, 500, steps=3)
    page.mouse.up()
    assert box(page, "#lightbox-image")["width"] == width
    assert under(page, 900, 500) == pytest.approx(before, abs=30)
    bar = box(page, ".lightbox-bar")
    assert bar["x"] >= 0
    assert bar["x"] + bar["width"] <= 1440
    assert bar["y"] + bar["height"] <= 900


def test_the_keyboard_zooms_and_the_picture_downloads(stage: Stage, page: Page) -> None:
    in_lightbox(page, stage, ask(stage, "large", picture(size=(3000, 2000))))
    whole = box(page, "#lightbox-image")["width"]
    page.keyboard.press("1")
    assert box(page, "#lightbox-image")["width"] == pytest.approx(3000)
    page.keyboard.press("-")
    assert box(page, "#lightbox-image")["width"] == pytest.approx(2400)
    page.keyboard.press("0")
    assert box(page, "#lightbox-image")["width"] == pytest.approx(whole)
    with page.expect_download() as download:
        page.locator("#lightbox-download").click()
    assert download.value.path().read_bytes() == picture(size=(3000, 2000))
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()


def test_what_the_model_sees_is_drawn_and_stands_beside_it_in_step(stage: Stage, page: Page) -> None:
    id = ask(stage, "seen", picture("JPEG", (4000, 3000)))
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    expect(page.locator(".eye")).to_be_hidden()
    page.get_by_label("What the model sees").check()
    expect(page.locator(".eye")).to_be_visible()
    page.reload()
    expect(page.locator(".eye")).to_be_visible()  # remembered
    page.locator(".picture-box").click()
    expect(page.locator("#lightbox:not([aria-busy])")).to_be_visible()
    page.keyboard.press("b")
    seen = page.locator("#lightbox-beside canvas")
    expect(seen).to_be_visible()
    assert seen.evaluate("one => [one.width, one.height]") == [1024, 768]
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -900)
    first, second = (box(page, selector) for selector in ("#lightbox-image", "#lightbox-beside canvas"))
    assert first["width"] == pytest.approx(second["width"], abs=1)
    assert first["y"] == pytest.approx(second["y"], abs=1)


def test_a_picture_that_exif_turns_can_be_seen_as_it_is_stored(stage: Stage, page: Page) -> None:
    scene, out, exif = Image.new("RGB", (800, 400), (9, 120, 60)), io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    scene.save(out, "JPEG", exif=exif)
    id = ask(stage, "turned", out.getvalue())
    address = f"{stage.loupe.root}/w/default/logs/{id}"
    until(lambda: page.goto(address) and page.get_by_text("Rotated by EXIF").count(), "the worker has looked at it")
    in_lightbox(page, stage, id)
    upright = box(page, "#lightbox-image")
    assert upright["height"] > upright["width"]
    page.get_by_role("button", name="As stored").click()
    stored = box(page, "#lightbox-image")
    assert stored["width"] > stored["height"]


def test_a_place_in_the_answer_is_lit_on_the_picture_and_back(stage: Stage, page: Page) -> None:
    answer = 'Here:\n\n```json\n{"label": "total", "bbox": [20, 30, 120, 50]}\n```'
    stage.case.will(response(body=said(answer)))
    page.goto(f"{stage.loupe.root}/w/default/logs/{ask(stage, 'where?', picture(size=(400, 200)))}")
    image, mark = box(page, ".picture-box img"), box(page, ".marks rect")
    scale = image["width"] / 400
    assert mark["x"] - image["x"] == pytest.approx(20 * scale, abs=2)
    assert mark["width"] == pytest.approx(100 * scale, abs=3)
    page.locator(".marks-legend li").hover()
    expect(page.locator(".marks .lit")).to_have_count(1)
    words: dict[str, Any] = page.evaluate(
        "() => { const r = [...CSS.highlights.get('said')][0]; const b = r.getBoundingClientRect();"
        " return { text: r.toString(), x: b.x + b.width / 2, y: b.y + b.height / 2 } }"
    )
    assert words["text"] == "[20, 30, 120, 50]"
    page.mouse.move(5, 5)
    expect(page.locator(".marks .lit")).to_have_count(0)
    page.mouse.move(words["x"], words["y"])
    expect(page.locator(".marks .lit")).to_have_count(1)


def test_another_reading_of_the_numbers_is_picked_in_place(stage: Stage, page: Page) -> None:
    stage.case.will(response(body={**said('{"bbox": [100, 100, 300, 150]}'), "model": f"own-{stage.slug}"}))
    page.goto(f"{stage.loupe.root}/w/default/logs?open={ask(stage, 'where?', picture(size=(400, 200)))}")
    expect(page.locator("#panel .marks rect")).to_have_attribute("x", "100")
    page.locator("#panel .marks-legend select").select_option("1000-xy")
    expect(page.locator("#panel .marks rect")).to_have_attribute("x", "40")
