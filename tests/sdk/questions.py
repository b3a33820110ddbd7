"""What every SDK is made to ask, and what must then be true at the provider and in the log."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import socket
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from tests.conftest import Stage
from tests.fake_upstream import COMPLETION, Received, chat_events, response, stream
from tests.loupe import Loupe
from tests.pictures import data_url, picture

MODEL = "gpt-4-vision-preview"
WORDS = ("A red ", "square.")
SAID = "".join(WORDS)
SIZE = (41, 31)
USAGE = {"prompt_tokens": 1100, "completion_tokens": 10, "total_tokens": 1110}  # as in COMPLETION


@dataclass(frozen=True)
class Shot:
    """One way to show a picture: how `image_url` is written, where the picture is, how the answer comes."""

    as_object: bool
    inline: bool
    stream: bool

    def __str__(self) -> str:
        form = "object" if self.as_object else "string"
        return f"{form}-{'base64' if self.inline else 'link'}-{'stream' if self.stream else 'plain'}"


SHOTS = [Shot(*flags) for flags in itertools.product((False, True), repeat=3)]


class Question:
    """A shot with a picture and a trace of its own, so that it is found again among others."""

    def __init__(self, shot: Shot) -> None:
        self.shot = shot
        mark = uuid.uuid4()
        self.trace = self.mark = f"trace-{mark}"
        self.picture = picture(size=SIZE, colour=(mark.bytes[0], mark.bytes[1], mark.bytes[2]))
        self.url = data_url(self.picture) if shot.inline else f"https://pictures.example/{mark}.png?size=large&v=%20"
        image_url = {"url": self.url, "detail": "high"} if shot.as_object else self.url
        parts = [{"type": "text", "text": "What is in this image?"}, {"type": "image_url", "image_url": image_url}]
        self.messages = [{"role": "user", "content": parts}]
        self.options: dict[str, Any] = {"max_tokens": 300, "temperature": 0.5}
        if shot.stream:
            self.options |= {"stream": True, "stream_options": {"include_usage": True}}
        self.unknown = {"loupe_test": self.mark}

    def __str__(self) -> str:
        return str(self.shot)

    def body(self, model: str) -> dict[str, Any]:
        return {"model": model, "messages": self.messages, **self.options, **self.unknown}


def answer(connection: socket.socket, request: Received) -> None:
    """The provider's answer: streamed if that was asked for."""
    streamed = bool(request.body) and request.json.get("stream")
    (stream(chat_events(*WORDS)) if streamed else response(body=completion(SAID)))(connection, request)


def completion(text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return COMPLETION | {"choices": [choice]}


def assert_answered_and_logged(stage: Stage, question: Question, key: str) -> None:
    """The whole of mission rows 6 to 9 but for the browser. `key` is the credential the provider must get."""
    assert_the_provider_saw(stage, question, key)
    assert_the_log_shows(stage.loupe, question)


def assert_the_provider_saw(stage: Stage, question: Question, key: str) -> None:
    [request] = [one for one in stage.case.requests if question.mark.encode() in one.body]
    sent = request.json
    image_url = {"url": question.url, "detail": "high"} if question.shot.as_object else {"url": question.url}
    assert sent["messages"][0]["content"][1] == {"type": "image_url", "image_url": image_url}
    assert {name: sent.get(name) for name in question.options} == question.options
    assert (request.path, sent["model"], sent["loupe_test"]) == ("/v1/chat/completions", MODEL, question.mark)
    assert [value for name, value in request.headers if name == "authorization"] == [f"Bearer {key}"]
    assert not [name for name, _ in request.headers if name.startswith("x-portkey") or name == "x-api-key"]
    assert stage.loupe.key not in f"{request.path} {request.headers} {request.body!r}"


def assert_the_log_shows(loupe: Loupe, question: Question) -> None:
    log = loupe.log(question.trace)
    assert (log["state"], log["response_status_code"], log["stream_mode"]) == ("ok", 200, question.shot.stream)
    assert (log["ai_org"], log["ai_model"], log["answer_model"]) == ("openai", MODEL, COMPLETION["model"])
    assert (log["req_units"], log["res_units"], log["total_units"]) == tuple(USAGE.values())
    assert (log["prompt_preview"], log["answer_preview"]) == ("What is in this image?", SAID)
    [image] = log["images"]
    assert image["direction"] == "input"
    assert image["position"].startswith("messages[0].content[1].image_url")
    assert image["detail"] == ("high" if question.shot.as_object else None)
    if question.shot.inline:
        assert (image["source"], image["media_type"]) == ("data", "image/png")
        assert_viewable(loupe, image, question.picture, SIZE)
        assert question.url not in json.dumps(log)
    else:
        assert (image["source"], image["source_url"]) == ("link", question.url)


def assert_viewable(loupe: Loupe, image: dict[str, Any], data: bytes, size: tuple[int, int]) -> None:
    """The log knows the picture, and hands out the picture and its thumbnail to the same key."""
    assert image["sha256"] == hashlib.sha256(data).hexdigest()
    assert (image["width"], image["height"], image["bytes"]) == (*size, len(data))
    status, headers, body = loupe.call(path_of(image["url"]))
    assert (status, headers["content-type"], body) == (200, image["media_type"], data)
    status, headers, body = loupe.call(path_of(image["thumbnail_url"]))
    assert status == 200, body
    assert headers["content-type"].startswith("image/")
    with Image.open(io.BytesIO(body)) as thumbnail:
        assert max(thumbnail.size) <= 256


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
