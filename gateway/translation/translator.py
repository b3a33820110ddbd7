"""One translated call: its body on the way out, its answer on the way back, whole or as it streams."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.content.framing import AwsEventStream, BadStream, ServerSentEvents
from gateway.content.json_text import encoded, parse
from gateway.content.openai_fields import error_of
from gateway.translation import (
    anthropic,
    chat_answer,
    chat_request,
    chat_written,
    converse,
    converse_answer,
    gemini,
    gemini_answer,
    images,
    responses_answer,
    responses_request,
)
from gateway.translation.neutral import (
    AnswerReader,
    Event,
    Events,
    Failure,
    ImageDelta,
    Request,
    Start,
    TextDelta,
    UsageDelta,
    Written,
)

READ: dict[str, Callable[[Any, str], Request]] = {
    "/chat/completions": chat_request.read,
    "/responses": responses_request.read,
    "/images/generations": images.read,
    "/images/edits": images.read,
}
DRAWING = ("/images/generations", "/images/edits")
DRAWING_WIRES = ("gemini", "imagen")
WRITE: dict[str, Callable[[Request], Written]] = {
    "chat": chat_written.write,
    "anthropic": anthropic.write,
    "gemini": gemini.write,
    "converse": converse.write,
    "imagen": images.write_imagen,
}


READERS: dict[str, Callable[[], AnswerReader]] = {
    "chat": chat_answer.Reader,
    "anthropic": anthropic.Reader,
    "gemini": gemini_answer.Reader,
    "converse": converse_answer.Reader,
    "imagen": images.ImagenReader,
}


class Writer(Protocol):
    def whole(self, events: Events) -> dict[str, Any]: ...


class AnswerUnreadable(Exception):
    """The provider's answer is not what its format says; the text tells the caller."""


@dataclass(slots=True)
class Translator:
    """Turns one provider's answer into what the caller's endpoint promises.

    Args:
        endpoint: the caller's, below /v1. `wire` is the provider's format, `id` and `created` are this call's.
        strict: the caller wants nothing but OpenAI's own fields, as far as that loses no picture.
        heard: is told of every event of the answer.
    """

    endpoint: str
    wire: str
    id: str
    created: int
    model: str
    include_usage: bool = False
    strict: bool = True
    reader: AnswerReader = field(init=False)
    framing: ServerSentEvents | AwsEventStream = field(init=False)
    chat: chat_answer.Writer = field(init=False)
    responses: responses_answer.Writer = field(init=False)
    failed: bool = False
    heard: Callable[[Event], None] | None = None

    def __post_init__(self) -> None:
        self.reader = READERS[self.wire]()
        self.framing = AwsEventStream() if self.wire == "converse" else ServerSentEvents()
        self.chat = chat_answer.Writer(
            id=f"chatcmpl-{self.id}",
            created=self.created,
            model=self.model,
            include_usage=self.include_usage,
            strict=self.strict,
        )
        self.responses = responses_answer.Writer(id=self.id, created=self.created, model=self.model)

    def whole(self, body: bytes) -> bytes:
        """The answer for the caller.

        Raises:
            AnswerUnreadable: empty, no JSON, an error where an answer was promised, or nothing that we know.
        """
        events = self._events(body)
        writer: Writer = self.responses if self.endpoint == "/responses" else self.chat
        if self.endpoint in DRAWING:
            writer = images.Writer(created=self.created)
            if not any(isinstance(event, ImageDelta) for event in events):
                raise AnswerUnreadable(f"no picture came, but words: {_words_of(events)}")
        return encoded(writer.whole(events))

    def as_stream(self, body: bytes) -> bytes:
        """A whole answer for a caller who asked for a stream. Raises AnswerUnreadable."""
        told = b"".join(self._told(event) for event in self._events(body))
        return told + self._end()

    def _events(self, body: bytes) -> list[Event]:
        try:
            doc = parse(body)
        except ValueError as error:
            raise AnswerUnreadable(f"the answer is {f'no JSON ({error})' if body.strip() else 'empty'}") from None
        events = list(self.reader.whole(doc))
        failure = next((event for event in events if isinstance(event, Failure)), None)
        if failure is not None:
            raise AnswerUnreadable(failure.message)
        if self.heard is not None:
            for event in events:
                self.heard(event)
        if all(isinstance(event, Start | UsageDelta) for event in events):
            raise AnswerUnreadable(error_of(doc) or "the answer holds neither text nor anything else that is known")
        return events

    @property
    def done(self) -> bool:
        """Whether what was fed so far completes the answer."""
        return self.reader.finished or self.framing.done

    def feed(self, chunk: bytes) -> bytes:
        """What the caller gets for these bytes of the provider's stream; nothing more once an error was told."""
        told: list[bytes] = []
        try:
            self._hear(self.framing.feed(chunk) if not self.failed else (), told)
        except BadStream as error:
            told.append(self._told(Failure(str(error), code="invalid_stream")))
        return b"".join(told)

    def _hear(self, documents: Iterable[Any], told: list[bytes]) -> None:
        """Adds to `told`, so that what came before a damaged message is kept. Raises BadStream."""
        for doc in documents:
            for event in self.reader.event(doc):
                if self.heard:
                    self.heard(event)
                told.append(self._told(event))
                if self.failed:
                    return

    def finish(self) -> bytes:
        """The end of the caller's stream; with an error when the provider's stopped before its own end."""
        told: list[bytes] = []
        if not self.failed:
            with contextlib.suppress(BadStream):  # half a message, which is told below
                self._hear(self.framing.finish(), told)
        told += [self._told(event) for event in self.reader.end()]
        if not self.done and not self.failed:
            broken = Failure("the provider's stream ended before its answer was complete", code="broken_off")
            told.append(self._told(broken))
        return b"".join(told) + self._end()

    def _end(self) -> bytes:
        frames = self.responses.last() if self.endpoint == "/responses" else self.chat.last()
        told = b"".join(self._framed(frame) for frame in frames)
        return told if self.endpoint == "/responses" else told + b"data: [DONE]\n\n"

    def _told(self, event: Event) -> bytes:
        self.failed = self.failed or isinstance(event, Failure)
        writer = self.responses.frames if self.endpoint == "/responses" else self.chat.chunks
        return b"".join(self._framed(frame) for frame in writer(event))

    def _framed(self, frame: dict[str, Any]) -> bytes:
        data = b"data: " + encoded(frame) + b"\n\n"
        return b"event: " + frame["type"].encode() + b"\n" + data if self.endpoint == "/responses" else data


def _words_of(events: Events) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))[:500] or "none"


def translates(endpoint: str, wire: str) -> bool:
    """Whether a caller's endpoint can be carried in a provider's format."""
    return endpoint in READ and (endpoint not in DRAWING or wire in DRAWING_WIRES)
