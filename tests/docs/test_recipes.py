"""The recipes of docs/architecture.md, followed to the letter in a copy of the house."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import read_blocks
from tests.logsui.browser import Browser
from tests.loupe import ROOT, Loupe

PARTS = ("gateway", "logsui", "prompts", "static", "manage.py")
BLOCKS = [block.text for block in read_blocks() if block.page == "architecture"]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loupe]:
    folder = tmp_path_factory.mktemp("extended")
    code = folder / "code"
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        code.mkdir(exist_ok=True)
        copy(ROOT / part, code / part)
    follow_the_recipes(code)
    loupe = Loupe(folder / "data", code=code).start()
    yield loupe
    loupe.stop()


def follow_the_recipes(code: Path) -> None:
    _, facet, view, template, page, endpoint, address = (
        BLOCKS  # the first is followed in providers/test_new_provider.py
    )
    insert(code / "gateway/index/facets.py", "FACETS = (\n", f"    {facet.strip()},\n")
    (code / "logsui/account/about.py").write_text(view)
    (code / "logsui/templates/logsui/account/about.html").write_text(template)
    insert(code / "logsui/urls.py", "from logsui.account import ", "about, ")
    insert(code / "logsui/urls.py", "urlpatterns: list[URLPattern] = [\n", f"    {page.strip()},\n")
    (code / "gateway/api/ping.py").write_text(endpoint)
    insert(code / "gateway/urls.py", "from gateway.api import ", "ping, ")
    insert(code / "gateway/urls.py", "urlpatterns = [\n", f"    {address.strip()},\n")
    insert(code / "gateway/proxy/front_gate.py", 'DJANGO_V1 = re.compile(r"/v1/(', "ping|")


def insert(path: Path, after: str, text: str) -> None:
    found = path.read_text()
    assert found.count(after) == 1, (path, after)
    path.write_text(found.replace(after, after + text))


def test_a_facet_is_searched_for(extended: Loupe) -> None:
    status, _, answer = extended.call("/v1/logs?q=label:production")
    assert (status, b'"data": []' in answer) == (200, True), answer
    suggested = Browser(extended).get("/w/default/logs/suggestions?word=lab").text
    assert "label:" in suggested


def test_a_page_is_shown(extended: Loupe) -> None:
    page = Browser(extended).get("/w/default/about")
    assert (page.status, "This workspace is" in page.text) == (200, True)


def test_an_endpoint_answers(extended: Loupe) -> None:
    status, _, answer = extended.call("/v1/ping")
    assert (status, answer) == (200, b'{"workspace": "default", "key": "first"}'), answer
