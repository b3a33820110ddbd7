"""What every wire format is read into: turns of parts, an answer, usage. Readers are total: odd input reads as little, never fails."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

PartKind = Literal["text", "image", "file", "tool", "json"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a turn. For an image or file, `position` is the path of the string or file that holds it."""

    kind: PartKind
    text: str = ""
    position: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; None is unknown. `cached` and `reasoning` are inside `prompt` and `completion`."""

    prompt: int | None = None
    completion: int | None = None
    total: int | None = None
    cached: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    turns: tuple[Turn, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """`complete` is False for a stream that ended before its own end mark."""

    turns: tuple[Turn, ...] = ()
    model: str = ""
    finish_reason: str = ""
    usage: Usage = Usage()
    error: str = ""
    complete: bool = True


class Dialect(Protocol):
    """How the bodies of one endpoint are read. `end_marks` are the bytes with which a stream says that it is done."""

    name: str
    title: str
    end_marks: tuple[bytes, ...]

    def read_question(self, doc: Any) -> Question: ...

    def read_answer(self, doc: Any) -> Answer: ...

    def read_stream(self, events: Iterable[Any]) -> Answer: ...


def text_of(turns: Iterable[Turn], role: str | None = None) -> str:
    """The words of the last turn that has any (of that role, if given)."""
    for turn in reversed(tuple(turns)):
        words = " ".join(part.text for part in turn.parts if part.kind in ("text", "tool", "json") and part.text)
        if words and (role is None or turn.role == role):
            return words
    return ""


def error_of(doc: Any) -> str:
    error = obj(doc).get("error")
    if isinstance(error, str):
        return error
    message = obj(error).get("message") or obj(doc).get("message") or obj(doc).get("detail")
    return message if isinstance(message, str) else ""


def openai_usage(doc: Any) -> Usage:
    """`usage` as chat, Responses and Images spell it."""
    usage = obj(obj(doc).get("usage"))
    inside_in = obj(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    inside_out = obj(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return Usage(
        prompt=number(usage.get("prompt_tokens", usage.get("input_tokens"))),
        completion=number(usage.get("completion_tokens", usage.get("output_tokens"))),
        total=number(usage.get("total_tokens")),
        cached=number(inside_in.get("cached_tokens")),
        reasoning=number(inside_out.get("reasoning_tokens")),
    )


def obj(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def words(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    """A token count; anything else, a boolean or a negative number, is unknown."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def settings_of(doc: Any, leave_out: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in obj(doc).items() if key not in leave_out}
