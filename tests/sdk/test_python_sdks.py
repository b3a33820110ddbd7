"""Mission rows 2 and 4 to 8 with the published Python SDKs and curl, against a running `up`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import struct
import subprocess
import threading
from typing import Any

import pytest
from openai import AsyncOpenAI
from portkey_ai import AsyncPortkey, createHeaders
from portkey_ai._vendor import openai as vendored

from tests.conftest import Stage, needs
from tests.fake_upstream import Received, chat_events, response, stream
from tests.pictures import data_url, picture
from tests.sdk.doors import (
    OWN_KEY_DOORS,
    SAVED_KEY_DOORS,
    Client,
    Door,
    ask,
    error_class,
    every_shot,
    headed,
    image_doors,
    kept,
    portkey,
    saved_key_doors,
    two_doors,
)
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


@every_shot
@saved_key_doors
def test_every_form_of_a_picture_gets_through_every_door_with_the_saved_key(
    stage: Stage, door: Door, shot: Shot
) -> None:
    stage.case.will(answer)
    question = Question(shot)
    words = ask(door.open(stage, question.trace), door.named(stage), question)
    assert words == (list(WORDS) if shot.stream else [SAID])
    assert_answered_and_logged(stage, question, stage.secret)


@every_shot
@pytest.mark.parametrize("door", OWN_KEY_DOORS.values(), ids=OWN_KEY_DOORS)
def test_every_form_of_a_picture_gets_through_every_door_with_the_callers_own_key(
    own_key_stage: Stage, door: Door, shot: Shot
) -> None:
    own_key_stage.case.will(answer)
    question = Question(shot)
    words = ask(door.open(own_key_stage, question.trace), door.named(own_key_stage), question)
    assert words == (list(WORDS) if shot.stream else [SAID])
    assert_answered_and_logged(own_key_stage, question, own_key_stage.secret)
    assert own_key_stage.secret not in json.dumps(own_key_stage.loupe.log(question.trace))


def curl(stage: Stage, body: dict[str, Any], **headers: str) -> bytes:
    named = {"content-type": "application/json", "x-portkey-api-key": stage.loupe.key}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    flags = [word for name, value in named.items() for word in ("-H", f"{name}: {value}")]
    command = [needs("curl"), "-sSN", f"{stage.loupe.base}/chat/completions", *flags, "--data-binary", "@-"]
    done = subprocess.run(command, input=json.dumps(body).encode(), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_curl_got_the_answer(said: bytes, shot: Shot) -> None:
    if shot.stream:
        assert said == b"".join(chat_events(*WORDS))
        assert said.endswith(b"data: [DONE]\n\n")
    else:
        assert json.loads(said)["choices"][0]["message"]["content"] == SAID


@every_shot
def test_curl_with_the_providers_key_gets_through(own_key_stage: Stage, shot: Shot) -> None:
    own_key_stage.case.will(answer)
    question = Question(shot)
    said = curl(
        own_key_stage,
        question.body(MODEL),
        authorization=f"Bearer {own_key_stage.secret}",
        x_portkey_provider="openai",
        x_portkey_custom_host=own_key_stage.base_url,
        x_portkey_trace_id=question.trace,
    )
    assert_curl_got_the_answer(said, shot)
    assert_answered_and_logged(own_key_stage, question, own_key_stage.secret)


@every_shot
def test_curl_with_a_virtual_key_gets_through(stage: Stage, shot: Shot) -> None:
    stage.case.will(answer)
    question = Question(shot)
    said = curl(stage, question.body(MODEL), x_portkey_virtual_key=stage.slug, x_portkey_trace_id=question.trace)
    assert_curl_got_the_answer(said, shot)
    assert_answered_and_logged(stage, question, stage.secret)


def test_a_plain_openai_client_needs_only_the_gateway_key_and_finds_its_trace_in_the_answer(stage: Stage) -> None:
    stage.case.will(answer)
    question = Question(SHOTS[0])
    client = headed(stage, stage.loupe.key)
    raw = client.chat.completions.with_raw_response.create(
        model=f"@{stage.slug}/{MODEL}", messages=question.messages, extra_body=question.unknown, **question.options
    )
    assert raw.parse().choices[0].message.content == SAID
    question.trace = raw.headers["x-portkey-trace-id"]
    assert_answered_and_logged(stage, question, stage.secret)


@pytest.mark.parametrize("shot", [SHOTS[0], SHOTS[-1]], ids=str)
@pytest.mark.parametrize("library", ["openai", "portkey"])
def test_the_async_clients_get_through(stage: Stage, library: str, shot: Shot) -> None:
    stage.case.will(answer)
    question = Question(shot)

    async def talk() -> str:
        headers: dict[str, Any] = {"api_key": stage.loupe.key, "virtual_key": stage.slug, "trace_id": question.trace}
        client: Client = (
            AsyncPortkey(base_url=stage.loupe.base, **headers)
            if library == "portkey"
            else AsyncOpenAI(api_key="none", base_url=stage.loupe.base, default_headers=createHeaders(**headers))
        )
        asked = await client.chat.completions.create(
            model=MODEL, messages=question.messages, extra_body=question.unknown, **question.options
        )
        if not shot.stream:
            said = asked.choices[0].message.content
        else:
            said = "".join([chunk.choices[0].delta.content or "" async for chunk in asked if chunk.choices])
        await (client.openai_client if isinstance(client, AsyncPortkey) else client).close()
        return str(said)

    assert asyncio.run(talk()) == SAID
    assert_answered_and_logged(stage, question, stage.secret)


@two_doors
def test_chunks_arrive_one_by_one(stage: Stage, door: Door) -> None:
    go = threading.Event()
    stage.case.will(stream(chat_events(*WORDS), go=go))
    chunks = iter(
        door.open(stage, stage.trace).chat.completions.create(
            model=door.named(stage), messages=[{"role": "user", "content": "look"}], stream=True
        )
    )
    assert next(chunks).choices[0].delta.content == WORDS[0]
    go.set()
    rest = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(rest) == WORDS[1]


@two_doors
def test_a_base_url_with_a_trailing_slash_works(stage: Stage, door: Door) -> None:
    stage.case.will(answer)
    question = Question(SHOTS[0])
    client = door.open(stage, question.trace)
    client = kept(client.copy(base_url=f"{stage.loupe.base}/"))
    assert ask(client, door.named(stage), question) == [SAID]
    assert_answered_and_logged(stage, question, stage.secret)


def test_a_portkey_call_without_a_model_is_told_that_it_needs_one(stage: Stage) -> None:
    with pytest.raises(vendored.BadRequestError, match="needs a model") as caught:
        portkey(stage, virtual_key=stage.slug).chat.completions.create(messages=[{"role": "user", "content": "hi"}])
    assert (caught.value.code, caught.value.param) == ("missing_model", "model")
    assert not stage.case.requests


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@image_doors
def test_a_providers_500_is_asked_for_once_and_raised_with_the_providers_words(
    stage: Stage, door: Door, streamed: bool
) -> None:
    error = {"message": "The server had an error while looking", "type": "server_error", "param": None, "code": None}
    stage.case.will(response(500, {"error": error}))
    client = door.open(stage, stage.trace)
    messages = [{"role": "user", "content": "hi"}]
    with pytest.raises(error_class(client, "InternalServerError"), match="The server had an error while looking"):
        list(client.chat.completions.create(model=door.named(stage), messages=messages, stream=streamed))
    assert len(stage.case.requests) == 1
    log = stage.log()
    assert (log["state"], log["response_status_code"]) == ("error", 500)


@image_doors
def test_an_unknown_slug_is_a_not_found_error(stage: Stage, door: Door) -> None:
    client = door.open(stage, stage.trace)
    headers = {"x-portkey-virtual-key": "nobody"}
    with pytest.raises(error_class(client, "NotFoundError"), match="There is no virtual key @nobody") as caught:
        client.chat.completions.create(model="@nobody/gpt-4o", messages=[], extra_headers=headers)
    assert caught.value.code == "unknown_virtual_key"
    assert not stage.case.requests


def test_a_wrong_gateway_key_is_an_authentication_error(stage: Stage) -> None:
    clients: list[Client] = [
        portkey(stage, api_key="lp_wrong", virtual_key=stage.slug),
        headed(stage, "lp_wrong"),
        headed(stage, "sk-own", api_key="lp_wrong", virtual_key=stage.slug),
    ]
    for client in clients:
        with pytest.raises(error_class(client, "AuthenticationError"), match="gateway key") as caught:
            client.chat.completions.create(model=f"@{stage.slug}/{MODEL}", messages=[])
        assert caught.value.code == "invalid_api_key"
    assert not stage.case.requests


def test_an_oversized_picture_is_refused_in_words_and_not_by_a_broken_connection(own_key_stage: Stage) -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(b"\0" * 6_000_000)}}
    clients: list[Client] = [portkey(own_key_stage), headed(own_key_stage, own_key_stage.loupe.key)]
    for client in clients:
        with pytest.raises(error_class(client, "APIStatusError"), match="LOUPE_MAX_BODY_MB") as caught:
            client.chat.completions.create(model="@sandbox/vision", messages=[{"role": "user", "content": [part]}])
        assert (caught.value.status_code, caught.value.code) == (413, "body_too_large")


@pytest.mark.parametrize("name", ["Portkey(), model=@slug", "OpenAI(), model=@slug"])
def test_models_are_listed_by_loupe_when_no_provider_is_named(stage: Stage, name: str) -> None:
    listed = [model.id for model in SAVED_KEY_DOORS[name].open(stage, stage.trace).models.list().data]
    assert {"@sandbox/vision", f"@{stage.slug}/gpt-4o"} <= set(listed)
    assert not stage.case.requests


@pytest.mark.parametrize("name", ["Portkey(virtual_key)", "OpenAI+headers(virtual_key)"])
def test_models_are_listed_by_the_provider_that_is_named(stage: Stage, name: str) -> None:
    theirs = {"id": "theirs", "object": "model", "created": 1, "owned_by": "them"}
    stage.case.will(response(body={"object": "list", "data": [theirs]}))
    listed = SAVED_KEY_DOORS[name].open(stage, stage.trace).models.list()
    assert [model.id for model in listed.data] == ["theirs"]
    assert stage.case.requests[0].header("authorization") == f"Bearer {stage.secret}"
    assert stage.case.requests[0].path.rstrip("?") == "/v1/models"


@two_doors
def test_several_pictures_in_one_question_are_in_the_log_in_their_order(stage: Stage, door: Door) -> None:
    first, second = picture(size=(30, 20), colour=(70, 1, 1)), picture("JPEG", size=(20, 30), colour=(1, 70, 1))
    urls = [data_url(first), "https://pictures.example/a.png", data_url(second, "image/jpeg"), data_url(first)]
    forms_of_it = [urls[0], {"url": urls[1]}, {"url": urls[2], "detail": "low"}, urls[3]]
    content = [{"type": "image_url", "image_url": form} for form in forms_of_it]
    door.open(stage, stage.trace).chat.completions.create(
        model=door.named(stage), messages=[{"role": "user", "content": content}]
    )
    sent = stage.case.requests[0].json["messages"][0]["content"]
    assert [part["image_url"]["url"] for part in sent] == urls
    shown = stage.log()["images"]
    hashes = [hashlib.sha256(data).hexdigest() for data in (first, second)]
    assert [one["sha256"] or one["source_url"] for one in shown] == [hashes[0], urls[1], hashes[1], hashes[0]]
    assert [one["detail"] for one in shown] == [None, None, "low", None]


@image_doors
def test_a_response_takes_its_picture_as_a_string_unchanged(stage: Stage, door: Door) -> None:
    shown = picture(size=SIZE, colour=(7, 8, 9))
    text = {"type": "output_text", "text": SAID, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    whole: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o"}
    whole |= {"status": "completed", "output": [message], "parallel_tool_calls": True, "tools": []}
    usage = {"input_tokens": 300, "output_tokens": 5, "total_tokens": 305}
    stage.case.will(response(body=whole | {"usage": usage}))
    content = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": data_url(shown)}]
    asked = [{"role": "user", "content": content}]
    got = door.open(stage, stage.trace).responses.create(model=door.named(stage, "gpt-4o"), input=asked)
    assert got.output[0].content[0].text == SAID
    assert stage.case.requests[0].path == "/v1/responses"
    assert stage.case.requests[0].json == {"model": "gpt-4o", "input": asked}
    log = stage.log()
    [image] = log["images"]
    assert image["position"] == "input[0].content[1].image_url"
    assert_viewable(stage.loupe, image, shown, SIZE)
    assert (log["req_units"], log["res_units"], log["total_units"]) == (300, 5, 305)
    assert log["answer_preview"] == SAID


@image_doors
def test_embeddings_get_through(stage: Stage, door: Door) -> None:
    vector = [0.25, -1.5, 3.0]
    coded = base64.b64encode(struct.pack("<3f", *vector)).decode()
    item = {"object": "embedding", "index": 0}
    body = {"object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 5, "total_tokens": 5}}

    def as_asked(connection: socket.socket, request: Received) -> None:
        form = coded if request.json.get("encoding_format") == "base64" else vector
        response(body=body | {"data": [item | {"embedding": form}]})(connection, request)

    stage.case.will(as_asked)
    client = door.open(stage, stage.trace)
    got = client.embeddings.create(model=door.named(stage, "text-embedding-3-small"), input="a red square")
    assert got.data[0].embedding in (vector, coded)
    assert (stage.case.requests[0].path, stage.case.requests[0].json["input"]) == ("/v1/embeddings", "a red square")
    log = stage.log()
    assert (log["total_units"], log["ai_model"], log["prompt_preview"]) == (5, "text-embedding-3-small", "a red square")


def test_debug_false_keeps_figures_and_drops_what_was_said_and_shown(stage: Stage) -> None:
    stage.case.will(answer)
    question = Question(Shot(as_object=True, inline=True, stream=False))
    assert ask(portkey(stage, virtual_key=stage.slug, debug=False, trace_id=question.trace), MODEL, question) == [SAID]
    log = stage.loupe.log(question.trace)
    assert (log["total_units"], log["response_status_code"]) == (USAGE["total_tokens"], 200)
    assert (log["request"], log["response"], log["images"], log["prompt_preview"]) == (None, None, [], "")


def test_with_options_sets_trace_and_metadata_for_one_call_and_the_answer_shows_the_trace(stage: Stage) -> None:
    client = portkey(stage, virtual_key=stage.slug, trace_id="the-clients-own", metadata={"team": "none"})
    metadata = {"team": "shop", "_user": "ada"}
    once = kept(client.with_options(trace_id=stage.trace, metadata=metadata))
    got = once.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert got.get_headers()["trace-id"] == stage.trace
    log = stage.log()
    assert log["metadata"] == metadata
    assert log["sdk"].startswith("portkey-")


def test_twenty_kilobytes_of_metadata_and_headers_nobody_knows_do_no_harm(stage: Stage) -> None:
    metadata = {f"key-{number}": "v" * 100 for number in range(180)}
    client = portkey(stage, virtual_key=stage.slug, trace_id=stage.trace, metadata=metadata, something_new={"a": [1]})
    client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert stage.log()["metadata"] == metadata


def test_an_answer_shows_a_trace_also_when_none_was_given(stage: Stage) -> None:
    got = portkey(stage, virtual_key=stage.slug).chat.completions.create(model=MODEL, messages=[])
    trace = got.get_headers()["trace-id"]
    assert stage.loupe.log(trace)["trace_id"] == trace


def test_the_sandbox_answers_every_sdk_without_an_account(stage: Stage) -> None:
    shown = picture(size=(33, 22))
    part = {"type": "image_url", "image_url": data_url(shown)}
    for client in (portkey(stage), headed(stage, stage.loupe.key)):
        got = client.chat.completions.create(model="@sandbox/vision", messages=[{"role": "user", "content": [part]}])
        assert "33" in got.choices[0].message.content
        assert "22" in got.choices[0].message.content
