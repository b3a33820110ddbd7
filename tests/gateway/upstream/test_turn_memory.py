"""What a vendor wants back with the turns of its model is given back, whatever the client dropped."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.kept_turns import HeardTurn, Kept, restored
from gateway.translation import chat_request, responses_request
from gateway.translation.neutral import Thought, ToolCall
from gateway.translation.translator import WRITE, Translator
from gateway.upstream.turn_memory import TurnMemory
from tests.fake_upstream import FakeUpstream, event, response, stream
from tests.loupe import Loupe
from tests.pictures import picture
from tests.vendors import gemini

PNG = base64.b64encode(picture("PNG")).decode()
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
SIGNED = gemini(
    {"text": "I look.", "thought": True},
    {"functionCall": {"name": "look", "args": {"n": 1}, "id": "g1"}, "thoughtSignature": "U0lH"},
    {"functionCall": {"name": "look", "args": {"n": 2}, "id": "g2"}},
    finish="STOP",
)
DRAWN = gemini(
    {"text": "Here.", "thoughtSignature": "VEVYVA=="},
    {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": "UElD"},
    finish="STOP",
)
CLAUDE = {
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [
        {"type": "thinking", "thinking": "I look.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def heard(wire: str, answer: Any) -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    translator = Translator("/chat/completions", wire, "x", 1, "m", heard=HeardTurn(found.__setitem__).hear)
    translator.whole(json.dumps(answer).encode())
    return found


def bare_history(*ids: str, text: str | None = None, image: str = "") -> dict[str, Any]:
    """A conversation as a client sends it that keeps nothing but OpenAI's own fields."""
    calls = [{"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}} for id in ids]
    said: dict[str, Any] = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    if image:
        said["images"] = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}]
    results = [{"role": "tool", "tool_call_id": id, "content": "ok"} for id in ids]
    after = results or [{"role": "user", "content": "bluer"}]
    return {"model": "m", "tools": TOOLS, "messages": [{"role": "user", "content": "q"}, said, *after]}


def sent(wire: str, history: dict[str, Any], kept: dict[str, Kept], model: str) -> tuple[dict[str, Any], list[str]]:
    written = WRITE[wire](restored(chat_request.read(history, model), kept.get))
    return written.body, written.warnings


def test_geminis_signatures_of_calls_come_back_by_their_ids() -> None:
    body, warnings = sent("gemini", bare_history("g1", "g2"), heard("gemini", SIGNED), "gemini-3-flash-preview")
    first, second = [part for part in body["contents"][1]["parts"] if "functionCall" in part]
    assert (first["thoughtSignature"], first["functionCall"]["id"]) == ("U0lH", "g1")
    assert "thoughtSignature" not in second
    assert not any("signatures" in line for line in warnings)


def test_signatures_of_a_drawn_picture_and_its_text_come_back_by_what_they_are() -> None:
    kept = heard("gemini", DRAWN)
    body, warnings = sent("gemini", bare_history(text="Here.", image=PNG), kept, "gemini-3-pro-image-preview")
    assert [part.get("thoughtSignature") for part in body["contents"][1]["parts"]] == ["VEVYVA==", "UElD"]
    assert not any("signatures" in line for line in warnings)


@pytest.mark.parametrize("history", [bare_history("call_1"), bare_history("functions.look:0", "b")])
def test_without_a_signature_googles_stand_in_is_sent_and_told(history: dict[str, Any]) -> None:
    body, warnings = sent("gemini", history, {}, "gemini-3-flash-preview")
    signed = [part.get("thoughtSignature") for part in body["contents"][1]["parts"]]
    assert signed[0] == "skip_thought_signature_validator"
    assert set(signed[1:]) <= {None}
    assert any("Google's stand-in was sent" in line for line in warnings)
    older, _ = sent("gemini", history, {}, "gemini-2.5-flash")
    assert "thoughtSignature" not in json.dumps(older)


