"""The snippets of the page Connect, copied from the page and run as the kind of file that they say they are."""

from __future__ import annotations

import html
import re

import pytest

from logsui.account.connect import TEMPLATES
from tests.logsui.browser import Browser
from tests.loupe import Loupe
from tests.reader import Reader

ENDINGS = {"Python": ".py", "Node": ".mjs"}


@pytest.mark.node
@pytest.mark.parametrize("id", [id for id, _, _ in TEMPLATES])
def test_a_snippet_of_the_page_runs(reader: Reader, id: str) -> None:
    page = Browser(reader.loupe).get("/w/default/connect").text
    found = re.search(
        rf'<h2>([^<]*)<button[^>]*data-copy="{id}".*?<pre[^>]*id="{id}"[^>]*>(.*?)</pre>', page, re.DOTALL
    )
    assert found is not None, page
    title, text = html.unescape(found[1]).strip(), html.unescape(found[2])
    ending = ENDINGS.get(title.rpartition(", ")[2], ".sh")
    said = reader.run(text, f"connect-{id}{ending}")
    assert said.strip()
    assert '"error"' not in said


def test_the_connect_page_names_this_address(loupe: Loupe, browser: Browser) -> None:
    page = browser.get("/w/default/connect").text
    assert page.count(loupe.base) >= 5
