"""An API key that is limited calls its models and virtual keys only, whichever way they are named."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import Forbidden
from gateway.keys.allowance import Allowance
from tests.conftest import Stage

numbers = itertools.count()
CHAT = "/v1/chat/completions"
SAID = [{"role": "user", "content": "hello"}]
Limited = Callable[..., Callable[..., tuple[int, Any]]]


@pytest.fixture
def limited(stage: Stage) -> Limited:
    """Makes a limited key; answers what calls with it."""

    def make(*options: str) -> Callable[..., tuple[int, Any]]:
        key = stage.loupe.manage("apikey", "create", f"limited-{uuid.uuid4().hex}", *options)

        def call(path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            status, _, answer = stage.loupe.call(path, body, headers={"x-portkey-api-key": key} | named)
            return status, json.loads(answer)

        return call

    return make


def code(answer: tuple[int, Any]) -> tuple[int, str | None]:
    status, body = answer
    return status, body["error"]["code"] if status >= 400 else None


def test_only_its_models_are_called_by_whatever_name_and_prompt(stage: Stage, limited: Limited) -> None:
    call, slug = limited("--model", "gpt-4o*"), stage.slug
    assert code(call(CHAT, {"model": f"@{slug}/gpt-4o-mini", "messages": SAID})) == (200, None)
    assert code(call(CHAT, {"model": "gpt-4o", "messages": SAID}, x_portkey_virtual_key=slug)) == (200, None)
    stage.case.requests.clear()
    refused = (403, "model_not_allowed")
    assert code(call(CHAT, {"model": f"@{slug}/o3", "messages": SAID})) == refused
    assert code(call("/v1/responses", {"model": f"@{slug}/o3", "input": "x"})) == refused
    assert code(call("/v1/embeddings", {"model": f"@{slug}/other", "input": "x"})) == refused
    for said in ("hello", "\ud800"):  # half a character is odd, and read by another reader
        others = {
            "model": f"@{slug}/gpt-4o",
            "models": ["gpt-4o", "o3"],
            "messages": [{"role": "user", "content": said}],
        }
        assert code(call(CHAT, others)) == refused
    assert code(call("/v1/batches", {"input_file_id": "f"}, x_portkey_virtual_key=slug)) == refused
    assert stage.case.requests == []


def test_only_its_virtual_keys_are_called_and_no_key_that_comes_along(stage: Stage, limited: Limited) -> None:
    call = limited("--virtual-key", f"@{stage.slug}")
    assert code(call(CHAT, {"model": f"@{stage.slug}/o3", "messages": SAID})) == (200, None)
    refused = (403, "virtual_key_not_allowed")
    assert code(call(CHAT, {"model": "@sandbox/vision", "messages": SAID})) == refused
    own = {"x_portkey_provider": "openai", "authorization": "Bearer sk-own"}
    assert code(call(CHAT, {"model": "gpt-4o", "messages": SAID}, **own)) == refused


def test_the_list_of_models_holds_what_the_key_may_call(stage: Stage, limited: Limited) -> None:
    listed = limited("--model", "@sandbox/*")("/v1/models")[1]["data"]
    assert {one["id"].partition("/")[0] for one in listed} == {"@sandbox"}
    assert all("gpt-4o" in one["id"] for one in limited("--model", "*gpt-4o*")("/v1/models")[1]["data"])


def test_a_refusal_is_a_log_that_names_the_cause(stage: Stage, limited: Limited) -> None:
    trace = f"trace-{uuid.uuid4()}"
    sent = {"model": f"@{stage.slug}/o3", "messages": SAID}
    message = limited("--model", "gpt-4o")(CHAT, sent, x_portkey_trace_id=trace)[1]["error"]["message"]
    assert message == "This gateway key may call the models gpt-4o only, not o3."
    log = stage.loupe.log(trace)
    assert (log["response_status_code"], log["ai_model"]) == (403, f"@{stage.slug}/o3")


def test_a_name_that_is_none_and_an_unknown_virtual_key_are_refused(stage: Stage) -> None:
    for options, words in ((["--model", "a b"], "such as gpt-4o"), (["--virtual-key", "nope"], "no virtual key @nope")):
        with pytest.raises(AssertionError, match=words):
            stage.loupe.manage("apikey", "create", f"x{next(numbers)}", *options)


@pytest.mark.parametrize(
    ("patterns", "slug", "model", "may"),
    [
        ((), "a", "x", True),
        (("gpt-4*",), "a", "gpt-4o", True),
        (("gpt-4*",), "a", "GPT-4o", False),
        (("gpt-4",), "a", "gpt-4o", False),
        (("@a/*",), "a", "deep/seek", True),
        (("@a/*",), "b", "deep/seek", False),
        (("@a/*",), "", "deep/seek", False),
        (("*",), "", "", True),
        (("gpt-4",), "a", "", False),
    ],
)
def test_a_name_matches_whole(patterns: tuple[str, ...], slug: str, model: str, may: bool) -> None:
    allowance = Allowance(patterns)
    assert allowance.shows(slug, model) == may
    if may:
        allowance.check(slug, [model])
    else:
        with pytest.raises(Forbidden):
            allowance.check(slug, [model])
