"""Every provider's error reaches the caller in one shape, with its own words, code and wait (reference/providers.md 5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.provider_errors import is_openai_shape, retold
from tests.replay.recorded import read_all

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.4s"}
QUOTA = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}
GOOGLE = {
    "error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED", "details": [QUOTA, RETRY]}
}
FILTER = {"hate": {"filtered": True, "severity": "high"}}
AZURE = {
    "code": "content_filter", "message": "filtered", "status": 400, "type": None, "param": "prompt",
    "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTER},
}  # fmt: skip
DETAIL = [
    {"type": "missing", "loc": ["body", "messages"], "msg": "Field required"},
    {"type": "extra_forbidden", "loc": ["body", "foo"], "msg": "Extra inputs are not permitted"},
]
LINES = "body.messages: Field required; body.foo: Extra inputs are not permitted"
AMAZON = {"x-amzn-errortype": "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/"}
# status, body, headers, and what must be told: message, type, code
SHAPES: dict[str, tuple[int, Any, dict[str, str], tuple[str, str, str | None]]] = {
    "OpenAI": (
        400,
        {"error": {"message": "no image", "type": "invalid_request_error", "param": "m", "code": "invalid_image_url"}},
        {},
        ("no image", "invalid_request_error", "invalid_image_url"),
    ),
    "Azure, key": (401, {"error": {"code": "401", "message": "denied"}}, {}, ("denied", "authentication_error", "401")),
    "Azure, filter": (400, {"error": AZURE}, {}, ("filtered", "invalid_request_error", "content_filter")),
    "Google": (429, GOOGLE, {}, ("Quota exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED")),
    "Google, a list": (429, [GOOGLE], {}, ("Quota exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED")),
    "Google, a bad key": (
        400,
        {"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}},
        {},
        ("API key not valid", "invalid_request_error", "INVALID_ARGUMENT"),
    ),
    "Anthropic": (
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"},
        {},
        ("Overloaded", "overloaded_error", None),
    ),
    "Bedrock": (400, {"message": "bad model"}, AMAZON, ("bad model", "ValidationException", "ValidationException")),
    "Bedrock, capital": (
        403,
        {"Message": "security token"},
        {"x-amzn-errortype": "UnrecognizedClientException"},
        ("security token", "UnrecognizedClientException", "UnrecognizedClientException"),
    ),
    "Mistral, key": (401, {"detail": "Invalid API Key"}, {}, ("Invalid API Key", "authentication_error", None)),
    "Mistral, details": (422, {"detail": DETAIL}, {}, (LINES, "provider_error", None)),
    "Mistral, details in a message": (
        422,
        {"object": "error", "message": {"detail": DETAIL}, "type": "invalid_request_error", "param": None, "code": None},
        {},
        (LINES, "invalid_request_error", None),
    ),
    "Mistral, an object": (
        400,
        {"object": "error", "message": "too long", "type": "invalid_request_prompt", "param": "messages", "code": "3051"},
        {},
        ("too long", "invalid_request_prompt", "3051"),
    ),
    "Groq": (
        400,
        {"error": {"message": "no call", "type": "invalid_request_error", "code": "tool_use_failed",
                   "failed_generation": "{look"}},
        {},
        ("no call", "invalid_request_error", "tool_use_failed"),
    ),
    "OpenRouter": (
        429,
        {"error": {"message": "Provider returned error", "code": 429, "metadata": {"provider_name": "x", "raw": "slow"}}},
        {},
        ("Provider returned error", "rate_limit_error", "429"),
    ),
    "xAI": (
        400,
        {"code": "invalid-argument", "error": "Incorrect API key"},
        {},
        ("Incorrect API key", "invalid_request_error", "invalid-argument"),
    ),
    "Together": (
        401,
        {"id": "1", "error": {"message": "no key", "type": "invalid_request_error", "code": "invalid_api_key"}},
        {},
        ("no key", "invalid_request_error", "invalid_api_key"),
    ),
    "Cohere": (404, {"id": "1", "message": "no model"}, {}, ("no model", "invalid_request_error", None)),
    "Cohere, too long": (
        400,
        {"id": "1", "message": "too many", "error_type": "TOO_MANY_TOKENS"},
        {},
        ("too many", "invalid_request_error", "TOO_MANY_TOKENS"),
    ),
    "Perplexity": (
        401,
        {"error": {"message": "bad key", "type": "invalid_key", "code": 401}},
        {},
        ("bad key", "invalid_key", "401"),
    ),
    "Ollama": (404, {"error": "model 'x' not found"}, {}, ("model 'x' not found", "invalid_request_error", None)),
    "an event": (
        503,
        b'event: error\ndata: {"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}\n\n',
        {},
        ("overloaded", "provider_error", "UNAVAILABLE"),
    ),
    "a page": (
        502,
        b"<html><style>p{}</style><title>Bad gateway</title><p>nginx</p></html>",
        {},
        ("acme answered 502: Bad gateway nginx", "provider_error", "http_502"),
    ),
    "no words": (500, b"", {}, ("acme answered 500: an empty body", "provider_error", "http_500")),
    "no reason": (500, {}, {}, ("acme answered 500: no reason given", "provider_error", None)),
}  # fmt: skip


def told(status: int, body: Any, headers: dict[str, str]) -> tuple[dict[str, Any], str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer, wait, _ = retold(status, raw, headers, "acme")
    assert is_openai_shape(answer)
    doc = json.loads(answer)
    assert (doc["message"], doc["provider"], doc["status"]) == (doc["error"]["message"], "acme", "failure")
    return doc["error"], wait


@pytest.mark.parametrize("name", SHAPES)
def test_an_error_keeps_its_words_its_type_and_its_code(name: str) -> None:
    status, body, headers, expected = SHAPES[name]
    error, _ = told(status, body, headers)
    assert (error["message"], error["type"], error["code"]) == expected


def test_what_only_some_providers_tell_is_kept() -> None:
    azure, _ = told(400, {"error": AZURE}, {})
    assert azure["innererror"]["content_filter_result"] == FILTER
    assert azure["param"] == "prompt"
    assert told(429, [GOOGLE], {})[0]["details"] == [QUOTA, RETRY]
    assert told(*SHAPES["OpenRouter"][:3])[0]["metadata"] == {"provider_name": "x", "raw": "slow"}
    assert told(*SHAPES["Groq"][:3])[0]["failed_generation"] == "{look"
    assert told(*SHAPES["Mistral, an object"][:3])[0]["param"] == "messages"


@pytest.mark.parametrize(("delay", "seconds"), [("36.4s", "37"), ("5s", "5"), ("0s", "0"), ("soon", ""), (7, "")])
@pytest.mark.parametrize("as_list", [True, False])
def test_googles_delay_becomes_whole_seconds_to_wait(delay: Any, seconds: str, as_list: bool) -> None:
    doc = {"error": {"code": 429, "message": "slow", "details": [{"retryDelay": delay}]}}
    assert told(429, [doc] if as_list else doc, {})[1] == seconds


@pytest.mark.parametrize(
    "body",
    [b'{"error":"x"}', b'{"message":"x"}', b"[]", b"", b"<html>", b'{"error":{"message":"x","status":"A"}}',
     b'{"error":{"message":null}}', b'{"error":null}'],
)  # fmt: skip
def test_only_openais_own_shape_passes_unchanged(body: bytes) -> None:
    assert not is_openai_shape(body)
    assert is_openai_shape(b'{"error":{"message":"x","type":"t","param":null,"code":1},"user_id":"u"}')


junk = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "type", "status", "detail", "loc", "msg", "details", "retryDelay"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.integers(400, 599), junk.map(lambda doc: json.dumps(doc).encode()) | st.binary(max_size=60))
def test_any_error_can_be_told(status: int, body: bytes) -> None:
    error, wait = told(status, body, {})
    assert error["message"]
    assert isinstance(error["type"], str)
    assert error["code"] is None or isinstance(error["code"], str)
    assert wait == "" or wait.isdigit()


def test_every_recorded_error_keeps_its_words(recordings: Path) -> None:
    seen = 0
    for folder in ("anthropic", "azure", "bedrock", "gemini", "groq", "openai", "openrouter", "other", "vertex"):
        for one in read_all(recordings, folder):
            if one.status < 400 or b"wikimedia" in one.body:  # the page of a host of pictures
                continue
            seen += 1
            answer = retold(one.status, one.body, {}, folder).body
            doc = json.loads(answer)
            assert len(doc["message"]) > 8
            assert json.dumps(doc["message"])[1:-1] in json.dumps(json.loads(one.body)), one.name
            assert doc["message"] in str(openai.APIError("x", request=None, body=doc["error"]).body)  # type: ignore[arg-type]
    assert seen > 25
