"""What a request and an answer mean, whatever wire format they came in or go out in.

A request is messages of parts plus settings under their OpenAI chat names. An answer, whole or streamed, is one sequence
of small events; whoever writes it out decides whether they become one document or many chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.content.openai_fields import Usage
from gateway.errors import BadRequest

MediaKind = Literal["image", "audio", "video", "document"]
Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


Members = Mapping[str, Any]
"""What stood in a part beside what its neutral form has a place for: a writer takes what its format knows, and tells of the rest."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    cache_control: Any = None
    signature: str = ""
    beside: Members = field(default_factory=dict)
    position: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or file. Exactly one of `base64` (standard alphabet, padded), `url` and `file_id` is set.

    `media_type` is what the bytes say, else what was `declared`; empty only for a link. `position` names the part.
    """

    kind: MediaKind
    position: str
    media_type: str = ""
    base64: str = field(default="", repr=False)
    url: str = ""
    file_id: str = ""
    detail: str = ""
    name: str = ""
    declared: str = ""
    cache_control: Any = None
    signature: str = ""
    beside: Members = field(default_factory=dict)

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{self.base64}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is JSON text, as the model wrote it. `signature` must go back to the provider that gave it."""

    id: str
    name: str
    arguments: str
    signature: str = ""
    position: str = ""
    cache_control: Any = None
    beside: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolResult:
    id: str
    name: str
    parts: tuple[Text | Media, ...]
    is_error: bool = False
    cache_control: Any = None


@dataclass(frozen=True, slots=True)
class Thought:
    """The model's reasoning. `sealed` is reasoning that only its provider can read."""

    text: str = ""
    signature: str = ""
    sealed: str = ""


Part = Text | Media | ToolCall | ToolResult | Thought


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]
    position: str
    beside: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str = ""
    schema: dict[str, Any] = field(default_factory=dict)
    strict: bool | None = None
    cache_control: Any = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The JSON that the answer must be; no `schema` means any object."""

    schema: dict[str, Any] | None = None
    name: str = "answer"
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """`tool_choice` is auto, none, required or `=name`. `settings` hold the rest under OpenAI chat's names.

    `warnings` tell what the caller said that has no neutral form, and so goes to no provider. `reasoning_as` is how a chat
    provider takes its reasoning back: as a member `reasoning_content`, as a part `thinking`, or not at all.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = ""
    parallel_tools: bool | None = None
    format: Schema | None = None
    stream: bool = False
    include_usage: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    reasoning_as: str = ""

    def texts(self) -> Iterator[tuple[str, str]]:
        """The position of each message or result with each of its texts."""
        for message in self.messages:
            for part in message.parts:
                inner = part.parts if isinstance(part, ToolResult) else (part,)
                yield from ((message.position, one.text) for one in inner if isinstance(one, Text))

    def media(self) -> Iterator[Media]:
        for message in self.messages:
            for part in message.parts:
                if isinstance(part, Media):
                    yield part
                elif isinstance(part, ToolResult):
                    yield from (inner for inner in part.parts if isinstance(inner, Media))


@dataclass(slots=True)
class Written:
    """A body for the provider, with what its format had no place for, in words for the caller."""

    body: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Start:
    id: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """`signature`, which may come without a text, belongs to the text before it."""

    text: str
    choice: int = 0
    signature: str = ""


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    text: str = ""
    signature: str = ""
    sealed: str = ""
    choice: int = 0


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A piece of a tool call. `slot` counts the calls of a choice; id and name come with the first piece."""

    slot: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    signature: str = ""
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ImageDelta:
    media_type: str
    base64: str = field(repr=False)
    choice: int = 0
    signature: str = ""


@dataclass(frozen=True, slots=True)
class OtherDelta:
    """A part of an answer that no other format has a place for, as it came: what a server's own tools did, or citations."""

    document: dict[str, Any]
    choice: int = 0


@dataclass(frozen=True, slots=True)
class LogprobsDelta:
    """In OpenAI chat's shape: `content` of a choice's `logprobs`."""

    content: list[dict[str, Any]]
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """`native` is the provider's own word for it."""

    reason: FinishReason
    native: str = ""
    choice: int = 0


@dataclass(frozen=True, slots=True)
class UsageDelta:
    usage: Usage


@dataclass(frozen=True, slots=True)
class Failure:
    """The provider's error, where an answer was expected."""

    message: str
    type: str = "provider_error"
    code: str = ""


Event = (
    Start
    | TextDelta
    | ThoughtDelta
    | CallDelta
    | ImageDelta
    | OtherDelta
    | LogprobsDelta
    | Finish
    | UsageDelta
    | Failure
)
Events = Iterable[Event]


class AnswerReader:
    """Reads one answer of one format into events. `finished` once the answer is complete."""

    def __init__(self) -> None:
        self.finished = False

    def whole(self, doc: Any) -> Iterator[Event]:
        raise NotImplementedError

    def event(self, doc: Any) -> Iterator[Event]:
        """What one message of a stream adds."""
        raise NotImplementedError

    def end(self) -> Iterator[Event]:
        """What is known only when a stream has ended."""
        return iter(())


def refuse(position: str, reason: str, cure: str, *, code: str = "unsupported_part") -> BadRequest:
    """The error for a part that the provider cannot take. Raise it: a part is never left out in silence."""
    return BadRequest(f"{position}: {reason}. {cure}", code=code, param=position)
