"""One request: what its page shows, to the byte, and that it shows it safely."""

from __future__ import annotations

import json
import re

from tests.conftest import Stage
from tests.fake_upstream import response
from tests.logsui.browser import Browser
from tests.pictures import data_url, picture

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"


def chat_with(stage: Stage, text: str, *pictures: bytes) -> str:
    """Send it, wait for its log, answer its id."""
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in pictures]
    stage.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]})
    return str(stage.log()["id"])


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
