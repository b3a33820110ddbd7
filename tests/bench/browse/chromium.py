"""`python -m tests.bench.browse.chromium`: how soon Chromium paints after a key or a click, as a Markdown table.

The figure is Interaction to Next Paint (https://web.dev/articles/inp): from the event to the next frame, as the browser's own
Event Timing reports it, in steps of 8 ms. Beside it, how long until what was asked for is there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.bench.browse.pages import filled

ROUNDS = 15
LATEST = Path(__file__).with_name("chromium.md")
OBSERVE = """() => {
  window.timings = [];
  new PerformanceObserver((list) => window.timings.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: "event", durationThreshold: 16 });
}"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 150)))"
Act = Callable[[Page], None]


def next_request(page: Page) -> None:
    """With the panel open: the panel follows."""
    before = page.locator("#panel-page").get_attribute("href") or ""
    page.keyboard.press("j")
    expect(page.locator("#panel-page")).not_to_have_attribute("href", before)
    expect(page.locator("#panel-body h1")).to_be_visible()


def open_panel(page: Page) -> None:
    page.locator(".row-link").nth(3).click()
    expect(page.locator("#panel-body h1")).to_be_visible()


def close_panel(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()


def tick_a_facet(page: Page) -> None:
    before = page.url
    page.locator(".facet-value").nth(2).click()
    page.wait_for_function("url => location.href !== url", arg=before)


def type_in_the_search(page: Page) -> None:
    page.locator("#q").fill("")
    page.locator("#q").press_sequentially("model:g", delay=30)
    expect(page.get_by_role("option").first).to_be_visible()


def search(page: Page) -> None:
    page.locator("#q").fill("receipt" if "receipt" not in page.url else "invoice")
    before = page.url
    page.keyboard.press("Enter")
    page.wait_for_function("url => location.href !== url", arg=before)


STEPS: dict[str, Act] = {
    "open the panel": open_panel,
    "next request with `j`": next_request,
    "close the panel": close_panel,
    "tick a facet": tick_a_facet,
    "type in the search box": type_in_the_search,
    "search": search,
}


def measure(page: Page) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds to the next paint, the worst of each time, and until what was asked for is there."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in STEPS}
    page.evaluate(OBSERVE)
    for _ in range(ROUNDS):
        for name, act in STEPS.items():
            page.evaluate("window.timings.length = 0")
            started = time.perf_counter()
            act(page)
            found[name][1].append(1000 * (time.perf_counter() - started))
            page.evaluate(SETTLED)
            found[name][0].append(max(page.evaluate("window.timings"), default=16))
    return found


def table(title: str, found: dict[str, tuple[list[float], list[float]]]) -> str:
    lines = [f"# {title}", "", "| interaction | next paint, median ms | worst ms | done, median ms |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    for name, (paints, done) in found.items():
        paint = statistics.median(paints)
        lines.append(f"| {name} | {paint:.0f} | {max(paints):.0f} | {statistics.median(done):.0f} |")
    return "\n".join(lines) + "\n\nA next paint of 16 ms is that or less.\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.browse.chromium", description=__doc__)
    parser.add_argument("--logs", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="a folder in which the sample logs stay, to be measured again")
    given = parser.parse_args()
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with (
        tempfile.TemporaryDirectory() as scratch,
        filled("sqlite", given.logs, given.keep or Path(scratch)) as loupe,
        sync_playwright() as play,
    ):
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(loupe.manage("loginlink", "--base", loupe.root))
        page.goto(f"{loupe.root}/w/default/logs?w=all")
        found = measure(page)
        browser.close()
    text = table(f"Interactions in Chromium, {given.logs:,} logs on SQLite", found)
    LATEST.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
