"""What a chat request means stays what it means in every provider's format: turns, words, tool calls and pictures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote_from_bytes

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects import CHAT, WIRES
from gateway.dialects.base import Turn
from gateway.errors import BadRequest
from gateway.translation import chat_request
from gateway.translation.neutral import Written
from gateway.translation.translator import WRITE
from tests.pictures import picture

MODELS = {
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-pro",
    "converse": "us.amazon.nova-pro",
    "chat": "gpt-4o",
}
PICTURES = {
    picture(form, (30 + size, 20), (size, 9, 200)): f"image/{form.lower()}"
    for form in ("PNG", "JPEG", "WEBP", "GIF")
    for size in range(3)
}
FOLLOWS = "See the following message."  # chat's tool messages hold text only
PART = re.compile(r"messages\[\d+\]\.content\[\d+\]")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def wrapped(data: bytes) -> str:
    return base64.encodebytes(data).decode().replace("\n", "\r\n")


def image_url(url: str, **more: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


SPELLINGS: dict[str, Callable[[bytes, str], dict[str, Any]]] = {
    "an object": lambda data, kind: image_url(f"data:{kind};base64,{b64(data)}"),
    "an object with detail": lambda data, kind: image_url(f"data:{kind};base64,{b64(data)}", detail="high"),
    "a string": lambda data, kind: {"type": "image_url", "image_url": f"data:{kind};base64,{b64(data)}"},
    "Responses": lambda data, kind: {"type": "input_image", "image_url": f"data:{kind};base64,{b64(data)}"},
    "capitals": lambda data, kind: image_url(f"DATA:{kind.upper()};BASE64,{b64(data)}"),
    "parameters": lambda data, kind: image_url(f"data:{kind};charset=utf-8;name=a.png;base64,{b64(data)}"),
    "no type": lambda data, kind: image_url(f"data:;base64,{b64(data)}"),
    "a wrong type": lambda data, kind: image_url(f"data:image/x-any;base64,{b64(data)}"),
    "URL-safe": lambda data, kind: image_url(f"data:{kind};base64,{base64.urlsafe_b64encode(data).decode()}"),
    "unpadded": lambda data, kind: image_url(f"data:{kind};base64,{b64(data).rstrip('=')}"),
    "lines": lambda data, kind: image_url(f"data:{kind};base64,{wrapped(data)}"),
    "percents": lambda data, kind: image_url(f"data:{kind},{quote_from_bytes(data)}"),
    "bare base64": lambda data, kind: image_url(b64(data)),
    "bare, URL-safe, unpadded": lambda data, kind: image_url(base64.urlsafe_b64encode(data).decode().rstrip("=")),
    "image and data": lambda data, kind: {"type": "image", "data": b64(data), "mime_type": kind},
    "Anthropic": lambda data, kind: {
        "type": "image",
        "source": {"type": "base64", "media_type": kind, "data": b64(data)},
    },
    "Gemini": lambda data, kind: {"inlineData": {"mimeType": kind, "data": b64(data)}},
    "Gemini, snake case": lambda data, kind: {"inline_data": {"mime_type": kind, "data": b64(data)}},
}


@dataclass
class Said:
    """One turn as it is meant. Tool calls are written `name arguments`."""

    role: str
    texts: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    pictures: list[tuple[bytes, str]] = field(default_factory=list)


@dataclass
class Asked:
    """A chat body, and what it means."""

    body: dict[str, Any]
    turns: list[Said]


words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{}[]"), min_size=1, max_size=12)
pictures = st.sampled_from(sorted(PICTURES.items()))
pieces = st.lists(words | st.tuples(pictures, st.sampled_from(sorted(SPELLINGS))), min_size=1, max_size=4)
arguments = st.dictionaries(words, st.recursive(st.integers(-9, 9) | words | st.none(), st.lists, max_leaves=3))
calls = st.lists(st.tuples(st.sampled_from(["look", "zoom-in", "weather"]), arguments), max_size=3)
CHAT_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0.0, 0.25]),
        "top_p": st.just(0.875),
        "max_tokens": st.just(1234),
        "max_completion_tokens": st.sampled_from([None, 4321]),
        "stop": st.sampled_from(["END", ["END", "FIN"]]),
        "seed": st.just(4711),
        "user": st.just("user-8"),
        "presence_penalty": st.just(0.375),
        "some_new_setting": st.just("some-new-value"),
        "n": st.just(1),
    },
)


def parts_of(given: list[Any], said: Said) -> list[dict[str, Any]]:
    parts = []
    for one in given:
        if isinstance(one, str):
            said.texts.append(one)
            parts.append({"type": "text", "text": one})
        else:
            (data, kind), spelling = one
            said.pictures.append((data, kind))
            parts.append(SPELLINGS[spelling](data, kind))
    return parts


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """A conversation: system text, then rounds of a user and an assistant, whose tools answer at once."""
    messages: list[dict[str, Any]] = []
    turns: list[Said] = []
    for role in draw(st.lists(st.sampled_from(["system", "developer"]), max_size=2)):
        text = draw(words)
        turns.append(Said(role, [text]))
        messages.append({"role": role, "content": draw(st.sampled_from([text, [{"type": "text", "text": text}]]))})
    for _ in range(draw(st.integers(1, 3))):
        turns.append(Said("user"))
        messages.append({"role": "user", "content": parts_of(draw(pieces), turns[-1])})
        if draw(st.booleans()):
            _assistant(draw, messages, turns)
    return Asked({"messages": messages, "model": "any", **draw(CHAT_SETTINGS)}, turns)


def _assistant(draw: st.DrawFn, messages: list[dict[str, Any]], turns: list[Said]) -> None:
    called = draw(calls)
    text = draw(words if not called else words | st.none())
    turns.append(Said("assistant", [text] if text else [], called))
    message: dict[str, Any] = {"role": "assistant", "content": text}
    ids = [f"call_{len(messages)}_{at}" for at in range(len(called))]
    if called:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
            for id, (name, given) in zip(ids, called, strict=True)
        ]
    messages.append(message)
    for id in ids:
        turns.append(Said("tool"))
        result = [draw(words), *draw(st.lists(st.tuples(pictures, st.sampled_from(sorted(SPELLINGS))), max_size=2))]
        content: Any = parts_of(result, turns[-1])
        messages.append({"role": "tool", "tool_call_id": id, "content": content if len(result) > 1 else result[0]})


def meant(asked: Asked, wire: str) -> list[Said]:
    """The turns as the format orders them: system first and pictures of tools, in chat, behind the tools."""
    if wire == "chat":
        ordered: list[Said] = []
        waiting: list[tuple[bytes, str]] = []
        for turn in [*asked.turns, Said("end")]:
            if waiting and turn.role != "tool":
                ordered.append(Said("user", pictures=waiting))
                waiting = []
            if turn.role == "tool":
                waiting = waiting + turn.pictures
                turn = Said("tool", turn.texts)
            ordered.append(turn)
        return merged(ordered[:-1], {"developer": "system"})
    spoken = [
        turn
        for turn in map(without_blanks, asked.turns)
        if turn.texts or turn.calls or turn.pictures or turn.role == "tool"
    ]
    system = [turn for turn in spoken if turn.role in ("system", "developer")]
    others = [turn for turn in spoken if turn.role not in ("system", "developer")]
    return merged(system + others, {"developer": "system"})


def without_blanks(turn: Said) -> Said:
    """Text of white space alone is refused by these vendors, and says nothing."""
    return replace(turn, texts=[text for text in turn.texts if text.strip()])


def merged(turns: list[Said], names: dict[str, str]) -> list[Said]:
    found: list[Said] = []
    for turn in turns:
        role = names.get(turn.role, turn.role)
        if not found or found[-1].role != role:
            found.append(Said(role))
        found[-1].texts += turn.texts
        found[-1].calls += turn.calls
        found[-1].pictures += turn.pictures
    return found


def understood(turns: tuple[Turn, ...], doc: Any) -> list[Said]:
    """What the log reads in a body."""
    found = []
    for turn in turns:
        said = Said(turn.role)
        for part in turn.parts:
            name, _, given = part.text.partition(" ")
            if part.kind == "image":
                said.pictures.append(picture_at(doc, part.position, part.text))
            elif part.kind == "tool" and turn.role == "assistant":
                said.calls.append((name, json.loads(given)))
            elif part.kind == "tool":  # Gemini's result
                said.texts.append(json.loads(given)["result"])
            elif part.text and part.kind == "text":
                said.texts.append(part.text)
            else:
                assert not part.text, f"shown as {part.kind}: {part.text[:80]}"
        found.append(said)
    return merged(found, {})


def picture_at(doc: Any, position: str, text: str) -> tuple[bytes, str]:
    """The bytes and declared type of the picture at this path; the path must lead to it."""
    *steps, last = re.findall(r"[^.\[\]]+", position)
    for step in steps:
        doc = doc[int(step) if step.isdigit() else step]
        if isinstance(doc, dict) and "format" in doc:
            form = f"image/{doc['format']}"
    assert doc[last] == text, position
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        kind = head[5:].partition(";")[0]
    else:
        kind = doc.get("media_type") or doc.get("mimeType") or form
    return base64.b64decode(text, validate=True), kind


def written(body: dict[str, Any], wire: str) -> tuple[Written, Any]:
    """The body for the provider, and the same as it is read from the wire."""
    sent = WRITE[wire](chat_request.read(body, MODELS[wire]))
    return sent, json.loads(msgspec.json.encode(sent.body))


@pytest.mark.parametrize("wire", list(MODELS))
@settings(max_examples=300, deadline=None)
@given(asked=requests())
def test_turns_words_calls_and_pictures_survive(wire: str, asked: Asked) -> None:
    takes_gif = wire != "gemini"
    has_gif = any(kind == "image/gif" for turn in asked.turns for _, kind in turn.pictures)
    if has_gif and not takes_gif:
        with pytest.raises(BadRequest, match="image/gif") as refused:
            written(asked.body, wire)
        assert PART.match(refused.value.message)
        assert refused.value.param == PART.match(refused.value.message)[0]  # type: ignore[index]
        return
    _, doc = written(asked.body, wire)
    assert understood(WIRES[wire].read_question(doc).turns, doc) == meant(asked, wire)


@settings(max_examples=300, deadline=None)
@given(asked=requests())
def test_the_log_shows_the_callers_own_body_as_it_is_meant(asked: Asked) -> None:
    turns = CHAT.read_question(asked.body).turns
    assert [turn.role for turn in turns] == [turn.role for turn in asked.turns]
    for turn, said in zip(turns, asked.turns, strict=True):
        assert [part.text for part in turn.parts if part.kind == "text"] == said.texts
        assert [part.kind for part in turn.parts].count("image") == len(said.pictures)
        for part in turn.parts:
            node: Any = asked.body
            for step in re.findall(r"[^.\[\]]+", part.position):
                node = node[int(step) if step.isdigit() else step]
            assert not part.position or node == part.text


@pytest.mark.parametrize("wire", list(MODELS))
@settings(max_examples=100, deadline=None)
@given(given_settings=CHAT_SETTINGS)
def test_a_setting_is_sent_or_its_loss_is_told(wire: str, given_settings: dict[str, Any]) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}], **given_settings}
    sent, doc = written(body, wire)
    values = list(leaves(doc))
    given_settings.pop("n", None)
    if given_settings.pop("max_completion_tokens", None):
        given_settings["max_tokens"] = 4321
    for name, value in given_settings.items():
        told = any(warning.startswith(f"{name}:") for warning in sent.warnings)
        for one in value if isinstance(value, list) else [value]:
            assert (one in values) != told, f"{name} was {'both sent and' if told else 'neither sent nor'} told"


def leaves(node: Any) -> Iterator[Any]:
    for one in node.values() if isinstance(node, dict) else node:
        if isinstance(one, dict | list):
            yield from leaves(one)
        else:
            yield one
