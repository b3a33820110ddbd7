"""Debian's Chromium, a person who is logged in, and a page that must not complain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import Stage, needs
from tests.loupe import Loupe
from tests.pictures import data_url

expect.set_options(timeout=60_000)  # a test that fails may take its time

# Pages look the same on either database; what they are made of is tested on both, over HTTP.
ON_SQLITE = pytest.mark.parametrize("loupe", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For a module at a time: while it is open, Playwright holds this thread's event loop."""
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
    page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(loupe.root) else complaints.append(request.url))
    yield page
    assert complaints == []


def is_complaint(message: ConsoleMessage) -> bool:
    """htmx tells, as an error, that a request under way is dropped when the page is left."""
    is_dropped = message.text.startswith(("htmx:afterRequest", "htmx:sendAbort"))
    return message.type in ("error", "warning") and not is_dropped


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


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
