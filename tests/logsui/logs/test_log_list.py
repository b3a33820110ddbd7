"""The list: its rows, what is new, older pages, odd addresses."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace

from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture


def chat_with(stage: Stage, text: str, *pictures: bytes) -> str:
    """Send it, wait for its log, answer its id."""
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in pictures]
    stage.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]})
    return str(stage.log()["id"])


def test_the_list_shows_the_request_with_its_picture(stage: Stage, browser: Browser) -> None:
    id = chat_with(stage, f"What is this? {stage.trace}", picture())
    page = browser.get("/w/default/logs")
    row = re.search(rf'<tr class="log-row" id="log-{id}".*?</tr>', page.text, re.S)
    assert row is not None
    for shown in (stage.trace, "A red square.", f"@{stage.slug}", "gpt-4o", "1,110", "$0.0028"):
        assert shown in row[0]
    thumbnail = re.search(r'src="([^"]+/images/i0/256)"', row[0])
    assert thumbnail is not None
    assert browser.get(thumbnail[1]).headers["content-type"] == "image/webp"
    assert "data:image" not in page.text


def test_an_open_list_hears_of_new_rows_and_of_rows_that_changed(stage: Stage, browser: Browser) -> None:
    first = chat_with(stage, "the first")
    news = f"/w/default/logs/new?after={first}"
    assert browser.get(news).status == 204
    second = chat_with(replace(stage, trace=f"{stage.trace}-2"), "the second", picture())
    fresh = browser.get(news).text
    assert f'id="log-{second}"' in fresh
    assert f'id="log-{first}"' not in fresh
    assert "<html" not in fresh
    assert f'id="log-{second}"' in browser.get(f"{news}&q=prompt:second").text
    assert browser.get(f"{news}&q=prompt:third").status == 204
    stale = browser.get(f"/w/default/logs/new?after={second}&unsettled={second}.00000000").text
    assert f'id="log-{second}"' in stale.split('id="changed"')[1]


def test_older_pages_follow_a_cursor(stage: Stage, browser: Browser) -> None:
    body = {"model": "@sandbox/none", "messages": []}
    for _ in range(55):
        stage.loupe.call(
            "/v1/nothing", body, headers={"x-portkey-trace-id": stage.trace, "x-portkey-virtual-key": "sandbox"}
        )
    until(lambda: len(stage.loupe.logs(f"trace_id={stage.trace}")) == 55, "all are taken in")
    first = browser.get("/w/default/logs").text
    older = re.search(r'href="(\?before=[\w-]+)"', first)
    assert older is not None
    second = browser.get("/w/default/logs" + older[1]).text
    ids: Callable[[str], set[str]] = lambda text: set(re.findall(r'id="log-([0-9a-f-]{36})"', text))
    assert (len(ids(first)), ids(first) & ids(second)) == (50, set())
    assert "hx-trigger" not in second


def test_odd_addresses_are_answered_kindly(loupe: Loupe, browser: Browser) -> None:
    for query in ("before=nonsense", "from=yesterday", "q=since:soon", "q=cost:cheap"):
        page = browser.get(f"/w/default/logs?{query}")
        assert (page.status, 'class="warning"' in page.text) == (400, True), query
    assert browser.get(f"/w/default/logs/{uuid.uuid4()}").status == 404
    assert "Not found" in browser.get("/nowhere").text
    assert loupe.call("/v1/logs?limit=0")[0] == 400
    assert loupe.call("/v1/logs?nonsense=1")[0] == 400
    assert loupe.call(f"/v1/logs/{uuid.uuid4()}")[0] == 404
    assert loupe.call("/v1/logs", headers={"x-portkey-api-key": "lp_wrong"})[0] == 401
    for path, body in (
        ("/v1/logs/not-an-id", None),
        ("/v1/logs", {"x": 1}),
        (f"/v1/logs/{uuid.uuid4()}/images/zz", None),
    ):
        status, headers, answer = loupe.call(path, body)
        assert 400 <= status < 500
        assert headers["content-type"] == "application/json"
        assert headers["x-portkey-trace-id"]
        assert json.loads(answer)["error"]["message"]


def test_a_page_says_how_long_its_parts_took_to_members_alone(loupe: Loupe, browser: Browser) -> None:
    told = browser.get("/w/default/logs").headers["server-timing"]
    spent = {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([\d.]+)", told)}
    assert spent.keys() == {"sql", "index", "template", "total"}
    assert max(spent.values()) == spent["total"]
    assert "server-timing" not in loupe.call("/login")[1]
