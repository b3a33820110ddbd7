"""`responses.create` to vendors that have no such thing, and the SDKs of Anthropic and Google on their own paths."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from openai import OpenAI

from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, reset, response, stream
from tests.loupe import Loupe
from tests.pictures import data_url, picture
from tests.sdk.node import Node
from tests.sdk.questions import SAID, SIZE, WORDS, assert_viewable
from tests.vendors import (
    ANTHROPIC,
    BEDROCK,
    GOOGLE,
    MISTRAL,
    SECRET,
    TOKENS,
    VERTEX,
    Seen,
    Vendor,
    corner,
    pictures_seen,
    speaking,
    streamed,
    whole,
)

ASKED = "What is in this image?"


@pytest.fixture
def shown() -> bytes:
    mark = uuid.uuid4()
    return picture(size=SIZE, colour=(mark.bytes[0], mark.bytes[1], mark.bytes[2]))


@pytest.fixture
def client(vendor_loupe: Loupe) -> Iterator[OpenAI]:
    with OpenAI(api_key=vendor_loupe.key, base_url=vendor_loupe.base, max_retries=0) as made:
        yield made


def assert_logged(stage: Stage, vendor: Vendor, shown: bytes, *, streamed: bool) -> None:
    log = stage.log()
    assert (log["state"], log["response_status_code"], log["stream_mode"]) == ("ok", 200, streamed)
    assert (log["ai_org"], log["ai_model"]) == (vendor.provider, vendor.model)
    assert (log["req_units"], log["res_units"], log["total_units"]) == TOKENS
    assert (log["prompt_preview"], log["answer_preview"]) == (ASKED, SAID)
    [image] = log["images"]
    assert image["direction"] == "input"
    assert_viewable(stage.loupe, image, shown, SIZE)


chatting = pytest.mark.parametrize("vendor", [GOOGLE, VERTEX, ANTHROPIC, BEDROCK, MISTRAL], ids=str)


def response_body(vendor: Vendor, shown: bytes) -> dict[str, Any]:
    parts = [{"type": "input_text", "text": ASKED}, {"type": "input_image", "image_url": data_url(shown)}]
    asked = [{"role": "user", "content": parts}]
    return {"model": vendor.named, "input": asked, "instructions": "Be brief.", "max_output_tokens": 300}


def assert_chat_was_asked(stage: Stage, vendor: Vendor, shown: bytes, *, streamed: bool) -> None:
    [request] = stage.case.requests
    assert request.path == vendor.asked_at[streamed]
    assert pictures_seen(vendor.dialect, request.json) == [Seen("image/png", hashlib.sha256(shown).hexdigest())]
    for words in (b"Be brief.", ASKED.encode(), b"300"):
        assert words in request.body
    assert b"input_image" not in request.body


@chatting
def test_a_response_is_answered_by_a_vendor_that_has_only_chat(
    vendor_loupe: Loupe, upstream: FakeUpstream, client: OpenAI, vendor: Vendor, shown: bytes
) -> None:
    stage = corner(vendor_loupe, upstream, vendor)
    headers = {"x-portkey-trace-id": stage.trace}
    answer = client.responses.create(**response_body(vendor, shown), extra_headers=headers)
    assert (answer.status, answer.output_text, answer.object) == ("completed", SAID, "response")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == TOKENS
    assert_chat_was_asked(stage, vendor, shown, streamed=False)
    assert_logged(stage, vendor, shown, streamed=False)


@chatting
def test_a_response_is_streamed_by_a_vendor_that_has_only_chat(
    vendor_loupe: Loupe, upstream: FakeUpstream, client: OpenAI, vendor: Vendor, shown: bytes
) -> None:
    stage, go = corner(vendor_loupe, upstream, vendor), threading.Event()
    stage.case.will(speaking(vendor, *WORDS, go=go))
    headers = {"x-portkey-trace-id": stage.trace}
    deltas: list[str] = []
    kinds: list[str] = []
    with client.responses.stream(**response_body(vendor, shown), extra_headers=headers) as events:
        for event in events:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
                assert go.is_set() or deltas == [WORDS[0]]
                go.set()  # the rest is not sent before the first word is here
        final = events.get_final_response()
    assert "".join(deltas) == final.output_text == SAID
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert final.usage is not None
    assert (final.usage.input_tokens, final.usage.output_tokens, final.usage.total_tokens) == TOKENS
    assert_chat_was_asked(stage, vendor, shown, streamed=True)
    assert_logged(stage, vendor, shown, streamed=True)


@chatting
@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_a_responses_function_call_and_its_output_with_a_picture_go_round(
    vendor_loupe: Loupe, upstream: FakeUpstream, client: OpenAI, vendor: Vendor, shown: bytes, streaming: bool
) -> None:
    stage = corner(vendor_loupe, upstream, vendor)
    stage.case.will(speaking(vendor, "Let me look.", call={"place": "Öland"}), speaking(vendor))
    tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}
    asked: list[Any] = [{"role": "user", "content": "What is there?"}]
    options: dict[str, Any] = {"model": vendor.named, "tools": [tool]}
    if streaming:
        with client.responses.stream(**options, input=asked) as events:
            events.until_done()
            first: Any = events.get_final_response()
    else:
        first = client.responses.create(**options, input=asked)
    [call] = [item for item in first.output if item.type == "function_call"]
    assert (call.name, call.call_id[:4], json.loads(call.arguments)) == ("look", "call", {"place": "Öland"})
    output = [{"type": "input_text", "text": "So:"}, {"type": "input_image", "image_url": data_url(shown)}]
    asked += [item.model_dump(exclude_none=True) for item in first.output]
    asked.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
    second = client.responses.create(**options, input=asked, extra_headers={"x-portkey-trace-id": stage.trace})
    assert second.output_text == SAID
    sent = stage.case.requests[-1].json
    assert pictures_seen(vendor.dialect, sent) == [Seen("image/png", hashlib.sha256(shown).hexdigest())]
    [image] = stage.log()["images"]
    assert_viewable(vendor_loupe, image, shown, SIZE)


@pytest.mark.node
@chatting
def test_a_response_goes_through_the_node_sdk_plain_and_streamed(
    vendor_loupe: Loupe, upstream: FakeUpstream, node: Node, vendor: Vendor, shown: bytes
) -> None:
    stage = corner(vendor_loupe, upstream, vendor)
    options = {"apiKey": vendor_loupe.key, "baseURL": vendor_loupe.base}
    call = {"sdk": "openai", "options": options, "headers": {"traceID": stage.trace}, "method": "responses.create"}
    body = response_body(vendor, shown)
    plain, streamed = node([call | {"args": [body]}, call | {"args": [body | {"stream": True}]}])
    assert plain.ok, plain
    assert (plain.value["output_text"], plain.value["usage"]["total_tokens"]) == (SAID, TOKENS[2])
    assert streamed.ok, streamed
    last = streamed.chunks[-1]
    assert (last["type"], last["response"]["usage"]["total_tokens"]) == ("response.completed", TOKENS[2])
    assert "".join(one["delta"] for one in streamed.chunks if one["type"] == "response.output_text.delta") == SAID


@pytest.fixture
def claude(vendor_loupe: Loupe, upstream: FakeUpstream) -> Iterator[tuple[anthropic.Anthropic, Stage]]:
    stage = corner(vendor_loupe, upstream, ANTHROPIC)
    headers = {"x-portkey-trace-id": stage.trace}
    with anthropic.Anthropic(
        api_key=vendor_loupe.key, base_url=vendor_loupe.root, max_retries=0, default_headers=headers
    ) as client:
        yield client, stage


def claude_body(shown: bytes) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(shown).decode()}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": ASKED}]
    return {"model": ANTHROPIC.named, "max_tokens": 300, "messages": [{"role": "user", "content": parts}]}


def assert_claude_was_asked(stage: Stage, body: dict[str, Any]) -> None:
    [request] = stage.case.requests
    assert (request.path.partition("?")[0], request.json) == ("/v1/messages", body | {"model": ANTHROPIC.model})
    assert (request.header("x-api-key"), request.header("authorization")) == (SECRET, None)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", request.header("anthropic-version") or "")  # the SDK's own choice
    assert stage.loupe.key not in f"{request.headers} {request.body!r}"


def test_anthropics_sdk_asks_and_is_answered(claude: tuple[anthropic.Anthropic, Stage], shown: bytes) -> None:
    client, stage = claude
    message = client.messages.create(**claude_body(shown))
    assert [(block.type, block.text) for block in message.content] == [("text", SAID)]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 1000, 10)
    assert_claude_was_asked(stage, claude_body(shown))
    assert_logged(stage, ANTHROPIC, shown, streamed=False)


def test_anthropics_sdk_streams_word_by_word(claude: tuple[anthropic.Anthropic, Stage], shown: bytes) -> None:
    client, stage = claude
    go = threading.Event()
    stage.case.will(speaking(ANTHROPIC, *WORDS, go=go))
    with client.messages.stream(**claude_body(shown)) as events:
        text = events.text_stream
        assert next(text) == WORDS[0]
        go.set()
        assert list(text) == [WORDS[1]]
        final = events.get_final_message()
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 1000, 10)
    assert_claude_was_asked(stage, claude_body(shown) | {"stream": True})
    assert_logged(stage, ANTHROPIC, shown, streamed=True)


def test_anthropics_count_of_tokens_passes_through(claude: tuple[anthropic.Anthropic, Stage], shown: bytes) -> None:
    client, stage = claude
    stage.case.will(response(body={"input_tokens": 77}))
    body = {key: value for key, value in claude_body(shown).items() if key != "max_tokens"}
    assert client.messages.count_tokens(**body).input_tokens == 77
    [request] = stage.case.requests
    assert (request.path.partition("?")[0], request.json) == (
        "/v1/messages/count_tokens",
        body | {"model": ANTHROPIC.model},
    )
    log = stage.log()
    assert (log["state"], log["ai_org"], log["ai_model"]) == ("ok", "anthropic", ANTHROPIC.model)
    assert log["response"]["body"] == {"input_tokens": 77}


def test_anthropics_sdk_raises_anthropics_own_error(claude: tuple[anthropic.Anthropic, Stage], shown: bytes) -> None:
    client, stage = claude
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}, "request_id": "req_1"}
    stage.case.will(response(429, error, {"retry-after": "17", "request-id": "req_1"}))
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**claude_body(shown))
    assert (caught.value.body, caught.value.response.headers["retry-after"]) == (error, "17")
    assert (stage.log()["state"], stage.log()["answer_preview"]) == ("error", "Slow down")


def test_anthropics_sdk_is_told_when_a_stream_breaks_off(
    claude: tuple[anthropic.Anthropic, Stage], shown: bytes
) -> None:
    client, stage = claude
    stage.case.will(stream(streamed("anthropic", *WORDS)[:1], ending=reset))
    said: list[str] = []
    with pytest.raises(anthropic.AnthropicError), client.messages.stream(**claude_body(shown)) as events:
        said.extend(events.text_stream)
    assert said == [WORDS[0]]
    assert (stage.log()["state"], stage.log()["failure"]) == ("failed", "broken_off")


def gemini_client(vendor_loupe: Loupe, stage: Stage, vendor: Vendor) -> genai.Client:
    headers = {"x-portkey-virtual-key": vendor.slug, "x-portkey-trace-id": stage.trace}
    return genai.Client(
        api_key=vendor_loupe.key, http_options=types.HttpOptions(base_url=vendor_loupe.root, headers=headers)
    )


def assert_gemini_was_asked(stage: Stage, shown: bytes, *, streamed: bool) -> None:
    [request] = stage.case.requests
    assert request.path == GOOGLE.asked_at[streamed]
    part = request.json["contents"][0]["parts"][0]["inlineData"]
    assert base64.urlsafe_b64decode(part["data"]) == shown  # Google's SDK writes the alphabet for addresses
    assert part.get("mimeType", part.get("mime_type")) == "image/png"
    assert [value for name, value in request.headers if name == "x-goog-api-key"] == [SECRET]
    assert stage.loupe.key not in f"{request.path} {request.headers} {request.body!r}"


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_googles_sdk_asks_with_an_inline_picture_and_is_answered(
    vendor_loupe: Loupe, upstream: FakeUpstream, shown: bytes, streaming: bool
) -> None:
    stage, go = corner(vendor_loupe, upstream, GOOGLE), threading.Event()
    stage.case.will(speaking(GOOGLE, *WORDS, go=go))
    contents: Any = [types.Part.from_bytes(data=shown, mime_type="image/png"), ASKED]
    with gemini_client(vendor_loupe, stage, GOOGLE) as client:
        if streaming:
            chunks = client.models.generate_content_stream(model=GOOGLE.model, contents=contents)
            assert next(chunks).text == WORDS[0]
            go.set()
            last = list(chunks)[-1]
            assert last.text == WORDS[1]
        else:
            last = client.models.generate_content(model=GOOGLE.model, contents=contents)
            assert last.text == SAID
    assert last.candidates is not None
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    usage = last.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count) == TOKENS
    assert_gemini_was_asked(stage, shown, streamed=streaming)
    assert_logged(stage, GOOGLE, shown, streamed=streaming)


def test_googles_sdk_shows_a_picture_that_was_answered_and_so_does_the_log(
    vendor_loupe: Loupe, upstream: FakeUpstream, shown: bytes
) -> None:
    stage = corner(vendor_loupe, upstream, GOOGLE)
    stage.case.will(response(body=whole("gemini", "Here.", image=shown)))
    with gemini_client(vendor_loupe, stage, GOOGLE) as client:
        answer = client.models.generate_content(model=GOOGLE.model, contents="Draw")
    assert answer.parts is not None
    inline = answer.parts[1].inline_data
    assert inline is not None
    assert inline.data == shown
    [image] = stage.log()["images"]
    assert image["direction"] == "output"
    assert_viewable(vendor_loupe, image, shown, SIZE)


def test_googles_sdk_is_told_when_a_stream_breaks_off(vendor_loupe: Loupe, upstream: FakeUpstream) -> None:
    stage = corner(vendor_loupe, upstream, GOOGLE)
    stage.case.will(stream(streamed("gemini", *WORDS)[:1], ending=reset))
    said: list[str | None] = []
    with gemini_client(vendor_loupe, stage, GOOGLE) as client, pytest.raises(genai.errors.APIError):
        said.extend(one.text for one in client.models.generate_content_stream(model=GOOGLE.model, contents="Draw"))
    assert said == [WORDS[0]]
    assert (stage.log()["state"], stage.log()["failure"]) == ("failed", "broken_off")


def test_openais_sdk_is_told_when_a_responses_stream_breaks_off(
    vendor_loupe: Loupe, upstream: FakeUpstream, client: OpenAI
) -> None:
    stage = corner(vendor_loupe, upstream, GOOGLE)
    stage.case.will(stream(streamed("gemini", *WORDS)[:1], ending=reset))
    deltas: list[str] = []
    events = client.responses.create(model=GOOGLE.named, input="Draw", stream=True)
    with pytest.raises(openai.APIError) as caught:
        deltas.extend(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == [WORDS[0]]
    assert caught.value.code == "broken_off"


def test_googles_sdk_uploads_a_file_through_loupe(vendor_loupe: Loupe, upstream: FakeUpstream) -> None:
    """The address that Google names for the bytes leads back here, or the SDK would send the gateway's key there."""
    case = upstream.on(GOOGLE.slug)
    case.requests.clear()
    address = "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=ab&upload_protocol=resumable"
    uploaded = {"file": {"name": "files/abc", "uri": "https://x/files/abc", "mimeType": "image/png", "state": "ACTIVE"}}
    case.will(
        response(body={}, headers={"x-goog-upload-url": address, "x-goog-upload-status": "active"}),
        response(body=uploaded, headers={"x-goog-upload-status": "final"}),
    )
    trace = str(uuid.uuid4())
    headers = {"x-portkey-virtual-key": GOOGLE.slug, "x-portkey-trace-id": trace}
    client = genai.Client(api_key=vendor_loupe.key, http_options={"base_url": vendor_loupe.root, "headers": headers})
    data = picture("PNG")
    made = client.files.upload(
        file=io.BytesIO(data), config={"mime_type": "image/png", "http_options": {"headers": headers}}
    )
    begun, sent = case.requests
    assert made.name == "files/abc"
    assert [one.path.partition("?")[0] for one in (begun, sent)] == ["/upload/v1beta/files"] * 2
    assert (begun.header("x-goog-upload-command"), sent.header("x-goog-upload-command")) == (
        "start",
        "upload, finalize",
    )
    assert (sent.body, sent.header("x-goog-api-key")) == (data, SECRET)
    assert "upload_id=ab" in sent.path
    assert vendor_loupe.key not in json.dumps([vendor_loupe.log(trace), *vendor_loupe.logs()])
