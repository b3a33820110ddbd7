"""Mission rows 1 and 3, and 6 to 8, with the published Node SDKs, against a running `up`."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Stage
from tests.fake_upstream import chat_events, response, stream
from tests.pictures import data_url, picture
from tests.sdk import forms
from tests.sdk.node import Call, Node
from tests.sdk.questions import (
    MODEL,
    SAID,
    SHOTS,
    SIZE,
    USAGE,
    WORDS,
    Question,
    Shot,
    answer,
    assert_answered_and_logged,
    assert_viewable,
)

pytestmark = pytest.mark.node


@dataclass(frozen=True)
class Door:
    """One documented way in: the client's half of a call from a stage and a trace id, and how its model is written."""

    client: Callable[[Stage, str], Call]
    model: str = MODEL

    def call(self, stage: Stage, method: str, *args: Any, trace: str = "") -> Call:
        return self.client(stage, trace or stage.trace) | {"method": method, "args": list(args)}

    def named(self, stage: Stage, model: str = MODEL) -> str:
        return self.model.replace("SLUG", stage.slug).replace(MODEL, model)

    def asks(self, stage: Stage, question: Question) -> Call:
        return self.call(stage, "chat.completions.create", question.body(self.named(stage)), trace=question.trace)


def portkey(stage: Stage, **options: Any) -> Call:
    return {"sdk": "portkey", "options": {"apiKey": stage.loupe.key, "baseURL": stage.loupe.base} | options}


def headed(stage: Stage, key: str, **headers: str) -> Call:
    """The OpenAI SDK with Portkey's headers."""
    return {"sdk": "openai", "options": {"apiKey": key, "baseURL": stage.loupe.base}, "headers": headers}


def own(stage: Stage, trace: str) -> dict[str, str]:
    return {"provider": "openai", "customHost": stage.base_url, "traceID": trace}


SAVED_KEY_DOORS = {
    "Portkey({virtualKey})": Door(lambda s, t: portkey(s, virtualKey=s.slug, traceID=t)),
    "Portkey({virtualKey}), trailing slash": Door(
        lambda s, t: portkey(s, virtualKey=s.slug, traceID=t, baseURL=f"{s.loupe.base}/")
    ),
    "Portkey({provider: @slug})": Door(lambda s, t: portkey(s, provider=f"@{s.slug}", traceID=t)),
    "Portkey({}), model @slug": Door(lambda s, t: portkey(s, traceId=t), f"@SLUG/{MODEL}"),
    "OpenAI, model @slug": Door(lambda s, t: headed(s, s.loupe.key, traceID=t), f"@SLUG/{MODEL}"),
    "OpenAI+headers({virtualKey})": Door(
        lambda s, t: headed(s, "OPENAI_API_KEY", apiKey=s.loupe.key, virtualKey=s.slug, traceID=t)
    ),
}
OWN_KEY_DOORS = {
    "Portkey({provider, Authorization})": Door(
        lambda s, t: portkey(s, Authorization=f"Bearer {s.secret}", **own(s, t))
    ),
    "Portkey({provider, Authorization bare})": Door(lambda s, t: portkey(s, Authorization=s.secret, **own(s, t))),
    "OpenAI+headers({provider})": Door(lambda s, t: headed(s, s.secret, apiKey=s.loupe.key, **own(s, t))),
}
VIRTUAL_KEY, MODEL_SLUG, PLAIN_OPENAI, HEADED_OPENAI = (
    SAVED_KEY_DOORS[name]
    for name in (
        "Portkey({virtualKey})",
        "Portkey({}), model @slug",
        "OpenAI, model @slug",
        "OpenAI+headers({virtualKey})",
    )
)
FOUR_DOORS = [VIRTUAL_KEY, MODEL_SLUG, PLAIN_OPENAI, HEADED_OPENAI]


def assert_every_shot_gets_through(stage: Stage, node: Node, door: Door) -> None:
    stage.case.will(answer)
    questions = [Question(shot) for shot in SHOTS]
    results = node([door.asks(stage, question) for question in questions])
    for question, result in zip(questions, results, strict=True):
        assert result.ok, (str(question), result)
        assert result.words == (list(WORDS) if question.shot.stream else [SAID]), str(question)
        assert_answered_and_logged(stage, question, stage.secret)


