"""The bodies of Anthropic's Messages, Google's generateContent and Bedrock's Converse, read for the log.

Answers go through the readers that translate them; questions are read here, with the path of every picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import Any

import msgspec

from gateway.content.json_text import items, obj, words
from gateway.content.json_written import compact
from gateway.content.openai_fields import Usage, error_of
from gateway.dialects.base import Answer, Part, PartKind, Question, Turn, settings_of
from gateway.translation.neutral import (
    CallDelta,
    Event,
    Failure,
    Finish,
    OtherDelta,
    Start,
    TextDelta,
    ThoughtDelta,
    UsageDelta,
)
from gateway.translation.translator import READERS

BlockReader = Callable[[dict[str, Any], str], Iterator[Part]]


class Native:
    """A provider's own format."""

    def __init__(
        self, name: str, title: str, end_marks: tuple[bytes, ...], question: Callable[[Any], Iterable[Turn]]
    ) -> None:
        self.name, self.title, self.end_marks = name, title, end_marks
        self.question = question

    def read_question(self, doc: Any) -> Question:
        left_out = frozenset({"messages", "contents", "system", "systemInstruction", "system_instruction"})
        return Question(tuple(self.question(obj(doc))), settings_of(doc, left_out))

    def read_answer(self, doc: Any) -> Answer:
        if isinstance(doc, list) and doc and obj(doc[0]).get("error"):
            doc = doc[0]
        error = error_of(doc)
        return Answer(error=error) if error else _answer(READERS[self.name]().whole(doc), complete=True)

    def read_stream(self, events: Iterable[Any]) -> Answer:
        reader = READERS[self.name]()
        found = [event for document in events for event in reader.event(document)]
        found += reader.end()
        return _answer(found, complete=reader.finished)


def anthropic_failure(message: str, status: int) -> bytes:
    """Anthropic's own SDK passes over events without a name."""
    document = {
        "type": "error",
        "error": {"type": "timeout_error" if status == 504 else "api_error", "message": message},
    }
    return b"event: error\ndata: " + msgspec.json.encode(document)


def gemini_failure(message: str, status: int) -> bytes:
    """Google's own SDK counts with the code."""
    name = "DEADLINE_EXCEEDED" if status in (408, 504) else "UNAVAILABLE"
    return b"data: " + msgspec.json.encode({"error": {"code": status, "message": message, "status": name}})


def _answer(events: Iterable[Event], *, complete: bool) -> Answer:
    model = finish = error = id = ""
    usage = Usage()
    said = _Said()
    for event in events:
        if isinstance(event, Start):
            model, id = event.model, event.id
        elif isinstance(event, Finish):
            finish = event.native or event.reason
        elif isinstance(event, UsageDelta):
            usage = event.usage
        elif isinstance(event, Failure):
            error = event.message
        else:
            said.add(event)
    return Answer(said.turns(), model, finish, usage, error, complete, id)


