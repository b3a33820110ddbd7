"""Mission rows 13 to 15 and the other vendors: OpenAI's and Portkey's SDKs, through a running `up`, to each vendor's own format."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from portkey_ai import Portkey

from tests.conftest import SHARED, Stage
from tests.fake_upstream import FakeUpstream, response
from tests.loupe import Loupe
from tests.replay.recorded import answering, read_all, said
from tests.sdk.node import Call, Node
from tests.sdk.questions import SAID, SHOTS, SIZE, WORDS, Question, Shot, assert_viewable
from tests.vendors import SECRET, TOKENS, VENDORS, Seen, Vendor, corner, pictures_seen, speaking

Client = Any  # OpenAI or Portkey: called alike, typed apart
SDKS = ["openai", "portkey"]
AUTH = {
    "azure-openai": ("api-key", SECRET),
    "google": ("x-goog-api-key", SECRET),
    "vertex-ai": ("authorization", f"Bearer {SECRET}"),
    "anthropic": ("x-api-key", SECRET),
    "bedrock": ("authorization", f"Bearer {SECRET}"),
    "mistral-ai": ("authorization", f"Bearer {SECRET}"),
}
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look at a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


@pytest.fixture(params=VENDORS, ids=str)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def stage(vendor_loupe: Loupe, upstream: FakeUpstream, vendor: Vendor) -> Stage:
    return corner(vendor_loupe, upstream, vendor)


@pytest.fixture(params=SDKS)
def client(request: pytest.FixtureRequest, vendor_loupe: Loupe) -> Iterator[Callable[..., Client]]:
    """Makes a client of one of the two SDKs that sends a trace id of its own."""
    opened: list[Client] = []

    def make(trace: str) -> Client:
        if request.param == "openai":
            headers = {"x-portkey-trace-id": trace}
            made: Client = OpenAI(
                api_key=vendor_loupe.key, base_url=vendor_loupe.base, max_retries=0, default_headers=headers
            )
            opened.append(made)
        else:
            made = Portkey(api_key=vendor_loupe.key, base_url=vendor_loupe.base, trace_id=trace)
            opened.append(made.openai_client)
        return made

    yield make
    for one in opened:
        one.close()


def at_the_fake(question: Question, upstream: FakeUpstream) -> None:
    """Links lead to the fake: an ending in capitals, a query, and a content type that lies."""
    if question.shot.inline:
        return
    upstream.on("pictures").will(response(body=question.picture, headers={"content-type": "text/plain"}))
    question.url = f"http://127.0.0.1:{upstream.port}/pictures/{question.mark}.PNG?size=large&v=%20"
    part: Any = question.messages[0]["content"][1]
    part["image_url"] = {"url": question.url, "detail": "high"} if question.shot.as_object else question.url


def assert_sent_and_logged(stage: Stage, vendor: Vendor, question: Question) -> None:
    [request] = stage.case.requests
    assert (request.method, request.path) == ("POST", vendor.asked_at[question.shot.stream])
    name, value = AUTH[vendor.provider]
    assert [given for key, given in request.headers if key == name] == [value]
    assert stage.loupe.key not in f"{request.path} {request.headers} {request.body!r}"
    digest = hashlib.sha256(question.picture).hexdigest()
    fetched = question.shot.inline or vendor.fetches
    seen = Seen("image/png", digest) if fetched else Seen(link=question.url)
    assert pictures_seen(vendor.dialect, request.json) == [seen]
    assert b"What is in this image?" in request.body
    log = stage.loupe.log(question.trace)
    assert (log["state"], log["response_status_code"], log["stream_mode"]) == ("ok", 200, question.shot.stream)
    assert (log["ai_org"], log["ai_model"]) == (vendor.provider, vendor.model)
    assert (log["req_units"], log["res_units"], log["total_units"]) == TOKENS
    assert (log["prompt_preview"], log["answer_preview"]) == ("What is in this image?", SAID)
    [image] = log["images"]
    assert (image["direction"], image["source"]) == ("input", "data" if question.shot.inline else "link")
    assert image["position"].startswith("messages[0].content[1].image_url")
    if fetched:
        assert_viewable(stage.loupe, image, question.picture, SIZE)
    if not question.shot.inline:
        assert image["source_url"] == question.url


@pytest.mark.parametrize("shot", SHOTS, ids=str)
def test_every_form_of_a_picture_gets_through_the_python_sdks_to_every_vendor(
    stage: Stage, vendor: Vendor, upstream: FakeUpstream, client: Callable[[str], Client], shot: Shot
) -> None:
    question = Question(shot)
    at_the_fake(question, upstream)
    asked = client(question.trace).chat.completions.create(
        model=vendor.named, messages=question.messages, **question.options
    )
    if shot.stream:
        chunks = list(asked)
        assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == SAID
        assert chunks[-1].usage is not None
        assert not chunks[-1].choices
        usage = chunks[-1].usage
        assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    else:
        assert (asked.choices[0].message.content, asked.choices[0].finish_reason) == (SAID, "stop")
        usage = asked.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == TOKENS
    assert_sent_and_logged(stage, vendor, question)


def node_client(sdk: str, stage: Stage, trace: str) -> Call:
    options = {"apiKey": stage.loupe.key, "baseURL": stage.loupe.base}
    if sdk == "portkey":
        return {"sdk": "portkey", "options": options | {"traceID": trace}}
    return {"sdk": "openai", "options": options, "headers": {"traceID": trace}}


def node_chat(sdk: str, stage: Stage, trace: str, body: dict[str, Any]) -> Call:
    return node_client(sdk, stage, trace) | {"method": "chat.completions.create", "args": [body]}


@pytest.mark.node
@pytest.mark.parametrize("sdk", SDKS)
def test_every_form_of_a_picture_gets_through_the_node_sdks_to_every_vendor(
    stage: Stage, vendor: Vendor, upstream: FakeUpstream, node: Node, sdk: str
) -> None:
    questions = [Question(shot) for shot in SHOTS]
    for question in questions:
        question.unknown = {}
    links = [question for question in questions if not question.shot.inline]
    for question in links:
        question.picture = links[0].picture  # behind every link, since all are opened in one go
        at_the_fake(question, upstream)
    results = node([node_chat(sdk, stage, one.trace, one.body(vendor.named)) for one in questions])
    requests = list(stage.case.requests)
    for question, result, request in zip(questions, results, requests, strict=True):
        assert result.ok, result
        assert "".join(result.words) == SAID
        usage = (result.chunks[-1] if question.shot.stream else result.value)["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == TOKENS
        stage.case.requests = [request]
        assert_sent_and_logged(stage, vendor, question)


def test_chunks_come_one_by_one_through_the_python_sdks(
    stage: Stage, vendor: Vendor, client: Callable[[str], Client]
) -> None:
    go = threading.Event()
    stage.case.will(speaking(vendor, *WORDS, go=go))
    chunks = client(stage.trace).chat.completions.create(
        model=vendor.named, messages=[{"role": "user", "content": "look"}], stream=True
    )
    words = (choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content)
    assert next(words) == WORDS[0]  # the rest is not sent before this is here
    go.set()
    assert list(words) == [WORDS[1]]


@pytest.mark.node
@pytest.mark.parametrize("sdk", SDKS)
def test_chunks_come_one_by_one_through_the_node_sdks(
    stage: Stage, vendor: Vendor, node_command: list[str], sdk: str
) -> None:
    go = threading.Event()
    stage.case.will(speaking(vendor, *WORDS, go=go))
    body = {"model": vendor.named, "messages": [{"role": "user", "content": "look"}], "stream": True}
    calls = json.dumps([node_chat(sdk, stage, stage.trace, body)]).encode()
    with subprocess.Popen(node_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(calls)
        process.stdin.close()
        first = json.loads(process.stdout.readline())
        go.set()
        rest = [json.loads(line) for line in process.stdout]
    assert first["chunk"]["choices"][0]["delta"]["content"] == WORDS[0]
    assert rest[-1] == {"ok": True}


def test_a_chat_stream_has_unnamed_events_the_usage_asked_for_and_an_end_mark(stage: Stage, vendor: Vendor) -> None:
    body = {"model": vendor.named, "stream": True, "stream_options": {"include_usage": True}}
    _, headers, told = stage.chat(body)
    lines = [line for line in told.decode().splitlines() if line]
    assert headers["content-type"].startswith("text/event-stream")
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    last = json.loads(lines[-2][6:])
    assert (last["choices"], last["object"], last["usage"]["total_tokens"]) == ([], "chat.completion.chunk", TOKENS[2])


def result_of(call_id: str, url: str) -> dict[str, Any]:
    """The tool's answer: words and a picture."""
    parts = [{"type": "text", "text": "It looks so:"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"role": "tool", "tool_call_id": call_id, "content": parts}


def assert_the_vendor_got_call_and_result(stage: Stage, vendor: Vendor, question: Question) -> None:
    sent = stage.case.requests[-1].json
    text = json.dumps(sent)
    assert pictures_seen(vendor.dialect, sent) == [Seen("image/png", hashlib.sha256(question.picture).hexdigest())]
    assert "It looks so:" in text
    if vendor.dialect == "gemini":
        _, called, answered = sent["contents"]
        assert called["parts"][-1]["functionCall"] == {"name": "look", "args": {"place": "Öland"}}
        assert answered["parts"][0]["functionResponse"]["name"] == "look"
        assert sent["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == TOOL["function"]["parameters"]  # type: ignore[index]
    elif vendor.dialect == "anthropic":
        _, called, answered = sent["messages"]
        assert called["content"][-1] == {
            "type": "tool_use",
            "id": "call_1",
            "name": "look",
            "input": {"place": "Öland"},
        }
        assert (answered["content"][0]["type"], answered["content"][0]["tool_use_id"]) == ("tool_result", "call_1")
        assert [block["type"] for block in answered["content"][0]["content"]] == ["text", "image"]
    elif vendor.dialect == "converse":
        _, called, answered = sent["messages"]
        assert called["content"][-1]["toolUse"] == {"toolUseId": "call_1", "name": "look", "input": {"place": "Öland"}}
        assert answered["content"][0]["toolResult"]["toolUseId"] == "call_1"
        assert [list(block) for block in answered["content"][0]["toolResult"]["content"]] == [["text"], ["image"]]
    else:
        _, called, answered = sent["messages"]
        assert json.loads(called["tool_calls"][0]["function"]["arguments"]) == {"place": "Öland"}
        assert answered["tool_call_id"] == "call_1"
    log = stage.log()
    assert (log["answer_preview"], [image["direction"] for image in log["images"]]) == (SAID, ["input"])
    assert_viewable(stage.loupe, log["images"][0], question.picture, SIZE)


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_a_tool_call_and_a_result_with_a_picture_go_round_through_the_python_sdks(
    stage: Stage, vendor: Vendor, client: Callable[[str], Client], streaming: bool
) -> None:
    stage.case.will(speaking(vendor, "Let me look.", call={"place": "Öland"}), speaking(vendor))
    question = Question(Shot(as_object=True, inline=True, stream=False))
    messages: list[Any] = [{"role": "user", "content": "What is there?"}]
    options: dict[str, Any] = {"model": vendor.named, "messages": messages, "tools": [TOOL]}
    asked = client(f"{stage.trace}-1").chat.completions.create(**options, stream=streaming)
    if streaming:
        message = from_chunks([chunk.model_dump(exclude_none=True) for chunk in asked])
    else:
        assert asked.choices[0].finish_reason == "tool_calls"
        message = asked.choices[0].message.model_dump(exclude_none=True)
    [call] = message["tool_calls"]
    assert (message["content"], call["function"]["name"]) == ("Let me look.", "look")
    messages += [message, result_of(call["id"], question.url)]
    second = client(stage.trace).chat.completions.create(**options)
    assert second.choices[0].message.content == SAID
    assert_the_vendor_got_call_and_result(stage, vendor, question)


@pytest.mark.node
@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_a_tool_call_and_a_result_with_a_picture_go_round_through_the_node_sdks(
    stage: Stage, vendor: Vendor, node: Node, sdk: str, streaming: bool
) -> None:
    stage.case.will(speaking(vendor, "Let me look.", call={"place": "Öland"}), speaking(vendor))
    question = Question(Shot(as_object=True, inline=True, stream=False))
    body: dict[str, Any] = {"model": vendor.named, "tools": [TOOL], "stream": streaming}
    body["messages"] = [{"role": "user", "content": "What is there?"}]
    [first] = node([node_chat(sdk, stage, f"{stage.trace}-1", body)])
    assert first.ok, first
    message = from_chunks(first.chunks) if streaming else first.value["choices"][0]["message"]
    body["messages"] += [message, result_of(message["tool_calls"][0]["id"], question.url)]
    [second] = node([node_chat(sdk, stage, stage.trace, body)])
    assert "".join(second.words) == SAID
    assert_the_vendor_got_call_and_result(stage, vendor, question)


def from_chunks(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The assistant's message that a stream makes, as an app puts it together."""
    message: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": []}
    finishes = []
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        finishes += [choice["finish_reason"]] if choice.get("finish_reason") else []
        message["content"] += choice["delta"].get("content") or ""
        for piece in choice["delta"].get("tool_calls") or []:
            if piece["index"] == len(message["tool_calls"]):
                function = {"name": piece["function"]["name"], "arguments": ""}
                message["tool_calls"].append({"id": piece["id"], "type": "function", "function": function})
            function = message["tool_calls"][piece["index"]]["function"]
            function["arguments"] += piece["function"].get("arguments") or ""
    assert finishes == ["tool_calls"]
    return message


RECORDED = {
    "gemini": "a-google",
    "vertex": "a-vertex",
    "anthropic": "a-anthropic",
    "bedrock": "a-bedrock",
    "mistral": "a-mistral",
}
CHATS = (
    "/messages",
    ":generateContent",
    ":streamGenerateContent",
    "/converse",
    "/converse-stream",
    "/chat/completions",
)


@pytest.mark.node
@pytest.mark.skipif(not (SHARED / "recordings").exists(), reason="the recordings lie beside the repository")
@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("folder", RECORDED)
def test_recorded_answers_are_whole_in_the_node_sdks(
    vendor_loupe: Loupe, upstream: FakeUpstream, recordings: Path, node: Node, folder: str, sdk: str
) -> None:
    vendor = next(one for one in VENDORS if one.slug == RECORDED[folder])
    stage = corner(vendor_loupe, upstream, vendor)
    played = [
        one for one in read_all(recordings, folder) if one.status == 200 and one.url.path.endswith(CHATS) and one.asked
    ]
    assert played
    stage.case.will(*map(answering, played))
    body = {"model": vendor.named, "messages": [{"role": "user", "content": "Describe it."}]}
    results = node([node_chat(sdk, stage, stage.trace, body | {"stream": one.streams}) for one in played])
    for recording, result in zip(played, results, strict=True):
        assert result.ok, (recording.name, result)
        choices = (
            [c for chunk in result.chunks for c in chunk["choices"]] if recording.streams else result.value["choices"]
        )
        texts = [(c.get("delta") or c.get("message") or {}).get("content") or "" for c in choices]
        text = "".join(t if isinstance(t, str) else "".join(part.get("text", "") for part in t) for t in texts)
        assert text == said(recording).text, recording.name
