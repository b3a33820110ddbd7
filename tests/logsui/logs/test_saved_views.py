"""Searches kept under a name."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.conftest import Stage
from tests.logsui.browser import Browser


def post(stage: Stage, body: Any, path: str = "/v1/feedback", method: str = "POST") -> tuple[int, dict[str, Any]]:
    status, _, answer = stage.loupe.call(path, body, method=method)
    return status, json.loads(answer)


def test_a_view_is_kept_for_the_workspace_and_removed(stage: Stage, browser: Browser) -> None:
    name = f"slow ones {uuid.uuid4().hex[:6]}"
    browser.post("/w/default/logs/views", page="/w/default/logs", name=name, q="latency:>5s", w="7d")
    colleague = Browser(stage.loupe)
    listed = colleague.get("/w/default/logs").text
    assert name in listed
    assert 'href="?q=latency%3A%3E5s&amp;w=7d"' in listed
    id = listed.split("remove-view-")[1].split('"')[0]
    colleague.post(f"/w/default/logs/views/{id}/remove", page="/w/default/logs")
    assert name not in browser.get("/w/default/logs").text
