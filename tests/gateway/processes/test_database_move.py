"""Everything of a SQLite is in the PostgreSQL after a move: logs, pictures, prompts, sets, people, keys; and it goes on from there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from tests.fake_upstream import FakeUpstream, response
from tests.gateway.processes.test_backup import whole
from tests.gateway.processes.test_durability import all_logs
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture


def ask(loupe: Loupe, text: str, *pictures: bytes) -> None:
    parts = [{"type": "text", "text": text}]
    parts += [{"type": "image_url", "image_url": {"url": data_url(one)}} for one in pictures]
    body = {"model": "@moved/gpt-4o", "messages": [{"role": "user", "content": parts}]}
    trace = f"trace-{uuid.uuid4()}"
    assert loupe.call("/v1/chat/completions", body, headers={"x-portkey-trace-id": trace})[0] == 200
    loupe.log(trace)


def test_all_is_there_after_a_move_and_goes_on(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream, new_postgres: Callable[..., str]
) -> None:
    loupe = own_loupe()
    loupe.add_virtual_key("moved", upstream.url("moved"))
    upstream.on("moved").will(*(response() for _ in range(20)))
    loupe.add_person("ann", "editor")
    for n in range(5):
        ask(loupe, f"word{n} ünïcode \U0001f600 \\u0000 'quoted' \t tab", picture(colour=(n, 2, 3)))
    until(
        lambda: (
            all(log["images"][0]["thumbnail_url"] for log in (whole(loupe, one["id"]) for one in all_logs(loupe)))
            or True
        ),
        "seen",
    )
    browser = Browser(loupe)
    made = browser.post("/w/default/sets/create", "/w/default/sets", name="receipts")
    assert made.status == 200
    key = loupe.manage("apikey", "create", "writer", "--scope", "prompts.write")
    prompt = {
        "name": "moved",
        "collection_id": "",
        "string": '[{"role": "user", "content": "hi {{who}}"}]',
        "parameters": {},
        "model": "m",
    }
    status, _, answer = loupe.call("/v1/prompts", prompt, headers={"x-portkey-api-key": key})
    assert status in (200, 201), answer
    url = new_postgres()
    with pytest.raises(AssertionError, match="Stop Loupe first"):
        loupe.manage("database", "move", url)
    before = {one["id"]: whole(loupe, one["id"]) for one in all_logs(loupe)}
    prompts = json.loads(loupe.call("/v1/prompts", headers={"x-portkey-api-key": key})[2])
    loupe.stop()
    assert "rows are moved" in loupe.manage("database", "move", url)
    with pytest.raises(AssertionError, match="has a Loupe in it already"):
        loupe.manage("database", "move", url)
    loupe.env["DATABASE_URL"] = url
    loupe.start()
    assert {one["id"]: whole(loupe, one["id"]) for one in all_logs(loupe)} == before
    assert json.loads(loupe.call("/v1/prompts", headers={"x-portkey-api-key": key})[2]) == prompts
    assert "receipts" in Browser(loupe).get("/w/default/sets").text
    assert "ann" in loupe.manage("people", "list")
    ask(loupe, "after the move", picture(colour=(9, 9, 9)))
    assert len(all_logs(loupe)) == len(before) + 1
    until(lambda: len(loupe.logs("q=word3")) == 1 or None, "its words are found")
    until(lambda: loupe.manage("check-storage", "--hashes") == "Everything fits together." or None, "it fits together")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///x", "moves to a PostgreSQL"),
        ("nonsense", "PostgreSQL|address of a database"),
        ("postgresql://nobody@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_where_nothing_can_be_moved_to_is_said(own_loupe: Callable[..., Loupe], url: str, words: str) -> None:
    loupe = own_loupe()
    loupe.stop()
    with pytest.raises(AssertionError, match=words):
        loupe.manage("database", "move", url)
