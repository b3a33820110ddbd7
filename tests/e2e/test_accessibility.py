"""Every page of the log browser against WCAG 2.2 AA, by axe-core, in both themes and on a small screen."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Stage
from tests.e2e.conftest import ON_SQLITE, ask, said
from tests.fake_upstream import response
from tests.logsui.sets.visitor import CASES, PICTURES, Runs
from tests.pictures import picture

pytestmark = [pytest.mark.browser, ON_SQLITE]

AXE = Path(__file__).parent.parent / "sdk" / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm install --prefix tests/sdk (CI does, see .ci/run)")
    return AXE.read_text()


@pytest.fixture(scope="module")
def pages_of_sets(corner: Stage) -> list[str]:
    """The pages of a prompt of two versions, of a set, and of a run of both over it."""
    runs = Runs.on(corner.loupe, corner.case, corner.slug).make({"cases.csv": CASES, **PICTURES})
    run = runs.start(f"{runs.slug}@1", f"{runs.slug}@2")
    runs.ended(run)
    prompt = re.findall(r"/prompts/([0-9a-f-]{36})", runs.browser.get(run).text)[0]
    found = [f"prompts/{prompt}", f"prompts/{prompt}/versions", "sets", f"comparisons/new?prompt={runs.slug}"]
    return [*found, runs.path.removeprefix("/w/default/"), run.removeprefix("/w/default/")]


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(
    chromium: Browser, session: Any, stage: Stage, axe: str, pages_of_sets: list[str], scheme: Any, width: int
) -> None:
    stage.case.will(response(body=said('{"label": "total", "bbox": [1, 2, 30, 20]}')))
    id = ask(stage, "accessible", picture(), picture("JPEG"))
    made = chromium.new_context(
        storage_state=session, color_scheme=scheme, viewport={"width": width, "height": 844}, reduced_motion="reduce"
    )
    page = made.new_page()
    found: dict[str, list[str]] = {}
    for path in (
        "logs",
        f"logs?open={id}",
        "logs?q=zebra",
        f"logs/{id}",
        f"logs/{id}/replay",
        f"diff?a={id}&b={id}",
        "logs/chart/table",
        "logs/by/model?w=all",
        "pictures/sent",
        f"pictures/{sha256(picture()).hexdigest()}/answers",
        "logs?w=all&sort=cost",
        "logs/delete?w=1h",
        "keys",
        "people",
        "storage",
        "connect",
        "prompts",
        "prompts/new",
        f"logs/{id}/prompt",
        *pages_of_sets,
    ):
        page.goto(f"{stage.loupe.root}/w/default/{path}")
        if "open=" in path and width > 1000:
            expect(page.locator("#panel h1")).to_be_visible()
        page.evaluate(axe)
        result = page.evaluate("rules => axe.run(document, rules)", RULES)
        for broken in result["violations"]:
            targets = [node["target"][0] for node in broken["nodes"][:3]]
            found.setdefault(f"{broken['id']}: {broken['help']}", []).append(f"{path} {targets}")
    made.close()
    assert found == {}, "\n".join(f"{rule} at {places}" for rule, places in found.items())