@pytest.mark.parametrize("wire", ["anthropic", "converse"])
def test_claudes_signed_thinking_comes_back_before_its_calls(wire: str) -> None:
    body, _ = sent(wire, bare_history("toolu_1"), heard("anthropic", CLAUDE), "claude-sonnet-4-5")
    blocks = body["messages"][1]["content"]
    if wire == "anthropic":
        assert blocks[:2] == CLAUDE["content"][:2]  # type: ignore[index]
    else:
        assert blocks[0]["reasoningContent"]["reasoningText"] == {"text": "I look.", "signature": "c2ln"}
        assert blocks[1]["reasoningContent"] == {"redactedContent": "c2VjcmV0"}


@pytest.mark.parametrize(
    ("reasoning_as", "place"), [("reasoning_content", "I look."), ("thinking", "I look."), ("", None)]
)
def test_reasoning_goes_back_to_chat_vendors_as_each_takes_it(reasoning_as: str, place: str | None) -> None:
    items = [
        {"role": "user", "content": "q"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "a1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a1", "output": "x"},
    ]
    request = responses_request.read({"input": items}, "m")
    written = WRITE["chat"](replace(request, reasoning_as=reasoning_as))
    message = written.body["messages"][1]
    assert (place in json.dumps(message)) if place else "I look." not in json.dumps(message)
    assert bool(place) != any("reasoning" in line for line in written.warnings)
    if reasoning_as == "thinking":
        assert message["content"][0] == {"type": "thinking", "thinking": [{"type": "text", "text": "I look."}]}


THOUGHTS = st.lists(
    st.builds(Thought, st.text(max_size=9), st.sampled_from(["", "c2ln"]), st.just(""))
    | st.builds(Thought, sealed=st.just("eA==")),
    max_size=4,
)


@given(THOUGHTS, st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=3, unique=True))
def test_a_turn_that_came_back_whole_is_left_as_it_is(thoughts: list[Thought], ids: list[str]) -> None:
    request = chat_request.read(bare_history(*ids), "m")
    parts = (*thoughts, *request.messages[1].parts)
    whole = replace(
        request, messages=(request.messages[0], replace(request.messages[1], parts=parts), *request.messages[2:])
    )
    kept = {f"call:{id}": Kept("sig", (Thought("other"),)) for id in ids}
    found = restored(whole, kept.get).messages[1].parts
    assert [part for part in found if isinstance(part, Thought)] == (thoughts or [Thought("other")])
    assert all(part.signature == "sig" for part in found if isinstance(part, ToolCall))


def test_no_more_than_the_bound_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.upstream.turn_memory.MOST_ENTRIES", 3)
    memory = TurnMemory()
    for number in range(9):
        memory.keep(1, f"call:{number}", Kept("s" * 10))
    assert [key for _, key in memory.entries] == ["call:6", "call:7", "call:8"]
    assert memory.bytes == 30


def test_one_workspace_never_gets_what_another_heard() -> None:
    memory = TurnMemory()
    memory.keep(1, "call:g1", Kept("U0lH"))
    request = chat_request.read(bare_history("g1"), "gemini-3-flash-preview")
    found = asyncio.run(memory.restored(2, request, ask_log=True))
    assert found.messages[1].parts[0].signature == ""  # type: ignore[union-attr]


def test_a_restarted_loupe_finds_in_the_log_what_the_vendor_wants_back(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe()
    case = upstream.on("remembering")
    loupe.add_virtual_key("google", upstream.url("remembering"), provider="google")
    case.will(stream([event(SIGNED)]))
    question = {
        "model": "@google/gemini-3-flash-preview",
        "stream": True,
        "messages": [{"role": "user", "content": "q"}],
    }
    loupe.call("/v1/chat/completions", question, headers={"x-portkey-trace-id": "first"})
    loupe.log("first")
    loupe.stop()
    loupe.start()
    case.will(response(body=gemini({"text": "done"}, finish="STOP")))
    status, headers, body = loupe.call("/v1/chat/completions", bare_history("g1") | {"model": question["model"]})
    assert status == 200, body
    part = next(one for one in case.requests[-1].json["contents"][1]["parts"] if "functionCall" in one)
    assert part["thoughtSignature"] == "U0lH"
    assert "stand-in" not in headers.get("x-loupe-warnings", "")
