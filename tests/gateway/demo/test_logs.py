"""Sample logs: they read like real ones, and go without a trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.logsui.browser import Browser
from tests.loupe import Loupe, until


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_sample_logs_are_found_read_rebuilt_and_removed_again(
    own_loupe: Callable[..., Loupe], request: pytest.FixtureRequest, database: str
) -> None:
    env = {"DATABASE_URL": request.getfixturevalue("new_postgres")()} if database == "postgres" else {}
    loupe = own_loupe(**env)
    loupe.call(
        "/v1/chat/completions", {"model": "@sandbox/vision", "messages": []}, headers={"x-portkey-trace-id": "own"}
    )
    loupe.log("own")
    assert "300 sample logs written" in loupe.manage("demo", "--logs", "300")
    assert len(found(loupe, "model:*")) == 200
    pictured = found(loupe, "images:>1 state:ok")
    browser = Browser(loupe)
    for log in pictured[:3]:
        page = browser.get(f"/w/default/logs/{log['id']}")
        assert page.status == 200
        assert page.text.count("<figure") == log["input_images"]
        body = json.loads(browser.get(f"/w/default/logs/{log['id']}/body/request").body)
        assert len(json.dumps(body)) == pytest.approx(log["request_bytes"], rel=0.05)
    assert found(loupe, "total model:gpt*")
    assert loupe.manage("demo", "--clear") == "300 sample logs removed."
    until(lambda: [log["trace_id"] for log in found(loupe, "model:*")] == ["own"], "only its own log is left")
    assert found(loupe, "total") == []


def found(loupe: Loupe, question: str) -> list[dict[str, Any]]:
    status, _, answer = loupe.call(f"/v1/logs?limit=200&q={question.replace(' ', '+').replace('>', '%3E')}")
    assert status == 200, answer
    data: list[dict[str, Any]] = json.loads(answer)["data"]
    return data
