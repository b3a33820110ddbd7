"""What a vendor wants back with the turns of its own model: signatures and reasoning, for clients that drop them.

Gemini 3 refuses a call, and its image models a picture, without the signature that came with it; Claude wants its signed
thinking back before its calls, DeepSeek and Moonshot their reasoning. OpenAI's API has no place for any of it, so many clients
lose it. It is kept by what every client sends back: the id of a call, the bytes of a picture, the words of a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from gateway.translation.neutral import (
    CallDelta,
    Event,
    ImageDelta,
    Media,
    Message,
    Part,
    Request,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
)

LONGEST_KEY = 128


@dataclass(frozen=True, slots=True)
class Kept:
    """What belongs to one call, picture or text: its own signature, and the thoughts of its turn."""

    signature: str = ""
    thoughts: tuple[Thought, ...] = ()

    @property
    def size(self) -> int:
        return len(self.signature) + sum(len(one.text) + len(one.signature) + len(one.sealed) for one in self.thoughts)

    def document(self) -> dict[str, Any]:
        return {
            "signature": self.signature,
            "thoughts": [[one.text, one.signature, one.sealed] for one in self.thoughts],
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Kept:
        return cls(document["signature"], tuple(Thought(*one) for one in document["thoughts"]))


def call_key(id: str) -> str:
    return f"call:{id}"[:LONGEST_KEY]


def picture_key(base64: str) -> str:
    return f"picture:{hashlib.sha256(base64.encode()).hexdigest()}"


def text_key(text: str) -> str:
    return f"text:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


class HeardTurn:
    """Listens to one answer, and hands on what of it must come back."""

    def __init__(self, keep: Callable[[str, Kept], None]) -> None:
        self.keep = keep
        self.thoughts: dict[int, list[Thought]] = {}
        self.texts: dict[int, list[str]] = {}
        self.calls: dict[tuple[int, int], str] = {}

    def hear(self, event: Event) -> None:
        if isinstance(event, ThoughtDelta):
            self._hear_thought(event)
        elif isinstance(event, TextDelta):
            self.texts.setdefault(event.choice, []).append(event.text)
            self._keep(text_key("".join(self.texts[event.choice])) if event.signature else "", event.signature)
        elif isinstance(event, ImageDelta) and event.signature:
            self._keep(picture_key(event.base64), event.signature)
        elif isinstance(event, CallDelta):
            id = self.calls.setdefault((event.choice, event.slot), event.id)
            if event.id or event.signature:
                self._keep(call_key(id) if id else "", event.signature, self.thoughts.get(event.choice, ()))

    def _hear_thought(self, event: ThoughtDelta) -> None:
        """A signature ends a stretch of reasoning."""
        thoughts = self.thoughts.setdefault(event.choice, [])
        if event.sealed:
            thoughts.append(Thought(sealed=event.sealed))
        elif event.text or event.signature:
            last = thoughts.pop() if thoughts and not (thoughts[-1].signature or thoughts[-1].sealed) else Thought()
            thoughts.append(Thought(last.text + event.text, event.signature))

    def _keep(self, key: str, signature: str, thoughts: Iterable[Thought] = ()) -> None:
        kept = Kept(signature, tuple(thoughts))
        if key and kept.size:
            self.keep(key, kept)


def wanted(request: Request) -> list[str]:
    """The keys of what came back without what belongs to it."""
    return list(dict.fromkeys(key for message in _spoken(request) for key in _keys(message)))


def _spoken(request: Request) -> Iterator[Message]:
    return (message for message in request.messages if message.role == "assistant")


def _keys(message: Message) -> Iterator[str]:
    for part in message.parts:
        if isinstance(part, ToolCall) and part.id:
            yield call_key(part.id)
        elif isinstance(part, Media) and part.base64 and not part.signature:
            yield picture_key(part.base64)
        elif isinstance(part, Text) and part.text and not part.signature:
            yield text_key(part.text)


def restored(request: Request, find: Callable[[str], Kept | None]) -> Request:
    """The same request with what was kept of the model's turns, where it came back without."""
    messages: list[Message] = []
    thinks = False
    for message in request.messages:
        if message.role != "assistant":
            thinks = False
            messages.append(message)
            continue
        thinks = thinks or any(isinstance(part, Thought) for part in message.parts)
        parts, thoughts = _signed(message.parts, find)
        if thoughts and not thinks:
            parts, thinks = (*thoughts, *parts), True
        messages.append(replace(message, parts=parts))
    return replace(request, messages=tuple(messages))


def _signed(
    parts: tuple[Part, ...], find: Callable[[str], Kept | None]
) -> tuple[tuple[Part, ...], tuple[Thought, ...]]:
    found: list[Part] = []
    thoughts: tuple[Thought, ...] = ()
    for part in parts:
        kept = next((one for key in _keys(Message("assistant", (part,), "")) if (one := find(key))), None)
        if kept and isinstance(part, ToolCall | Media | Text) and not part.signature:
            part = replace(part, signature=kept.signature)
        thoughts = thoughts or (kept.thoughts if kept else ())
        found.append(part)
    return tuple(found), thoughts
