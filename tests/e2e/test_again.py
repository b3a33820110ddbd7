"""Asking again: copied code, replay with other words, and comparing two requests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask, said
from tests.fake_upstream import response
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
