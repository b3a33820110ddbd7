"""Checks 13, 14 and 16 of the reference (reference/portkey.md, part E): streams, pictures in answers, and responses."""

from __future__ import annotations

import json
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from portkey_ai import Portkey

from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, event, response, stream
from tests.loupe import Loupe
from tests.pictures import data_url, picture
from tests.sdk.node import Node
from tests.sdk.questions import SAID, SIZE, WORDS, assert_viewable
from tests.vendors import (
    ANTHROPIC,
    BEDROCK,
    GOOGLE,
    MISTRAL,
    OPENAI,
    TOKENS,
    VERTEX,
    Vendor,
    corner,
    gemini,
    gemini_parts,
    speaking,
)

Client = Any  # OpenAI or Portkey: called alike, typed apart
LOOK = [{"role": "user", "content": "look"}]
streaming_vendors = pytest.mark.parametrize("vendor", [OPENAI, GOOGLE], ids=str)
both_sdks = pytest.mark.parametrize("sdk", ["openai", "portkey"])


@pytest.fixture
def at(vendor_loupe: Loupe, upstream: FakeUpstream) -> Callable[[Vendor], Stage]:
    return lambda vendor: corner(vendor_loupe, upstream, vendor)


@pytest.fixture
def opened(vendor_loupe: Loupe) -> Iterator[Callable[..., Client]]:
    """Opens a client of either SDK; `strict` is what the caller says of strict compliance, None to say nothing."""
    made: list[Any] = []

    def make(sdk: str, trace: str, strict: bool | None = None) -> Client:
        if sdk == "portkey":
            said = {} if strict is None else {"strict_open_ai_compliance": strict}
            client = Portkey(api_key=vendor_loupe.key, base_url=vendor_loupe.base, trace_id=trace, **said)  # type: ignore[arg-type]
            made.append(client.openai_client)
            return client
        headers = {"x-portkey-trace-id": trace}
        if strict is not None:
            headers["x-portkey-strict-open-ai-compliance"] = str(strict).lower()
        made.append(
            OpenAI(api_key=vendor_loupe.key, base_url=vendor_loupe.base, max_retries=0, default_headers=headers)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def shown() -> bytes:
    mark = uuid.uuid4()
    return picture(size=SIZE, colour=(mark.bytes[0], mark.bytes[1], mark.bytes[2]))


def asked_to_stream(vendor: Vendor) -> dict[str, Any]:
    return {"model": vendor.named, "messages": LOOK, "stream": True, "stream_options": {"include_usage": True}}


def assert_usage_logged(stage: Stage) -> None:
    log = stage.log()
    assert (log["state"], log["answer_preview"]) == ("ok", SAID)
    assert (log["req_units"], log["res_units"], log["total_units"]) == TOKENS


@both_sdks
@streaming_vendors
def test_check_13_chunks_arrive_one_by_one_in_python(
    at: Callable[[Vendor], Stage], opened: Callable[..., Client], vendor: Vendor, sdk: str
) -> None:
    stage, go = at(vendor), threading.Event()
    stage.case.will(speaking(vendor, *WORDS, go=go))
    chunks = opened(sdk, stage.trace).chat.completions.create(**asked_to_stream(vendor))
    assert next(chunks).choices[0].delta.content == WORDS[0]
    go.set()
    rest = list(chunks)
    assert "".join(choice.delta.content or "" for chunk in rest for choice in chunk.choices) == WORDS[1]
    usage = rest[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == TOKENS
    assert_usage_logged(stage)


@pytest.mark.node
@both_sdks
@streaming_vendors
def test_check_13_chunks_arrive_one_by_one_in_node(
    at: Callable[[Vendor], Stage], node_command: list[str], vendor: Vendor, sdk: str
) -> None:
    stage, go = at(vendor), threading.Event()
    stage.case.will(speaking(vendor, *WORDS, go=go))
    options = {"apiKey": stage.loupe.key, "baseURL": stage.loupe.base}
    call: dict[str, Any] = {"sdk": sdk, "options": options, "headers": {"traceID": stage.trace}}
    if sdk == "portkey":
        call["options"] |= {"traceID": stage.trace}
    call |= {"method": "chat.completions.create", "args": [asked_to_stream(vendor)]}
    with subprocess.Popen(node_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([call]).encode())
        process.stdin.close()
        first = json.loads(process.stdout.readline())["chunk"]
        go.set()
        rest = [json.loads(line) for line in process.stdout]
    assert first["choices"][0]["delta"]["content"] == WORDS[0]
    assert rest[-1] == {"ok": True}
    assert rest[-2]["chunk"]["usage"]["total_tokens"] == TOKENS[2]
    assert_usage_logged(stage)


@pytest.mark.parametrize("usage_wanted", [True, False], ids=["usage", "no usage"])
@streaming_vendors
def test_check_13_a_stream_ends_with_done_and_names_no_events(
    at: Callable[[Vendor], Stage], vendor: Vendor, usage_wanted: bool
) -> None:
    stage = at(vendor)
    _, _, told = stage.chat(asked_to_stream(vendor) | {"stream_options": {"include_usage": usage_wanted}})
    lines = [line for line in told.decode().splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    counted = [json.loads(line[6:]) for line in lines[:-1] if '"usage":{' in line.replace(" ", "")]
    if vendor is GOOGLE:
        assert len(counted) == usage_wanted
    assert_usage_logged(stage)


SAYS_STRICT = {"": None, "strict": True, "not strict": False}


def assert_answered_picture_logged(stage: Stage, data: bytes) -> None:
    log = stage.log()
    assert (log["state"], log["output_images"], log["answer_preview"]) == ("ok", 1, "Here it is: a square.")
    [image] = log["images"]
    assert image["direction"] == "output"
    assert_viewable(stage.loupe, image, data, SIZE)


@pytest.mark.parametrize("strict", SAYS_STRICT.values(), ids=SAYS_STRICT)
@both_sdks
@pytest.mark.parametrize("vendor", [GOOGLE, VERTEX], ids=str)
def test_check_14_a_picture_that_gemini_answers_is_in_the_reply_and_the_log(
    at: Callable[[Vendor], Stage], opened: Callable[..., Client], vendor: Vendor, sdk: str, strict: bool | None
) -> None:
    stage, data = at(vendor), shown()
    parts = [*gemini_parts("Here it is: ", None, data), {"text": "a square."}]
    stage.case.will(response(body=gemini(*parts, finish="STOP")))
    client = opened(sdk, stage.trace, strict)
    answer = client.chat.completions.create(model=vendor.named, messages=LOOK, modalities=["text", "image"])
    assert stage.case.requests[0].json["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
    choice = json.loads(answer.model_dump_json())["choices"][0]
    image = {"type": "image_url", "image_url": {"url": data_url(data)}}
    assert choice["message"]["content"] == "Here it is: a square."
    assert choice["message"]["images"] == [image | {"index": 0}]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", "STOP")
    if is_strict(sdk, strict, stage):
        assert not choice["message"].get("content_blocks")
    else:
        assert choice["message"]["content_blocks"] == [
            {"type": "text", "text": "Here it is: "},
            image,
            {"type": "text", "text": "a square."},
        ]
    assert_answered_picture_logged(stage, data)


def is_strict(sdk: str, strict: bool | None, stage: Stage) -> bool:
    """What holds when the caller says nothing: Portkey's SDK then sends false itself, OpenAI's sends nothing."""
    return strict if strict is not None else sdk == "openai"


@pytest.mark.parametrize("strict", SAYS_STRICT.values(), ids=SAYS_STRICT)
@both_sdks
@pytest.mark.parametrize("together", [True, False], ids=["in one event", "in events of their own"])
def test_check_14_a_picture_that_gemini_streams_is_in_the_reply_and_the_log(
    at: Callable[[Vendor], Stage], opened: Callable[..., Client], sdk: str, strict: bool | None, together: bool
) -> None:
    stage, data = at(GOOGLE), shown()
    parts = [*gemini_parts("Here it is: ", None, data), {"text": "a square."}]
    events = [gemini(*parts)] if together else [gemini(part) for part in parts]
    events[-1]["candidates"][0]["finishReason"] = "STOP"
    stage.case.will(stream([event(one) for one in events]))
    client = opened(sdk, stage.trace, strict)
    chunks = client.chat.completions.create(model=GOOGLE.named, messages=LOOK, stream=True)
    choices = [choice for chunk in chunks for choice in json.loads(chunk.model_dump_json())["choices"]]
    deltas = [choice["delta"] for choice in choices]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Here it is: a square."
    images = [image for delta in deltas for image in delta.get("images") or []]
    assert [image["image_url"]["url"] for image in images] == [data_url(data)]
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    blocks = [block["delta"] for delta in deltas for block in delta.get("content_blocks") or []]
    if is_strict(sdk, strict, stage):
        assert not blocks
    else:
        assert [block["type"] for block in blocks] == ["text", "image_url", "text"]
        assert blocks[1]["image_url"] == {"url": data_url(data)}
    assert_answered_picture_logged(stage, data)


@pytest.mark.node
@both_sdks
def test_check_14_a_picture_that_gemini_answers_is_in_the_reply_of_the_node_sdks(
    at: Callable[[Vendor], Stage], node: Node, sdk: str
) -> None:
    stage, data = at(GOOGLE), shown()
    stage.case.will(response(body=gemini(*gemini_parts("Here.", None, data), finish="STOP")))
    options = {"apiKey": stage.loupe.key, "baseURL": stage.loupe.base}
    call = {"sdk": sdk, "options": options, "headers": {}, "method": "chat.completions.create"}
    [result] = node([call | {"args": [{"model": GOOGLE.named, "messages": LOOK}]}])
    assert result.ok, result
    assert result.value["choices"][0]["message"]["images"][0]["image_url"]["url"] == data_url(data)


@both_sdks
def test_check_16_a_response_with_a_picture_goes_unchanged_to_openai(
    at: Callable[[Vendor], Stage], opened: Callable[..., Client], sdk: str
) -> None:
    stage, data = at(OPENAI), shown()
    output = [{"type": "message", "id": "m", "role": "assistant", "status": "completed"}]
    output[0]["content"] = [{"type": "output_text", "text": SAID, "annotations": []}]  # type: ignore[assignment]
    about = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o", "status": "completed"}
    usage = {"input_tokens": 1100, "output_tokens": 10, "total_tokens": 1110}
    stage.case.will(response(body=about | {"output": output, "usage": usage}))
    parts = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": data_url(data), "detail": "high"},
        {"type": "input_image", "image_url": "https://pictures.example/a?b=%20"},
    ]
    asked = {"input": [{"role": "user", "content": parts}], "store": False, "max_output_tokens": 30}
    answer = opened(sdk, stage.trace).responses.create(model=OPENAI.named, **asked)
    assert answer.output[0].content[0].text == SAID
    [request] = stage.case.requests
    assert (request.path, request.json) == ("/v1/responses", asked | {"model": OPENAI.model})
    assert_usage_logged(stage)
    inline, link = stage.log()["images"]
    assert inline["position"].startswith("input[0].content[1]")
    assert_viewable(stage.loupe, inline, data, SIZE)
    assert link["source_url"] == "https://pictures.example/a?b=%20"


def test_check_16_not_a_byte_of_a_response_is_changed_but_the_models_name(at: Callable[[Vendor], Stage]) -> None:
    stage = at(OPENAI)
    url = data_url(shown())
    part = '{"type" :"input_image",  "image_url":"%s","detail":"low"}' % url  # noqa: UP031
    body = '{"temperature":1.50,"input":[{"role":"user","content":[%s]}], "model":"%s","x":1e2}'
    stage.post("/v1/responses", (body % (part, OPENAI.named)).encode())
    assert stage.case.requests[0].body == (body % (part, OPENAI.model)).encode()


@both_sdks
@pytest.mark.parametrize("vendor", [GOOGLE, VERTEX, ANTHROPIC, BEDROCK, MISTRAL], ids=str)
def test_check_16_a_response_with_a_picture_is_mapped_for_other_vendors(
    at: Callable[[Vendor], Stage], opened: Callable[..., Client], vendor: Vendor, sdk: str
) -> None:
    stage, data = at(vendor), shown()
    parts = [{"type": "input_image", "image_url": data_url(data)}, {"type": "input_text", "text": "What is it?"}]
    asked = [{"role": "user", "content": parts}]
    answer = opened(sdk, stage.trace).responses.create(model=vendor.named, input=asked)
    assert answer.output[0].content[0].text == SAID
    assert stage.case.requests[0].path == vendor.asked_at[False]
    assert_usage_logged(stage)
    [image] = stage.log()["images"]
    assert image["position"].startswith("input[0].content[0]")
    assert_viewable(stage.loupe, image, data, SIZE)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "previous_response_id": ({"previous_response_id": "resp_0"}, "previous_response_id"),
    "a tool of OpenAI's": ({"tools": [{"type": "image_generation"}]}, "tools[0]"),
    "background": ({"background": True}, "background"),
    "an item of OpenAI's": ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
}


@pytest.mark.parametrize("asked", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("vendor", [GOOGLE, MISTRAL], ids=str)
def test_check_16_what_only_openai_can_do_is_refused_by_name(
    at: Callable[[Vendor], Stage], opened: Callable[..., Client], vendor: Vendor, asked: tuple[dict[str, Any], str]
) -> None:
    stage = at(vendor)
    more, param = asked
    with pytest.raises(openai.BadRequestError) as caught:
        opened("openai", stage.trace).responses.create(**{"model": vendor.named, "input": "hi"} | more)
    assert caught.value.param == param
    assert param in caught.value.message
    assert not stage.case.requests
    assert (stage.log()["state"], stage.log()["response_status_code"]) == ("refused", 400)


@pytest.mark.parametrize("vendor", [GOOGLE, VERTEX, BEDROCK, MISTRAL], ids=str)
def test_check_16_a_file_of_openais_is_refused_where_nobody_knows_it(
    at: Callable[[Vendor], Stage], opened: Callable[..., Client], vendor: Vendor
) -> None:
    stage = at(vendor)
    asked = [{"role": "user", "content": [{"type": "input_image", "file_id": "file-abc"}]}]
    with pytest.raises(openai.BadRequestError) as caught:
        opened("openai", stage.trace).responses.create(model=vendor.named, input=asked)
    assert caught.value.param == "input[0].content[0]"
    assert not stage.case.requests