@pytest.mark.parametrize("door", SAVED_KEY_DOORS.values(), ids=SAVED_KEY_DOORS)
def test_every_form_of_a_picture_gets_through_every_door_with_the_saved_key(
    stage: Stage, node: Node, door: Door
) -> None:
    assert_every_shot_gets_through(stage, node, door)


@pytest.mark.parametrize("door", OWN_KEY_DOORS.values(), ids=OWN_KEY_DOORS)
def test_every_form_of_a_picture_gets_through_every_door_with_the_callers_own_key(
    own_key_stage: Stage, node: Node, door: Door
) -> None:
    assert_every_shot_gets_through(own_key_stage, node, door)


@pytest.mark.parametrize("door", [VIRTUAL_KEY, PLAIN_OPENAI], ids=["portkey", "openai"])
def test_chunks_arrive_one_by_one(stage: Stage, node_command: list[str], door: Door) -> None:
    go = threading.Event()
    stage.case.will(stream(chat_events(*WORDS), go=go))
    body = {"model": door.named(stage), "messages": [{"role": "user", "content": "look"}], "stream": True}
    calls = json.dumps([door.call(stage, "chat.completions.create", body)]).encode()
    with subprocess.Popen(node_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(calls)
        process.stdin.close()
        first = process.stdout.readline()  # the rest is not sent before this line is here
        go.set()
        rest = [json.loads(line) for line in process.stdout]
    assert json.loads(first)["chunk"]["choices"][0]["delta"]["content"] == WORDS[0]
    assert rest[0]["chunk"]["choices"][0]["delta"]["content"] == WORDS[1]
    assert rest[-1] == {"ok": True}


def test_a_portkey_call_without_a_model_is_told_that_it_needs_one(stage: Stage, node: Node) -> None:
    calls = [VIRTUAL_KEY.call(stage, "chat.completions.create", {"messages": [{"role": "user", "content": "hi"}]})]
    [result] = node(calls)
    assert (result.error, result.status) == ("BadRequestError", 400)
    assert "needs a model" in result.message
    assert not stage.case.requests


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_a_providers_500_is_asked_for_once_and_thrown_with_the_providers_words(
    stage: Stage, node: Node, streamed: bool
) -> None:
    error = {"message": "The server had an error while looking", "type": "server_error", "param": None, "code": None}
    stage.case.will(response(500, {"error": error}))
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": streamed}
    results = node(
        [door.call(stage, "chat.completions.create", body | {"model": door.named(stage)}) for door in FOUR_DOORS]
    )
    for result in results:
        assert (result.error, result.status) == ("InternalServerError", 500)
        assert "The server had an error while looking" in result.message
    assert len(stage.case.requests) == len(FOUR_DOORS)


def test_refusals_are_thrown_as_the_right_error_with_a_readable_message(stage: Stage, node: Node) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    unknown = [
        portkey(stage, virtualKey="nobody"),
        portkey(stage),
        headed(stage, stage.loupe.key),
        headed(stage, "sk-own", apiKey=stage.loupe.key, virtualKey="nobody"),
    ]
    wrong = [
        portkey(stage, apiKey="lp_wrong", virtualKey=stage.slug),
        headed(stage, "lp_wrong"),
        headed(stage, "sk-own", apiKey="lp_wrong", virtualKey=stage.slug),
    ]
    results = node(
        [
            one | {"method": "chat.completions.create", "args": [body | {"model": "@nobody/gpt-4o"}]}
            for one in (*unknown, *wrong)
        ]
    )
    for result in results[: len(unknown)]:
        assert (result.error, result.status) == ("NotFoundError", 404)
        assert "There is no virtual key @nobody" in result.message
    for result in results[len(unknown) :]:
        assert (result.error, result.status) == ("AuthenticationError", 401)
        assert "gateway key" in result.message
    assert not stage.case.requests


def test_an_oversized_picture_is_refused_in_words_and_not_by_a_broken_connection(
    own_key_stage: Stage, node: Node
) -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(b"\0" * 6_000_000)}}
    body = {"model": "@sandbox/vision", "messages": [{"role": "user", "content": [part]}]}
    clients = [portkey(own_key_stage), headed(own_key_stage, own_key_stage.loupe.key)]
    for result in node([one | {"method": "chat.completions.create", "args": [body]} for one in clients]):
        assert (result.error, result.status) == ("APIError", 413)
        assert "LOUPE_MAX_BODY_MB" in result.message


