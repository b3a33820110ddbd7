"""Feedback by API, by the SDKs and on the page; saved views."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from portkey_ai import Portkey

from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.loupe import until


def post(stage: Stage, body: Any, path: str = "/v1/feedback", method: str = "POST") -> tuple[int, dict[str, Any]]:
    status, _, answer = stage.loupe.call(path, body, method=method)
    return status, json.loads(answer)


def found(stage: Stage, question: str) -> set[str]:
    status, _, answer = stage.loupe.call(f"/v1/logs?q={question}")
    assert status == 200, answer
    return {log["trace_id"] for log in json.loads(answer)["data"]}


def test_the_python_sdk_gives_one_and_several_and_changes_one(stage: Stage, browser: Browser) -> None:
    stage.chat()
    stage.log()
    client = Portkey(api_key=stage.loupe.key, base_url=stage.loupe.base)
    first = client.feedback.create(trace_id=stage.trace, value=5, weight=0.5, metadata={"why": "clear"})
    several = client.feedback.bulk_create(feedbacks=[{"trace_id": stage.trace, "value": n} for n in (1, -3)])
    client.feedback.update(feedback_id=first.feedback_ids[0], value=-7, weight=1, metadata={})
    client.openai_client.close()
    client.close()
    assert len(several.feedback_ids) == 2
    page = browser.get(f"/w/default/logs/{stage.log()['id']}").text
    for value in ("-7", "+1", "-3"):
        assert f">{value}</b>" in page


def test_the_node_sdks_list_is_an_object_of_numbers(stage: Stage) -> None:
    status, answer = post(stage, {"0": {"traceID": stage.trace, "value": 1}, "1": {"traceID": "other", "value": 2}})
    assert (status, answer["status"], len(answer["feedback_ids"])) == (200, "success", 2)


def test_feedback_that_comes_before_its_log_is_found_with_it(stage: Stage) -> None:
    assert post(stage, {"trace_id": stage.trace, "value": -10})[0] == 200
    stage.chat()
    stage.log()
    until(lambda: stage.trace in found(stage, "feedback:bad"), "it is linked and indexed")


@pytest.mark.parametrize(
    "body",
    [
        {"trace_id": "t", "value": 11},
        {"trace_id": "t", "value": 1.5},
        {"trace_id": "t", "value": True},
        {"trace_id": "t", "value": 1, "weight": 2},
        {"value": 1},
        {"trace_id": "t"},
        [],
        "text",
        b"{",
    ],
    ids=str,
)
def test_what_is_no_feedback_is_refused(stage: Stage, body: Any) -> None:
    status, answer = post(stage, body)
    assert status == 400
    assert answer["error"]["message"]


def test_feedback_needs_a_key_and_its_own_workspace(stage: Stage) -> None:
    assert (
        stage.loupe.call("/v1/feedback", {"trace_id": "t", "value": 1}, headers={"x-portkey-api-key": "lp_no"})[0]
        == 401
    )
    assert post(stage, {"value": 1}, "/v1/feedback/99999999", "PUT")[0] == 404
    assert stage.loupe.call("/v1/feedback", method="GET")[0] == 400


def test_people_judge_on_the_page_and_find_it_again(stage: Stage, browser: Browser) -> None:
    stage.chat()
    page = f"/w/default/logs/{stage.log()['id']}"
    browser.post(f"{page}/feedback", page=page, value="-5", note="it missed the <total>")
    assert "it missed the &lt;total&gt;" in browser.get(page).text
    until(lambda: stage.trace in found(stage, "feedback:bad,note"), "it is found")


def test_a_viewer_neither_judges_nor_saves_nor_replays(stage: Stage) -> None:
    stage.chat()
    id = replace(stage).log()["id"]
    name = f"vic-{uuid.uuid4().hex[:6]}"
    viewer = Browser(stage.loupe, stage.loupe.add_person(name, "viewer"))
    for path in (f"/w/default/logs/{id}/feedback", "/w/default/logs/views", f"/w/default/logs/{id}/replay/body"):
        assert viewer.post(path, page="/account", value="1", name="x").status == 403, path
    assert viewer.get(f"/w/default/logs/{id}/replay").status == 403
