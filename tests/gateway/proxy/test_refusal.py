"""What is refused before it is read leaves a row, so that a client that is set up wrongly can be found; not its body."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from gateway.proxy.admission import Traces
from tests.loupe import Loupe, until


def refused(loupe: Loupe, failure: str) -> list[dict[str, Any]]:
    logs: list[dict[str, Any]] = loupe.logs()
    return [log for log in logs if log["failure"] == failure]


def test_a_call_with_a_wrong_key_is_in_the_log_without_its_body_and_its_key(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    canary = uuid.uuid4().hex
    body = f'{{"model": "@sandbox/vision", "messages": [{{"role": "user", "content": "{canary}"}}]}}'.encode()
    status, _, _ = loupe.call("/v1/chat/completions", body, headers={"x-portkey-api-key": "lp-wrong-key-0123456789"})
    assert status == 401
    (log,) = until(lambda: refused(loupe, "invalid_api_key"), "it is in the log")
    assert (log["response_status_code"], log["state"]) == (401, "refused")
    assert "not known here" in log["failure_message"]
    everything = b"".join(path.read_bytes() for path in loupe.data.rglob("*") if path.is_file())
    assert canary.encode() not in everything
    assert b"lp-wrong-key-0123456789" not in everything
    status, _, _ = loupe.call("/v1/chat/completions", body, headers={"x-portkey-api-key": ""})
    assert status == 401
    until(lambda: refused(loupe, "missing_api_key"), "so is one without a key")


def test_a_body_that_is_too_large_leaves_a_row_of_its_key(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_MAX_BODY_MB="1")
    status, _, _ = loupe.call("/v1/chat/completions", b"x" * 1_100_000)
    assert status == 413
    (log,) = until(lambda: refused(loupe, "body_too_large"), "it is in the log")
    assert log["api_key_id"]


def test_strangers_leave_no_more_rows_than_somebody_would_read(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    for _ in range(45):
        assert loupe.call("/v1/models", method="GET", headers={"x-portkey-api-key": "wrong"})[0] == 401
    loupe.call("/v1/chat/completions", {"model": "@sandbox/vision", "messages": []})
    until(lambda: len(loupe.logs()) == 31, "thirty of them are there, and the good one")


def test_the_rows_of_strangers_come_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    traces = Traces(most=2, seconds=10)
    assert [traces.may_leave() for _ in range(3)] == [True, True, False]
    now = 111.0
    assert traces.may_leave()