def test_models_are_listed_by_loupe_or_by_the_provider_that_is_named(stage: Stage, node: Node) -> None:
    stage.case.will(response(body={"object": "list", "data": [{"id": "theirs", "object": "model"}]}))
    results = node([door.call(stage, "models.list") for door in (MODEL_SLUG, PLAIN_OPENAI, VIRTUAL_KEY, HEADED_OPENAI)])
    listed = [{model["id"] for model in result.value["data"]} for result in results]
    assert {"@sandbox/vision", f"@{stage.slug}/gpt-4o"} <= listed[0]
    assert listed[1:] == [listed[0], {"theirs"}, {"theirs"}]
    assert [request.header("authorization") for request in stage.case.requests] == [f"Bearer {stage.secret}"] * 2


def test_a_generated_picture_comes_back_and_is_in_the_log(stage: Stage, node: Node) -> None:
    made = picture(size=(64, 48), colour=(1, 2, 3))
    url = "https://pictures.example/made.png?sig=a%2Bb"
    data = [{"b64_json": base64.b64encode(made).decode()}, {"url": url}]
    stage.case.will(response(body={"created": 1, "data": data}))
    traces = [f"{stage.trace}-{number}" for number in range(len(FOUR_DOORS))]
    asked = {"prompt": "an otter", "size": "1024x1024"}
    results = node(
        [
            door.call(stage, "images.generate", {"model": door.named(stage, "gpt-image-1")} | asked, trace=trace)
            for door, trace in zip(FOUR_DOORS, traces, strict=True)
        ]
    )
    for result, request, trace in zip(results, stage.case.requests, traces, strict=True):
        assert result.ok, result
        assert result.value["data"] == data
        assert (request.path, request.json) == ("/v1/images/generations", {"model": "gpt-image-1"} | asked)
        assert request.header("authorization") == f"Bearer {stage.secret}"
        inline, link = stage.loupe.log(trace)["images"]
        assert_viewable(stage.loupe, inline, made, (64, 48))
        assert (link["direction"], link["source"], link["source_url"]) == ("output", "link", url)


@pytest.mark.parametrize("count", [1, 3], ids=["one file", "several files"])
def test_uploaded_pictures_reach_the_provider_and_the_log(stage: Stage, node: Node, count: int) -> None:
    uploads = [picture(size=(20 + n, 30), colour=(n, 90, 90)) for n in range(count)]
    stage.case.will(response(body={"created": 1, "data": [{"url": "https://pictures.example/edited.png"}]}))
    files = [{"$file": f"{n}.png", "base64": base64.b64encode(data).decode()} for n, data in enumerate(uploads)]
    asked = {"prompt": "make it blue", "image": files if count > 1 else files[0]}
    traces = [f"{stage.trace}-{number}" for number in range(len(FOUR_DOORS))]
    results = node(
        [
            door.call(stage, "images.edit", {"model": door.named(stage, "gpt-image-1")} | asked, trace=trace)
            for door, trace in zip(FOUR_DOORS, traces, strict=True)
        ]
    )
    for result, request, trace in zip(results, stage.case.requests, traces, strict=True):
        assert result.ok, result
        sent = forms.fields(request.body, request.header("content-type") or "")
        texts = {one.name: one.content for one in sent if one.filename is None}
        assert texts == {"model": b"gpt-image-1", "prompt": b"make it blue"}
        name = "image[]" if count > 1 else "image"
        assert [one.content for one in sent if one.name == name] == uploads
        log = stage.loupe.log(trace)
        images = [image for image in log["images"] if image["direction"] == "input"]
        assert [image["sha256"] for image in images] == [hashlib.sha256(data).hexdigest() for data in uploads]
        assert_viewable(stage.loupe, images[0], uploads[0], (20, 30))
        assert log["prompt_preview"] == "make it blue"


