"""The places where providers' answers differ from what one would guess (reference/providers.md, sections 2 and 3)."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.content import framing
from gateway.content.json_text import encoded
from gateway.dialects import read_response
from gateway.dialects.native import CONVERSE
from gateway.translation import chat_request
from gateway.translation.translator import WRITE, AnswerUnreadable
from tests.gateway.translation.answers import (
    ENDPOINTS,
    FINISHES,
    WIRES,
    Said,
    aws,
    checked_stream,
    checked_whole,
    documents,
    frame,
    sse,
    stream,
    translator,
    whole,
)
from tests.patience import soon
from tests.pictures import picture

FILTERS = [
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE", "OTHER",
]  # fmt: skip
TABLE = {
    "anthropic": {
        "stop": ["end_turn", "stop_sequence", "pause_turn", "something_new"],
        "length": ["max_tokens", "model_context_window_exceeded"],
        "tool_calls": ["tool_use"],
        "content_filter": ["refusal"],
    },
    "gemini": {"stop": ["STOP", "MALFORMED_FUNCTION_CALL"], "length": ["MAX_TOKENS"], "content_filter": FILTERS},
    "converse": {
        "stop": ["end_turn", "stop_sequence", "something_new"],
        "length": ["max_tokens", "model_context_window_exceeded"],
        "tool_calls": ["tool_use"],
        "content_filter": ["guardrail_intervened", "content_filtered"],
    },
    "chat": {
        "stop": ["stop", "eos", "COMPLETE"],
        "length": ["length", "max_tokens", "MAX_TOKENS", "model_length"],
        "tool_calls": ["tool_calls", "function_call", "TOOL_CALL"],
        "content_filter": ["content_filter"],
    },
}
ROWS = [(wire, to, native) for wire, rows in TABLE.items() for to, natives in rows.items() for native in natives]
PNG = picture("PNG")
both_ends = pytest.mark.parametrize("endpoint", ENDPOINTS)
all_wires = pytest.mark.parametrize("wire", WIRES)


def told(wire: str, body: bytes, endpoint: str = "/chat/completions", *, strict: bool = True) -> dict[str, Any]:
    return checked_whole(translator(wire, endpoint, strict=strict).whole(body), endpoint)


def streamed(wire: str, body: bytes, endpoint: str = "/chat/completions", *, strict: bool = True) -> bytes:
    one = translator(wire, endpoint, strict=strict)
    return one.feed(body) + one.finish()


def gemini(*parts: Any, finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}} | ({"finishReason": finish} if finish else {})
    return {"candidates": [candidate], **more}


@pytest.mark.parametrize(("wire", "reason", "native"), ROWS)
def test_finish_reasons_are_openais_and_the_providers_own_is_kept(wire: str, reason: str, native: str) -> None:
    at = ["anthropic", "gemini", "converse", "chat"].index(wire)
    answer = Said((("text", "hi"),), "stop")
    usual = FINISHES["stop"][at].encode()
    for body, read in ((whole(answer, wire), told), (stream(answer, wire), streamed)):
        if wire == "converse" and read is streamed:
            body = aws(("contentBlockDelta", {"delta": {"text": "hi"}}), ("messageStop", {"stopReason": native}),
                       ("metadata", {"usage": {}}))  # fmt: skip
        body = body.replace(b'"%s"' % usual, b'"%s"' % native.encode())
        doc = told(wire, body) if read is told else checked_stream(streamed(wire, body), "/chat/completions")
        choice = doc["choices"][0]
        assert (choice["finish_reason"], choice["native_finish_reason"]) == (reason, native)
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reason)
    response = told(wire, whole(answer, wire).replace(b'"%s"' % usual, b'"%s"' % native.encode()), "/responses")
    assert response["status"] == ("incomplete" if cut else "completed")
    assert response["incomplete_details"] == ({"reason": cut} if cut else None)


@both_ends
@pytest.mark.parametrize(
    "feedback", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "JAILBREAK"]
)
def test_a_prompt_that_gemini_blocks_is_filtered_content(feedback: str, endpoint: str) -> None:
    doc = {"promptFeedback": {"blockReason": feedback}, "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}}
    for answer in (
        told("gemini", json.dumps(doc).encode(), endpoint),
        checked_stream(streamed("gemini", sse(doc), endpoint), endpoint),
    ):
        if endpoint == "/responses":
            assert answer["incomplete_details"] == {"reason": "content_filter"}
        else:
            choice = answer["choices"][0]
            assert (choice["finish_reason"], choice["native_finish_reason"]) == ("content_filter", feedback)
            assert answer["usage"]["prompt_tokens"] == 5


@both_ends
def test_gemini_without_candidates_or_reason_is_no_answer(endpoint: str) -> None:
    doc = {"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}, "modelVersion": "gemini-3"}
    with pytest.raises(AnswerUnreadable, match="neither text nor anything"):
        translator("gemini", endpoint).whole(json.dumps(doc).encode())
    assert "broken_off" in streamed("gemini", sse(doc), "/chat/completions").decode()


def test_gemini_calls_are_tool_calls_though_it_says_stop_and_their_signature_goes_back() -> None:
    call = {"functionCall": {"name": "look", "args": {"at": [1]}}, "thoughtSignature": "c2ln"}
    later = gemini(finish="STOP")
    doc = told("gemini", json.dumps(gemini(call, {"functionCall": {"name": "now"}})).encode())
    chunks = checked_stream(
        streamed("gemini", sse(gemini(call, {"functionCall": {"name": "now"}}, finish=None), later)),
        "/chat/completions",
    )
    for answer in (doc, chunks):
        assert answer["choices"][0]["finish_reason"] == "tool_calls"
        first, second = answer["choices"][0]["message"]["tool_calls"]
        assert json.loads(first["function"]["arguments"]) == {"at": [1]}
        assert (second["function"]["name"], second["function"]["arguments"]) == ("now", "{}")
        assert first["id"] != second["id"]
        question = {"messages": [{"role": "user", "content": "?"}, answer["choices"][0]["message"]]}
        sent = WRITE["gemini"](chat_request.read(question, "gemini-3-pro")).body
        assert sent["contents"][1]["parts"][0] == call


def test_made_up_ids_of_gemini_calls_differ_from_answer_to_answer() -> None:
    """Anthropic, and callers that keep calls by id, want them unique in a conversation."""
    ids = {
        told("gemini", json.dumps(gemini({"functionCall": {"name": "look"}}, responseId=one)).encode())
        ["choices"][0]["message"]["tool_calls"][0]["id"]
        for one in ("first", "second")
    }  # fmt: skip
    assert len(ids) == 2


@all_wires
def test_thoughts_stay_out_of_the_content(wire: str) -> None:
    answer = Said((("thought", "secret musing"), ("text", "the answer")))
    for doc in (
        told(wire, whole(answer, wire)),
        checked_stream(streamed(wire, stream(answer, wire)), "/chat/completions"),
    ):
        message = doc["choices"][0]["message"]
        assert (message["content"], message["reasoning_content"]) == ("the answer", "secret musing")
    items = told(wire, whole(answer, wire), "/responses")["output"]
    assert [item["type"] for item in items] == ["reasoning", "message"]


def test_reasoning_goes_back_to_anthropic_with_its_signature() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    content = [{"type": "redacted_thinking", "data": "ZGF0YQ"}, thinking, {"type": "text", "text": "yes"}]
    answer = told("anthropic", json.dumps({"content": content, "stop_reason": "end_turn", "usage": {}}).encode())
    question = {"messages": [{"role": "user", "content": "?"}, answer["choices"][0]["message"]]}
    sent = WRITE["anthropic"](chat_request.read(question, "claude-4")).body
    assert sent["messages"][1]["content"] == content


def test_a_thoughts_draft_picture_is_not_the_answer() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}
    doc = told("gemini", json.dumps(gemini(image | {"thought": True}, image)).encode())
    assert len(doc["choices"][0]["message"]["images"]) == 1


@pytest.mark.parametrize("wire", ["gemini", "chat"])
@pytest.mark.parametrize("strict", [True, False])
def test_pictures_of_an_answer_come_in_either_mode(wire: str, strict: bool) -> None:
    answer = Said((("text", "Here: "), ("image", "image/png", PNG)))
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    message = told(wire, whole(answer, wire), strict=strict)["choices"][0]["message"]
    assert [image["image_url"]["url"] for image in message["images"]] == [url]
    assert message["content"] == "Here: "
    deltas = [
        choice["delta"]
        for event in documents(streamed(wire, stream(answer, wire), strict=strict))
        for choice in event["choices"]
    ]
    assert [image["image_url"]["url"] for delta in deltas for image in delta.get("images", [])] == [url]
    blocks = [block["delta"] for delta in deltas for block in delta.get("content_blocks", [])]
    if strict:
        assert "content_blocks" not in message
        assert not blocks
    else:
        assert message["content_blocks"][-1]["image_url"]["url"] == blocks[-1]["image_url"]["url"] == url
        assert "".join(block.get("text", "") for block in blocks) == "Here: "
    items = told(wire, whole(answer, wire), "/responses")["output"]
    assert [item["result"] for item in items if item["type"] == "image_generation_call"] == [url.partition(",")[2]]


def usage_of(wire: str, body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    return told(wire, body)["usage"], told(wire, body, "/responses")["usage"]


def test_anthropics_and_amazons_prompts_count_what_the_cache_gave() -> None:
    claude = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 2000,
        "output_tokens": 9,
    }
    nova = {"inputTokens": 3, "cacheWriteInputTokens": 100, "cacheReadInputTokens": 2000, "outputTokens": 9}
    message = {"content": [{"text": "hi"}]}
    for wire, body in (
        ("anthropic", {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "usage": claude}),
        ("converse", {"output": {"message": message}, "stopReason": "end_turn", "usage": nova}),
    ):
        chat, response = usage_of(wire, json.dumps(body).encode())
        assert (chat["prompt_tokens"], chat["completion_tokens"], chat["total_tokens"]) == (2103, 9, 2112)
        assert chat["prompt_tokens_details"]["cached_tokens"] == 2000
        assert (response["input_tokens"], response["input_tokens_details"]["cached_tokens"]) == (2103, 2000)


def test_geminis_thoughts_are_part_of_the_completion() -> None:
    counts = {
        "promptTokenCount": 20, "candidatesTokenCount": 5, "thoughtsTokenCount": 70, "toolUsePromptTokenCount": 8,
        "totalTokenCount": 103, "cachedContentTokenCount": 4,
        "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 18}, {"modality": "TEXT", "tokenCount": 2}],
    }  # fmt: skip
    chat, response = usage_of("gemini", json.dumps(gemini({"text": "hi"}, usageMetadata=counts)).encode())
    assert (chat["prompt_tokens"], chat["completion_tokens"], chat["total_tokens"]) == (28, 75, 103)
    assert (chat["completion_tokens_details"]["reasoning_tokens"], chat["prompt_tokens_details"]["image_tokens"]) == (
        70,
        18,
    )
    assert (response["output_tokens"], response["output_tokens_details"]["reasoning_tokens"]) == (75, 70)


def test_usage_of_a_groq_stream_is_under_its_own_name() -> None:
    finish = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}], "id": "1"}
    usage = {"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}}
    doc = checked_stream(streamed("chat", sse(finish | usage)), "/chat/completions")
    assert doc["usage"]["total_tokens"] == 7


MID_STREAM: dict[str, tuple[str, bytes]] = {
    "anthropic": ("Overloaded", sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})),
    "gemini": ("quota", sse({"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}})),
    "exception": (
        "slow down",
        frame(b'{"message":"slow down"}', message_type="exception", exception_type="throttlingException"),
    ),
    "error": (
        "it broke",
        frame(b"", message_type="error", error_code="InternalServerError", error_message="it broke"),
    ),
    "chat": (
        "upstream died",
        sse({"error": {"code": 502, "message": "upstream died"}, "choices": [{"finish_reason": "error"}]}),
    ),
}


@both_ends
@pytest.mark.parametrize("case", MID_STREAM)
def test_an_error_in_the_middle_of_a_stream_reaches_the_caller_once(case: str, endpoint: str) -> None:
    wire = "converse" if case in ("exception", "error") else case
    message, broken = MID_STREAM[case]
    body = stream(Said((("text", "Once upon"),)), wire)
    begun = {
        "anthropic": lambda: body[: body.index(b"event: message_delta")],
        "gemini": lambda: sse(gemini({"text": "Once"}, finish=None)),
        "converse": lambda: aws(("messageStart", {}), ("contentBlockDelta", {"delta": {"text": "Once"}})),
        "chat": lambda: body[: body.index(b'"finish_reason": "stop"')].rpartition(b"\n\n")[0] + b"\n\n",
    }[wire]()
    got = streamed(wire, begun + broken + begun, endpoint)
    events = documents(got)
    assert got.decode().count(message) >= 1
    if endpoint == "/responses":
        assert events[-1]["response"]["error"]["message"] == message
        assert checked_stream(got, endpoint)["status"] == "failed"
    else:
        assert [event["error"]["message"] for event in events if "error" in event] == [message]
        assert "error" in events[-1] or not events[-1]["choices"]  # nothing is said after it


NO_ANSWERS = {
    "nothing": (b"", "empty"),
    "white space": (b"  \n", "empty"),
    "a page": (b"<html><body>Sign in</body></html>", "no JSON"),
    "half": (b'{"choices": [', "no JSON"),
    "an empty object": (b"{}", "neither text nor"),
    "an empty list": (b"[]", "neither text nor"),
    "a number": (b"7", "neither text nor"),
    "an error": (b'{"type":"error","error":{"type":"api_error","message":"it broke"}}', "it broke"),
    "a list of errors": (b'[{"error":{"code":503,"message":"it broke","status":"UNAVAILABLE"}}]', "it broke"),
}


@both_ends
@all_wires
@pytest.mark.parametrize("case", NO_ANSWERS)
def test_what_is_no_answer_with_status_200_is_told_as_such(case: str, wire: str, endpoint: str) -> None:
    body, reason = NO_ANSWERS[case]
    if case == "a list of errors" and wire != "gemini":
        reason = "neither text nor|it broke"
    for read in (translator(wire, endpoint).whole, translator(wire, endpoint).as_stream):
        with pytest.raises(AnswerUnreadable, match=reason):
            read(body)
    got = streamed(wire, body if wire != "converse" else b"", endpoint)
    assert "before its answer was complete" in got.decode()


@pytest.mark.parametrize("wire", ["anthropic", "converse", "chat"])
def test_half_an_emoji_is_no_reason_to_fail(wire: str) -> None:
    broken = whole(Said((("text", "HALF"),)), wire).replace(b"HALF", b"\\ud83d")
    assert told(wire, broken)["choices"][0]["message"]["content"] == "\ud83d"
    question = {"messages": [{"role": "user", "content": "\ud83d"}]}
    assert b"\\ud83d" in encoded(WRITE[wire](chat_request.read(question, "m")).body)


keys = st.sampled_from(
    ["type", "content", "message", "choices", "delta", "index", "candidates", "parts", "functionCall", "inlineData", "text",
     "usage", "usageMetadata", "output", "toolUse", "error", "contentBlockDelta", "content_block", "tool_calls", "function",
     "promptFeedback", "finishReason", "stop_reason", "reasoningContent", "image", "images", "image_url", "logprobsResult"]
)  # fmt: skip
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["tool_use", "error", "message_start", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@both_ends
@all_wires
@settings(max_examples=150, deadline=None)
@given(doc=junk)
def test_no_answer_however_odd_breaks_the_gateway(wire: str, endpoint: str, doc: Any) -> None:
    body = json.dumps(doc).encode()
    with contextlib.suppress(AnswerUnreadable):
        translator(wire, endpoint).whole(body)
    if wire == "converse":
        body = aws(*((kind, doc) for kind in ("contentBlockStart", "contentBlockDelta", "messageStop", "metadata")))
    assert streamed(wire, body if wire == "converse" else sse(doc), endpoint)


@both_ends
def test_very_many_tool_calls_are_told_in_a_moment(endpoint: str) -> None:
    """16,000 of them took Responses a minute, in which the gateway did nothing else."""
    parts = [{"functionCall": {"name": "look", "args": {"at": at}}} for at in range(6000)]
    with soon():
        streamed("gemini", sse(gemini(*parts)), endpoint)


def test_an_event_that_does_not_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "LONGEST_MESSAGE", 1000)
    events = framing.ServerSentEvents()
    with pytest.raises(framing.BadStream):
        list(events.feed(b"data: x\n" * 300))
    assert sum(len(line) for line in events.data) < 1100


def test_many_frames_in_one_body_are_read_in_a_moment_for_the_log() -> None:
    """Each frame copied all that followed: 20 MB of them took minutes."""
    body = aws(*[("contentBlockDelta", {"delta": {"text": "hi"}})] * 30_000)
    with soon():
        answer, _ = read_response(CONVERSE, body, "application/vnd.amazon.eventstream")
        assert len(answer.turns[0].parts[0].text) == 60_000
