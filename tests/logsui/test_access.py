"""Who may see a page, and who may change something there."""

from __future__ import annotations

import uuid

from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.loupe import Loupe
from tests.pictures import data_url, picture


def chat_with(stage: Stage, text: str, *pictures: bytes) -> str:
    """Send it, wait for its log, answer its id."""
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in pictures]
    stage.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]})
    return str(stage.log()["id"])


def test_strangers_see_nothing(stage: Stage) -> None:
    id = chat_with(stage, "private", picture())
    stranger = Browser(stage.loupe, "")
    for path in pages_of(id):
        assert stranger.get(path).url.startswith(f"{stage.loupe.root}/login?next="), path
    assert stranger._open("/w/default/keys/create", b"name=x", {}).status == 403


def pages_of(id: str) -> list[str]:
    log = f"/w/default/logs/{id}"
    return [
        "/",
        "/account",
        "/w/default/logs",
        "/w/default/keys",
        "/w/default/connect",
        log,
        f"{log}/body/request",
        f"{log}/images/i0",
        f"{log}/images/i0/256",
        f"{log}/json/request",
        f"{log}/folder.zip",
        f"{log}/replay",
        f"/w/default/diff?a={id}&b={id}",
        "/w/default/logs/new",
        "/w/default/logs/chart",
        "/w/default/logs/chart/table",
        "/w/default/logs/export/jsonl",
        "/w/default/logs/suggestions?word=mod",
    ]


def test_members_of_another_workspace_see_nothing(stage: Stage) -> None:
    id = chat_with(stage, "private", picture())
    stage.loupe.manage(
        "shell",
        "--no-imports",
        "-c",
        "from gateway.keys.people import create_workspace; create_workspace(slug='other', name='Other')",
    )
    other = Browser(stage.loupe, stage.loupe.add_person(f"eve-{uuid.uuid4().hex[:6]}", "owner", "other"))
    key = stage.loupe.manage("apikey", "create", "other", "--workspace", "other")
    assert other.get("/").url.endswith("/w/other/logs")
    for path in pages_of(id)[2:]:
        assert other.get(path).status == 404, path
        theirs = other.get(path.replace("/default/", "/other/"))
        assert theirs.status in (200, 204, 404)
        assert "private" not in theirs.text
    assert stage.loupe.call(f"/v1/logs/{id}", headers={"x-portkey-api-key": key})[0] == 404
    assert stage.loupe.call(f"/v1/logs/{id}/images/i0", headers={"x-portkey-api-key": key})[0] == 404
    assert b'"data": []' in stage.loupe.call("/v1/logs", headers={"x-portkey-api-key": key})[2]


def test_viewers_look_but_do_not_touch(stage: Stage) -> None:
    name = f"vic-{uuid.uuid4().hex[:6]}"
    viewer = Browser(stage.loupe, stage.loupe.add_person(name, "viewer"))
    page = viewer.get("/w/default/keys")
    assert page.status == 200
    assert "Create key" not in page.text
    for path in (
        "/w/default/keys/create",
        "/w/default/virtual-keys/create",
        "/w/default/keys/1/revoke",
        "/w/default/virtual-keys/1/revoke",
    ):
        assert viewer.post(path, page="/account", name="x").status == 403, path


def test_a_form_that_is_refused_says_what_to_set(loupe: Loupe) -> None:
    stranger = Browser(loupe, "")
    stranger.get("/login")
    for headers, words in (
        ({"Origin": loupe.root.replace("http:", "https:")}, "LOUPE_HTTPS=on"),
        ({"Origin": "https://loupe.example"}, "Host header"),
        ({"Origin": loupe.root}, "reload the page"),
        ({"Origin": loupe.root, "Cookie": ""}, "cookie"),
    ):
        browser = stranger if "Cookie" not in headers else Browser(loupe, "")
        page = browser.send(f"{loupe.root}/login", b"username=x", **headers)
        assert (page.status, words in page.text) == (403, True), (words, page.text)