def test_a_response_takes_its_picture_as_a_string_unchanged(stage: Stage, node: Node) -> None:
    shown = picture(size=SIZE, colour=(7, 8, 9))
    text = {"type": "output_text", "text": SAID, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    usage = {"input_tokens": 300, "output_tokens": 5, "total_tokens": 305}
    stage.case.will(response(body={"id": "resp_1", "object": "response", "output": [message], "usage": usage}))
    content = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": data_url(shown)}]
    asked = {"input": [{"role": "user", "content": content}]}
    traces = [f"{stage.trace}-{number}" for number in range(len(FOUR_DOORS))]
    results = node(
        [
            door.call(stage, "responses.create", {"model": door.named(stage, "gpt-4o")} | asked, trace=trace)
            for door, trace in zip(FOUR_DOORS, traces, strict=True)
        ]
    )
    for result, request, trace in zip(results, stage.case.requests, traces, strict=True):
        assert result.value["output"][0]["content"][0]["text"] == SAID
        assert (request.path, request.json) == ("/v1/responses", {"model": "gpt-4o"} | asked)
        log = stage.loupe.log(trace)
        assert_viewable(stage.loupe, log["images"][0], shown, SIZE)
        assert (log["req_units"], log["res_units"], log["total_units"]) == (300, 5, 305)


def test_embeddings_get_through(stage: Stage, node: Node) -> None:
    vector = [0.25, -1.5, 3.0]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    stage.case.will(response(body={"object": "list", "model": "text-embedding-3-small", "data": data, "usage": usage}))
    asked = {"input": "a red square", "encoding_format": "float"}
    results = node(
        [
            door.call(stage, "embeddings.create", {"model": door.named(stage, "text-embedding-3-small")} | asked)
            for door in FOUR_DOORS
        ]
    )
    assert [result.value["data"][0]["embedding"] for result in results] == [vector] * 4
    assert {request.json["model"] for request in stage.case.requests} == {"text-embedding-3-small"}
    assert stage.log()["total_units"] == 5


def test_debug_false_keeps_figures_and_drops_what_was_said_and_shown(stage: Stage, node: Node) -> None:
    stage.case.will(answer)
    question = Question(Shot(as_object=True, inline=True, stream=False))
    quiet = Door(lambda s, t: portkey(s, virtualKey=s.slug, traceID=t, debug=False))
    [result] = node([quiet.asks(stage, question)])
    assert result.words == [SAID]
    log = stage.loupe.log(question.trace)
    assert log["total_units"] == USAGE["total_tokens"]
    assert (log["request"], log["response"], log["images"], log["prompt_preview"]) == (None, None, [], "")


@pytest.mark.parametrize("spelling", ["traceID", "traceId"])
def test_trace_and_metadata_of_one_call_reach_the_log_and_the_answer_shows_the_trace(
    stage: Stage, node: Node, spelling: str
) -> None:
    options = {spelling: stage.trace, "metadata": {"team": "shop", "_user": "ada"}}
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    [result] = node([VIRTUAL_KEY.call(stage, "chat.completions.create", body, options, trace="the-clients-own")])
    assert result.headers["trace-id"] == stage.trace
    log = stage.log()
    assert log["metadata"] == {"team": "shop", "_user": "ada"}
    assert log["sdk"].startswith("portkey-")


def test_an_answer_shows_a_trace_also_when_none_was_given(stage: Stage, node: Node) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    nameless = Door(lambda s, _: portkey(s, virtualKey=s.slug))
    [result] = node([nameless.call(stage, "chat.completions.create", body)])
    trace = result.headers["trace-id"]
    assert stage.loupe.log(trace)["trace_id"] == trace


def test_one_portkey_client_keeps_working_when_its_resources_are_used_in_turn(stage: Stage, node: Node) -> None:
    """Its images and models make it send the gateway key as a bearer from then on."""
    stage.case.will(answer)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    image = {"model": "gpt-image-1", "prompt": "an otter"}
    methods: list[tuple[str, list[Any]]] = [
        ("chat.completions.create", [body]),
        ("models.list", []),
        ("images.generate", [image]),
        ("chat.completions.create", [body]),
        ("chat.completions.create", [body | {"stream": True}]),
    ]
    results = node([VIRTUAL_KEY.call(stage, method, *args) for method, args in methods])
    assert [result.ok for result in results] == [True] * 5, results
    assert results[3].words == [SAID]
    assert results[4].words == list(WORDS)
    assert {request.header("authorization") for request in stage.case.requests} == {f"Bearer {stage.secret}"}
    assert stage.loupe.key not in str([request.headers for request in stage.case.requests])