class _Said:
    """The parts of an answer in the order in which they came: pieces of one kind that follow each other are one part."""

    def __init__(self) -> None:
        self.parts: dict[int, list[tuple[PartKind, int, list[str]]]] = {}

    def add(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._add(event.choice, "text", -1, event.text)
        elif isinstance(event, ThoughtDelta):
            self._add(event.choice, "reasoning", -1, event.text)
        elif isinstance(event, OtherDelta):
            self._add(event.choice, "json", -2, compact(event.document))
        elif isinstance(event, CallDelta):
            self._add(event.choice, "tool", event.slot, (f"{event.name} " if event.name else "") + event.arguments)

    def _add(self, choice: int, kind: PartKind, slot: int, text: str) -> None:
        """Pieces of several calls may come in turns; `slot` tells them apart, -2 begins a part of its own."""
        parts = self.parts.setdefault(choice, [])
        last = next((one for one in reversed(parts) if one[:2] == (kind, slot)), None) if slot >= 0 else None
        if slot == -1 and parts and parts[-1][:2] == (kind, slot):
            last = parts[-1]
        if last is None:
            parts.append((kind, slot, [text]))
        else:
            last[2].append(text)

    def turns(self) -> tuple[Turn, ...]:
        turns = (
            Turn("assistant", tuple(Part(kind, text) for kind, _, texts in parts if (text := "".join(texts))))
            for _, parts in sorted(self.parts.items())
        )
        return tuple(turn for turn in turns if turn.parts)


def message_turns(doc: dict[str, Any], block: BlockReader) -> Iterator[Turn]:
    """Anthropic and Amazon both have `system` beside `messages`, and lists of blocks in each."""
    if doc.get("system"):
        yield Turn("system", tuple(_blocks(doc["system"], "system", block)))
    for at, message in enumerate(items(doc.get("messages"))):
        role = words(obj(message).get("role")) or "user"
        yield from _turns(
            role, obj(message).get("content"), f"messages[{at}].content", block, ("tool_result", "toolResult")
        )


def gemini_turns(doc: dict[str, Any]) -> Iterator[Turn]:
    system = obj(doc.get("systemInstruction", doc.get("system_instruction")))
    if system:
        yield Turn("system", tuple(_blocks(system.get("parts"), "systemInstruction.parts", _gemini_block)))
    for at, content in enumerate(items(doc.get("contents"))):
        role = {"model": "assistant", "function": "tool"}.get(words(obj(content).get("role")), "user")
        results = ("functionResponse", "function_response")
        yield from _turns(role, obj(content).get("parts"), f"contents[{at}].parts", _gemini_block, results)


def _turns(role: str, content: Any, path: str, read: BlockReader, results: tuple[str, str]) -> Iterator[Turn]:
    """The results of tools stand among the user's words; here they are turns of their own, for no user said them."""
    if not isinstance(content, list):
        yield Turn(role, tuple(_blocks(content, path, read)), path)
        return
    numbered = [(at, obj(block)) for at, block in enumerate(content)]
    for is_result, group in groupby(numbered, key=lambda one: _is_result(one[1], results)):
        blocks = list(group)
        parts = tuple(part for at, block in blocks for part in read(block, f"{path}[{at}]"))
        yield Turn("tool" if is_result else role, parts, f"{path}[{blocks[0][0]}]" if is_result else path)


def _is_result(block: dict[str, Any], names: tuple[str, str]) -> bool:
    return block.get("type") in names or any(isinstance(block.get(name), dict) for name in names)


def _blocks(content: Any, path: str, read: BlockReader) -> Iterator[Part]:
    if isinstance(content, str):
        yield Part("text", content, path)
    for at, block in enumerate(items(content)):
        yield from read(obj(block), f"{path}[{at}]")


def _anthropic_block(block: dict[str, Any], path: str) -> Iterator[Part]:
    kind, source = block.get("type"), obj(block.get("source"))
    if isinstance(block.get("text"), str):
        yield Part("text", block["text"], f"{path}.text")
    elif kind in ("image", "document"):
        key = next((name for name in ("url", "file_id") if source.get(name)), "data")
        yield Part("image" if kind == "image" else "file", words(source.get(key)), f"{path}.source.{key}")
    elif kind == "tool_use":
        yield Part("tool", f"{words(block.get('name'))} {compact(block.get('input'))}", detail=words(block.get("id")))
    elif kind == "tool_result":
        yield from _blocks(block.get("content"), f"{path}.content", _anthropic_block)
    elif kind == "thinking":
        yield Part("reasoning", words(block.get("thinking")))
    else:
        yield Part("json", compact(block))


def _gemini_block(part: dict[str, Any], path: str) -> Iterator[Part]:
    for key, inner in (
        ("inlineData", "data"),
        ("inline_data", "data"),
        ("fileData", "fileUri"),
        ("file_data", "file_uri"),
    ):
        if isinstance(part.get(key), dict):
            detail = words(obj(part.get("mediaResolution")).get("level")).rpartition("_")[2].lower()
            yield Part("image", words(part[key].get(inner)), f"{path}.{key}.{inner}", detail)
            return
    call, result = (
        part.get("functionCall", part.get("function_call")),
        part.get("functionResponse", part.get("function_response")),
    )
    if isinstance(part.get("text"), str):
        yield Part("reasoning" if part.get("thought") is True else "text", part["text"])
    elif isinstance(call, dict):
        yield Part("tool", f"{words(call.get('name'))} {compact(call.get('args'))}")
    elif isinstance(result, dict):
        yield Part("tool", f"{words(result.get('name'))} {compact(result.get('response'))}")
        key = "functionResponse" if "functionResponse" in part else "function_response"
        yield from _blocks(result.get("parts"), f"{path}.{key}.parts", _gemini_block)
    else:
        yield Part("json", compact(part))


def _converse_block(block: dict[str, Any], path: str) -> Iterator[Part]:
    cited = obj(block.get("citationsContent"))
    if cited:
        yield from (Part("text", words(obj(part).get("text"))) for part in items(cited.get("content")))
        yield Part("json", compact({"citations": cited.get("citations")}))
        return
    for kind in ("image", "document", "video", "audio"):
        if isinstance(block.get(kind), dict):
            source = obj(block[kind].get("source"))
            where, text = (
                ("bytes", words(source.get("bytes")))
                if "bytes" in source
                else ("s3Location.uri", words(obj(source.get("s3Location")).get("uri")))
            )
            yield Part("image" if kind == "image" else "file", text, f"{path}.{kind}.source.{where}")
            return
    call, result, thought = obj(block.get("toolUse")), obj(block.get("toolResult")), obj(block.get("reasoningContent"))
    if isinstance(block.get("text"), str):
        yield Part("text", block["text"])
    elif call:
        yield Part("tool", f"{words(call.get('name'))} {compact(call.get('input'))}")
    elif result:
        yield from _blocks(result.get("content"), f"{path}.toolResult.content", _converse_block)
    elif thought:
        yield Part("reasoning", words(obj(thought.get("reasoningText")).get("text")))
    else:
        yield Part("json", compact(block.get("json", block)))


ANTHROPIC = Native(
    "anthropic",
    "Message",
    (b"event: message_stop", b'"type":"message_stop"'),
    partial(message_turns, block=_anthropic_block),
)
GEMINI = Native("gemini", "Generate content", (), gemini_turns)
# The header of the frame that ends a stream: its event type, a string of eight letters.
CONVERSE = Native("converse", "Converse", (b"\x07\x00\x08metadata",), partial(message_turns, block=_converse_block))
IMAGEN = Native("imagen", "Predict", (), lambda doc: ())
