"""The pages: who may see them, what they show, and that they show it safely."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.conftest import Stage
from tests.fake_upstream import response
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"


@pytest.fixture(scope="session")
def browser(loupe: Loupe) -> Browser:
    return Browser(loupe)


def chat_with(stage: Stage, text: str, *pictures: bytes) -> str:
    """Send it, wait for its log, answer its id."""
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in pictures]
    stage.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]})
    return str(stage.log()["id"])


def test_a_login_link_works_once(loupe: Loupe) -> None:
    link = loupe.manage("loginlink", "--base", loupe.root)
    first, second = Browser(loupe, link), Browser(loupe, link)
    assert first.get("/").url.endswith("/w/default/logs")
    assert second.get("/").url.startswith(f"{loupe.root}/login")
    assert second.get(link.removeprefix(loupe.root)).status == 403


def test_a_password_can_be_set_and_then_logs_in(loupe: Loupe) -> None:
    name, password = f"ada-{uuid.uuid4().hex[:6]}", "correct horse battery"
    person = Browser(loupe, loupe.manage("loginlink", name, "--base", loupe.root))
    assert person.post("/account", new_password1="short", new_password2="short").status == 200
    assert "Password set" in person.post("/account", new_password1=password, new_password2=password).text
    again = Browser(loupe, "")
    assert again.post("/login", username=name, password="wrong").url.endswith("/login")
    assert again.post("/login", username=name, password=password).url.endswith("/w/default/logs")


def test_guessing_passwords_is_slowed(loupe: Loupe) -> None:
    guesser = Browser(loupe, "")
    name = f"nobody-{uuid.uuid4().hex[:6]}"
    statuses = [guesser.post("/login", username=name, password=str(n)).status for n in range(12)]
    assert (statuses[:10], statuses[10:]) == ([200] * 10, [429] * 2)


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


def test_the_detail_shows_turns_pictures_figures_and_bodies_with_chips(stage: Stage, browser: Browser) -> None:
    id = chat_with(stage, "Look <b>closely</b>", picture(size=(640, 480)), picture("JPEG", (30, 20)))
    page = browser.get(f"/w/default/logs/{id}").text
    assert "Look &lt;b&gt;closely&lt;/b&gt;" in page
    assert page.count("<figure") == 2
    for shown in ("640 × 480", "A red square.", "images/i1/1024", stage.trace, "<td>1,100</td><td>$0.0028</td>"):
        assert shown in page
    assert page.count('class="chip"') == 2
    assert page.count("Declared as image/png, but the bytes are image/jpeg.") == 1
    assert not re.search(r"[A-Za-z0-9+/]{300}", page)


def test_a_body_can_be_had_to_the_byte(stage: Stage, browser: Browser) -> None:
    body = json.dumps(
        {
            "model": f"@{stage.slug}/gpt-4o",
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": data_url(picture())}]}],
        },
        indent=1,
    ).encode()
    stage.post("/v1/chat/completions", body)
    id = stage.log()["id"]
    assert browser.get(f"/w/default/logs/{id}/body/request").body == body
    assert browser.get(f"/w/default/logs/{id}/body/sent").body == stage.case.requests[0].body
    assert json.loads(browser.get(f"/w/default/logs/{id}/body/response").body)["id"] == "chatcmpl-1"


def test_what_a_model_says_cannot_run_or_load_anything(stage: Stage, browser: Browser) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)> ![x](https://trap.example/?q=1) javascript:alert(1)"
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": attack}, "finish_reason": "stop"}]}
    stage.case.will(response(body=answer))
    id = chat_with(stage, attack)
    for path in ("/w/default/logs", f"/w/default/logs/{id}"):
        page = browser.get(path)
        assert page.headers["content-security-policy"].startswith(POLICY)
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert not re.search(r'src="(https?:)?//', page.text)
        assert not re.search(
            r'href="(?!/|\?|#|https://trap\.example/\?q=1" rel="noopener noreferrer nofollow")', page.text
        )


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
    other = Browser(
        stage.loupe,
        stage.loupe.manage(
            "loginlink", f"eve-{uuid.uuid4().hex[:6]}", "--workspace", "other", "--base", stage.loupe.root
        ),
    )
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
    viewer = Browser(stage.loupe, stage.loupe.manage("loginlink", name, "--base", stage.loupe.root))
    stage.loupe.manage(
        "shell",
        "--no-imports",
        "-c",
        f"from gateway.models import Membership; Membership.objects.filter(user__username='{name}').update(role='viewer')",
    )
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


def test_a_key_made_on_the_page_works_and_revoked_there_stops(loupe: Loupe, browser: Browser) -> None:
    name = f"page-{uuid.uuid4().hex[:6]}"
    page = browser.post("/w/default/keys/create", page="/w/default/keys", name=name)
    key = re.findall(r'id="new-key">(lp_\w+)<', page.text)[0]
    until(lambda: loupe.call("/v1/models", headers={"x-portkey-api-key": key})[0] == 200, "the key works")
    row = re.search(rf"<tr><td>{name}</td>.*?/keys/(\d+)/revoke", browser.get("/w/default/keys").text, re.S)
    assert row is not None
    assert key not in browser.get("/w/default/keys").text
    browser.post(f"/w/default/keys/{row[1]}/revoke", page="/w/default/keys")
    until(lambda: loupe.call("/v1/models", headers={"x-portkey-api-key": key})[0] == 401, "the key is refused", 2)


def test_a_virtual_key_made_on_the_page_works_and_mistakes_are_explained(stage: Stage, browser: Browser) -> None:
    slug = f"vk-{uuid.uuid4().hex[:6]}"
    add: Callable[..., str] = lambda **f: (
        browser.post("/w/default/virtual-keys/create", page="/w/default/keys", **f).text
    )
    assert "OpenAI needs a secret: API key" in add(slug=slug, provider="openai", base_url="", secret="")
    assert "must look like https://host/v1" in add(slug=slug, provider="openai", base_url="ftp://x", secret="s")
    assert f"@{slug} is ready" in add(slug=slug, provider="openai", base_url=stage.base_url, secret="sk-from-the-page")
    assert "is taken" in add(slug=slug, provider="openai", base_url=stage.base_url, secret="x")
    assert "sk-from-the-page" not in browser.get("/w/default/keys").text
    until(lambda: stage.chat({"model": f"@{slug}/m"})[0] == 200, "the virtual key works")
    assert stage.case.requests[-1].header("authorization") == "Bearer sk-from-the-page"


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
    for query in ("before=nonsense", "from=yesterday", "q=colour:red", "q=cost:cheap"):
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


def test_the_connect_page_names_this_address(loupe: Loupe, browser: Browser) -> None:
    page = browser.get("/w/default/connect").text
    assert page.count(loupe.base) >= 5
