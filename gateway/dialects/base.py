"""What every wire format is read into: turns of parts, an answer, usage. Readers are total: odd input reads as little, never fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from gateway.content.json_text import obj
from gateway.content.openai_fields import Usage

PartKind = Literal["text", "image", "file", "tool", "json", "reasoning"]


SAID = ("text", "tool", "json")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a turn. `position` is the path of the string or file that holds it, where there is one; `detail` is that of a
    picture, or the id of a call of a tool, whose text is its name and what it is given.
    """

    kind: PartKind
    text: str = ""
    position: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """`path` is where it stands in the body."""

    role: str
    parts: tuple[Part, ...]
    path: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    turns: tuple[Turn, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """`complete` is False for a stream that ended before its own end mark; `id` is the provider's name for it."""

    turns: tuple[Turn, ...] = ()
    model: str = ""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    error: str = ""
    complete: bool = True
    id: str = ""


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
    asked = [turn for turn in reversed(tuple(turns)) if role is None or turn.role == role]
    kinds = (("text", "tool"), ("json",), ("reasoning",))  # JSON and reasoning, where nothing else was said
    return next((words for some in kinds for turn in asked if (words := _words(turn, some))), "")


def all_text(turns: Iterable[Turn]) -> str:
    """The words of every turn, its reasoning too."""
    return " ".join(words for turn in turns if (words := _words(turn, (*SAID, "reasoning"))))


def _words(turn: Turn, kinds: tuple[str, ...]) -> str:
    return " ".join(part.text for part in turn.parts if part.kind in kinds and part.text)


def settings_of(doc: Any, leave_out: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in obj(doc).items() if key not in leave_out}
