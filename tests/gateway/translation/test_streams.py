"""However a provider's stream is cut on its way, the caller gets the same bytes, and they say what the whole answer says."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SHARED
from tests.gateway.translation.answers import (
    ENDPOINTS,
    WIRES,
    Said,
    checked_stream,
    checked_whole,
    documents,
    stream,
    translator,
    whole,
)
from tests.pictures import picture
from tests.replay.recorded import Recording, digest, read_all, said

FULL = Said((("thought", "Looking …"), ("text", "Grüße 🦊: "), ("call", "look", {"at": "ä"}), ("call", "now", {})))
FULL = Said(FULL.blocks, "tool_calls")
CHAT_PATHS = ("/chat/completions", "/messages", ":streamGenerateContent", "/converse-stream")
FOLDERS = {
    "anthropic": "anthropic", "gemini": "gemini", "vertex": "gemini", "bedrock": "converse", "openai": "chat",
    "azure": "chat", "groq": "chat", "mistral": "chat", "openrouter": "chat", "other": "chat",
}  # fmt: skip
both_ends = pytest.mark.parametrize("endpoint", ENDPOINTS)
all_wires = pytest.mark.parametrize("wire", WIRES)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
arguments = st.dictionaries(words, st.none() | st.integers(-9, 9) | words | st.lists(words, max_size=2), max_size=2)
PICTURES = st.tuples(
    st.just("image"), st.just("image/png"), st.sampled_from([picture(size=(9, 9)), picture(size=(8, 9))])
)
blocks = st.one_of(
    st.tuples(st.just("text"), words),
    st.tuples(st.just("call"), st.sampled_from(["look", "zoom"]), arguments),
    st.tuples(st.just("thought"), words),
)


@st.composite
def answers(draw: st.DrawFn, wire: str) -> Said:
    kinds = blocks | PICTURES if wire in ("gemini", "chat") else blocks
    chosen = draw(st.lists(kinds, min_size=1, max_size=5))
    if wire == "chat":  # its whole form has no order between kinds
        chosen.sort(key=lambda block: ["thought", "text", "call", "image"].index(block[0]))
    called = any(block[0] == "call" for block in chosen)
    finish = "tool_calls" if called else draw(st.sampled_from(["stop", "length", "content_filter"]))
    return Said(tuple(chosen), finish, draw(st.integers(0, 999)), draw(st.integers(0, 999)))


def fed(wire: str, endpoint: str, pieces: list[bytes], *, strict: bool = True) -> bytes:
    one = translator(wire, endpoint, strict=strict)
    told = b"".join([one.feed(piece) for piece in pieces])
    return told + one.finish()


def cut(body: bytes, places: list[int]) -> list[bytes]:
    return [body[start:end] for start, end in pairwise([0, *sorted(places), len(body)])]


def meaning(doc: dict[str, Any]) -> dict[str, Any]:
    """Arguments parsed; reasoning without the details, which are one entry when whole and many in a stream."""
    for choice in doc.get("choices", []):
        choice["message"].pop("reasoning_details", None)
        for call in choice["message"].get("tool_calls", []):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    for item in doc.get("output", []):
        if item["type"] == "function_call":
            item["arguments"] = json.loads(item["arguments"])
    return doc


@both_ends
@all_wires
def test_a_cut_at_any_byte_changes_nothing(wire: str, endpoint: str) -> None:
    body = stream(FULL, wire)
    expected = fed(wire, endpoint, [body])
    for place in range(1, len(body)):
        assert fed(wire, endpoint, [body[:place], body[place:]]) == expected, f"cut at {place} of {len(body)}"
    assert fed(wire, endpoint, [body[at : at + 1] for at in range(len(body))]) == expected


@both_ends
@all_wires
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_a_stream_in_any_pieces_says_what_the_whole_answer_says(wire: str, endpoint: str, data: st.DataObject) -> None:
    answer = data.draw(answers(wire))
    body = stream(answer, wire)
    told = fed(wire, endpoint, cut(body, data.draw(st.lists(st.integers(0, len(body)), max_size=9))))
    assert told == fed(wire, endpoint, [body])
    expected = checked_whole(translator(wire, endpoint).whole(whole(answer, wire)), endpoint)
    as_stream = checked_stream(translator(wire, endpoint).as_stream(whole(answer, wire)), endpoint)
    assert meaning(checked_stream(told, endpoint)) == meaning(expected) == meaning(as_stream)


@both_ends
def test_a_stream_that_says_done_is_done_without_a_finish_reason(endpoint: str) -> None:
    """OpenRouter and Snowflake leave it out (recorded)."""
    body = stream(Said((("text", "hi"),)), "chat").replace(b'"finish_reason": "stop"', b'"finish_reason": null')
    heard = checked_stream(fed("chat", endpoint, [body]), endpoint)
    assert words_of(heard)[0] == "hi"
    assert heard.get("status", "completed") == "completed"


@both_ends
@settings(max_examples=60, deadline=None)
@given(answer=answers("gemini"))
def test_a_stream_that_came_as_one_list_says_the_same(endpoint: str, answer: Said) -> None:
    """Gemini without alt=sse."""
    body = json.dumps(documents(stream(answer, "gemini").replace(b"\r\n", b"\n"))).encode()
    listed = checked_whole(translator("gemini", endpoint).whole(body), endpoint)
    streamed = checked_stream(translator("gemini", endpoint).as_stream(body), endpoint)
    expected = checked_whole(translator("gemini", endpoint).whole(whole(answer, "gemini")), endpoint)
    assert meaning(listed) == meaning(expected) == meaning(streamed)


@both_ends
@all_wires
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_stream_that_is_cut_short_ends_in_an_error(wire: str, endpoint: str, data: st.DataObject) -> None:
    body = stream(FULL, wire)
    marks = {"anthropic": b"event: message_stop", "chat": b'"tool_calls"}', "gemini": b'"finishReason"'}
    last = body.rfind(marks[wire]) if wire in marks else len(body) - 1
    short = body[: data.draw(st.integers(0, last))]
    told = fed(wire, endpoint, cut(short, data.draw(st.lists(st.integers(0, len(short)), max_size=3))))
    assert told == fed(wire, endpoint, [short])
    events = documents(told)
    if endpoint == "/responses":
        assert events[-1]["type"] == "response.failed"
        assert "before its answer was complete" in events[-1]["response"]["error"]["message"]
        for item in checked_stream(told, endpoint)["output"]:
            if item["type"] == "function_call" and item["status"] == "completed":
                json.loads(item["arguments"])  # half a call must not look like a call
    else:
        assert told.endswith(b"data: [DONE]\n\n")
        assert ["error" in event for event in events].count(True) == 1
        assert "before its answer was complete" in next(one["error"]["message"] for one in events if "error" in one)


@pytest.mark.parametrize("strict", [True, False])
@settings(max_examples=40, deadline=None)
@given(places=st.lists(st.integers(1, 600), max_size=8))
def test_a_damaged_frame_loses_nothing_that_came_before_it(strict: bool, places: list[int]) -> None:
    body = bytearray(stream(FULL, "converse"))
    body[-2] ^= 1  # the check sum of the last frame
    told = fed("converse", "/chat/completions", cut(bytes(body), places), strict=strict)
    assert told == fed("converse", "/chat/completions", [bytes(body)], strict=strict)
    events = documents(told)
    assert "damaged" in events[-1]["error"]["message"]
    assert [event["choices"][0]["finish_reason"] for event in events[:-1]][-1] == "tool_calls"
    assert ["error" in event for event in events].count(True) == 1


@cache
def recorded_streams(folder: str) -> list[Recording]:
    return [
        one
        for one in read_all(SHARED / "recordings", folder)
        if one.streams and one.status == 200 and one.url.path.endswith(CHAT_PATHS)
    ]


@pytest.mark.skipif(not (SHARED / "recordings").exists(), reason="the recordings lie beside the repository")
@both_ends
@pytest.mark.parametrize("folder", FOLDERS)
def test_recorded_streams_survive_every_cut(folder: str, endpoint: str) -> None:
    wire = FOLDERS[folder]
    for one in recorded_streams(folder):
        expected = fed(wire, endpoint, [one.body])
        step = max(1, len(one.body) ** 2 // 3_000_000)
        for place in range(1, len(one.body), step):
            assert fed(wire, endpoint, [one.body[:place], one.body[place:]]) == expected, f"{one.name}, cut at {place}"
        if not any(event.get("error") for event in documents(expected)) and "error" not in one.body.decode("latin-1"):
            heard = checked_stream(expected, endpoint)
            assert heard.get("status") != "failed", one.name
            assert words_of(heard) == (said(one).text, len(said(one).calls), said(one).pictures), one.name


def words_of(doc: dict[str, Any]) -> tuple[str, int, list[str]]:
    """Text, number of calls, pictures."""
    if "choices" in doc:
        message = doc["choices"][0]["message"]
        shown = [digest(one["image_url"]["url"].partition(",")[2]) for one in message.get("images", [])]
        return message["content"] or "", len(message.get("tool_calls", [])), shown
    text = "".join(item["content"][0]["text"] for item in doc["output"] if item["type"] == "message")
    shown = [digest(item["result"]) for item in doc["output"] if item["type"] == "image_generation_call"]
    return text, [item["type"] for item in doc["output"]].count("function_call"), shown


def test_calls_whose_pieces_come_in_turns_stay_whole_in_a_response() -> None:
    def chunk(index: int, name: str, arguments: str) -> bytes:
        call = {"index": index, "function": {"arguments": arguments}} | ({"id": name} if name else {})
        call["function"] |= {"name": name} if name else {}  # type: ignore[operator]
        doc = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
        return b"data: " + json.dumps(doc).encode() + b"\n\n"

    pieces = [chunk(0, "one", '{"a":'), chunk(1, "two", '{"b":'), chunk(0, "", "1}"), chunk(1, "", "2}")]
    last = fed("chat", "/responses", [*pieces, b"data: [DONE]\n\n"]).split(b"data: ")[-1]
    output = json.loads(last)["response"]["output"]
    assert [(item["name"], item["arguments"]) for item in output] == [("one", '{"a":1}'), ("two", '{"b":2}')]
