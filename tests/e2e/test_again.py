"""Asking again: copied code, replay with other words, and comparing two requests."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask, said
from tests.fake_upstream import response
from tests.loupe import until
from tests.pictures import data_url, picture

pytestmark = [pytest.mark.browser, ON_SQLITE]


def test_what_copy_as_curl_puts_on_the_clipboard_runs(stage: Stage, page: Page, tmp_path: Path) -> None:
    id = ask(stage, f"copy me {stage.trace}", picture(size=(8, 8)))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{stage.loupe.root}/w/default/logs/{id}")
    page.keyboard.press("c")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the folder").click()
    with zipfile.ZipFile(download.value.path()) as folder:
        folder.extractall(tmp_path)
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    pasted = page.evaluate("navigator.clipboard.readText()")
    env = os.environ | {"LOUPE_API_KEY": stage.loupe.key}
    subprocess.run(["bash", "-c", pasted], cwd=tmp_path, env=env, check=True, capture_output=True, timeout=60)
    first, again = (json.loads(one.body) for one in stage.case.requests)
    assert first == again


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


def test_a_part_of_a_picture_is_dragged_out_and_asked_about(stage: Stage, page: Page) -> None:
    scene = Image.new("RGB", (400, 200), (0, 0, 255))
    scene.paste((255, 0, 0), (200, 0, 400, 200))
    out = io.BytesIO()
    scene.save(out, "PNG")
    page.goto(f"{stage.loupe.root}/w/default/logs/{ask(stage, 'what is there?', out.getvalue())}")
    page.locator(".picture-box").click()
    expect(page.locator("#lightbox:not([aria-busy])")).to_be_visible()
    page.get_by_role("button", name="Crop and ask").click()
    shown = page.locator("#lightbox-image").bounding_box()
    assert shown is not None
    scale = shown["width"] / 400
    page.mouse.move(shown["x"] + 250 * scale, shown["y"] + 50 * scale)
    page.mouse.down()
    page.mouse.move(shown["x"] + 350 * scale, shown["y"] + 150 * scale, steps=4)
    page.mouse.up()
    expect(page.locator(".swap-state")).to_contain_text("cropped, 100 × 100")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#replay-state")).to_have_text("Answered")
    url = json.loads(stage.case.requests[-1].body)["messages"][0]["content"][1]["image_url"]["url"]
    sent = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert sent.size == (100, 100)
    assert sent.convert("RGB").getpixel((50, 50)) == (255, 0, 0)


def test_a_picture_is_swapped_for_a_file(stage: Stage, page: Page, tmp_path: Path) -> None:
    (tmp_path / "other.png").write_bytes(picture(size=(33, 22)))
    page.goto(f"{stage.loupe.root}/w/default/logs/{ask(stage, 'swap me', picture(size=(64, 48)))}/replay")
    page.locator(".swap input").set_input_files(tmp_path / "other.png")
    expect(page.locator(".swap-state")).to_contain_text("swapped, 33 × 22")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#replay-state")).to_have_text("Answered")
    url = json.loads(stage.case.requests[-1].body)["messages"][0]["content"][1]["image_url"]["url"]
    assert url == data_url(picture(size=(33, 22)))


def test_a_picture_of_low_detail_is_asked_about_again_at_high(stage: Stage, page: Page) -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(picture(size=(2000, 1500))), "detail": "low"}}
    stage.chat({"messages": [{"role": "user", "content": [part]}]})
    id = stage.log()["id"]
    link = page.get_by_role("link", name="Ask again at detail high")
    until(lambda: page.goto(f"{stage.loupe.root}/w/default/logs/{id}") and link.count(), "its size is known")
    expect(page.get_by_text("≈ 765 tokens instead of 85")).to_be_visible()
    link.click()
    expect(page.locator("#body")).to_have_value(re.compile('"detail": ?"high"'))


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
