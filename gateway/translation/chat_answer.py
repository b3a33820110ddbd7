"""OpenAI chat answers: events written as a completion or as chunks, and a chat provider's answer read into events.

Pictures come back in `message.images[]`, the form that OpenRouter made common, and in `content_blocks` too when the caller
switched strict mode off. Reasoning comes as `reasoning_content`, with what must be given back in `reasoning_details`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.content.json_text import items, number, obj, words
from gateway.content.openai_fields import Usage, error_of, openai_usage
from gateway.translation.neutral import (
    AnswerReader,
    CallDelta,
    Event,
    Events,
    Failure,
    Finish,
    FinishReason,
    ImageDelta,
    LogprobsDelta,
    OtherDelta,
    Start,
    TextDelta,
    ThoughtDelta,
    UsageDelta,
)

FINISHES: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "complete": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


@dataclass(slots=True)
class _Choice:
    """One choice so far."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[ThoughtDelta] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    signature: str = ""
    finish: Finish | None = None


class Writer:
    """Writes one answer. `id` and `model` stand in for those that the provider does not give."""

    def __init__(self, *, id: str, created: int, model: str, include_usage: bool, strict: bool) -> None:
        self.id, self.created, self.model = id, created, model
        self.include_usage, self.strict = include_usage, strict
        self.usage: Usage | None = None
        self.opened: set[int] = set()
        self.images: dict[int, int] = {}

    def whole(self, events: Events) -> dict[str, Any]:
        """The completion."""
        choices: dict[int, _Choice] = {}
        for event in events:
            if isinstance(event, Start):
                self._start(event)
            elif isinstance(event, UsageDelta):
                self.usage = event.usage
            elif not isinstance(event, Failure | OtherDelta):
                _gather(choices.setdefault(event.choice, _Choice()), event)
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [self._choice(index, choice) for index, choice in sorted(choices.items())],
            "usage": usage_document(self.usage or Usage()),
        }

    def chunks(self, event: Event) -> Iterator[dict[str, Any]]:
        """What one event adds to a stream."""
        if isinstance(event, Start):
            self._start(event)
        elif isinstance(event, UsageDelta):
            self.usage = event.usage
        elif isinstance(event, Failure):
            yield failure_document(event)
        elif not isinstance(event, OtherDelta):
            yield self._chunk(event)

    def last(self) -> Iterator[dict[str, Any]]:
        """The usage chunk that the caller asked for with `stream_options`."""
        if self.include_usage and self.usage:
            yield self._frame([]) | {"usage": usage_document(self.usage)}

    def _start(self, event: Start) -> None:
        self.id, self.model = event.id or self.id, event.model or self.model

    def _choice(self, index: int, choice: _Choice) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(choice.texts) or None, "refusal": None}
        message |= handed_out(choice.signature)
        if choice.thoughts:
            message["reasoning_content"] = "".join(thought.text for thought in choice.thoughts)
            message["reasoning_details"] = _reasoning(choice.thoughts)
        if choice.calls:
            message["tool_calls"] = [call for _, call in sorted(choice.calls.items())]
        if choice.images:
            message["images"] = choice.images
        if not self.strict:
            message["content_blocks"] = choice.blocks
        finish = choice.finish or Finish("stop")
        logprobs = {"content": choice.logprobs, "refusal": None} if choice.logprobs else None
        return {
            "index": index,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": finish.reason,
            "native_finish_reason": finish.native or finish.reason,
        }

    def _chunk(
        self, event: TextDelta | ThoughtDelta | CallDelta | ImageDelta | LogprobsDelta | Finish
    ) -> dict[str, Any]:
        delta: dict[str, Any] = {}
        choice: dict[str, Any] = {"index": event.choice, "delta": delta, "finish_reason": None}
        if event.choice not in self.opened:
            self.opened.add(event.choice)
            delta |= {"role": "assistant", "content": ""}
        if isinstance(event, TextDelta):
            delta["content"] = event.text
            delta |= handed_out(event.signature)
        elif isinstance(event, ThoughtDelta):
            delta |= {"reasoning_content": event.text, "reasoning_details": _reasoning([event])}
        elif isinstance(event, CallDelta):
            delta["tool_calls"] = [_call_piece(event)]
        elif isinstance(event, ImageDelta):
            at = self.images.get(event.choice, 0)
            self.images[event.choice] = at + 1
            delta["images"] = [image_part(event, at)]
        elif isinstance(event, LogprobsDelta):
            choice["logprobs"] = {"content": event.content, "refusal": None}
        else:
            choice |= {"finish_reason": event.reason, "native_finish_reason": event.native or event.reason}
        if not self.strict and isinstance(event, TextDelta | ThoughtDelta | ImageDelta):
            delta["content_blocks"] = [{"index": event.choice, "delta": _block(event)}]
        return self._frame([choice])

    def _frame(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def _gather(choice: _Choice, event: TextDelta | ThoughtDelta | CallDelta | ImageDelta | LogprobsDelta | Finish) -> None:
    if isinstance(event, TextDelta):
        choice.texts.append(event.text)
        choice.signature = event.signature or choice.signature
        choice.blocks.append(_block(event))
    elif isinstance(event, ThoughtDelta):
        choice.thoughts.append(event)
        choice.blocks.append(_block(event))
    elif isinstance(event, ImageDelta):
        choice.images.append(image_part(event, len(choice.images)))
        choice.blocks.append(_block(event))
    elif isinstance(event, LogprobsDelta):
        choice.logprobs += event.content
    elif isinstance(event, Finish):
        choice.finish = event
    else:
        _gather_call(choice.calls, event)


def _gather_call(calls: dict[int, dict[str, Any]], event: CallDelta) -> None:
    call = calls.setdefault(event.slot, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call["id"] = call["id"] or event.id
    call["function"]["name"] += event.name
    call["function"]["arguments"] += event.arguments
    call |= handed_out(event.signature)


def handed_out(signature: str) -> dict[str, Any]:
    """Gemini's signature, where Google's own OpenAI endpoint puts it; to be sent back with what it belongs to."""
    return {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}


def _call_piece(event: CallDelta) -> dict[str, Any]:
    piece: dict[str, Any] = {"index": event.slot, "function": {"arguments": event.arguments}}
    if event.name:
        piece |= {"id": event.id, "type": "function"}
        piece["function"]["name"] = event.name
    return piece | handed_out(event.signature)


def _reasoning(thoughts: list[ThoughtDelta]) -> list[dict[str, Any]]:
    """One entry a stretch of reasoning; a signature ends it."""
    details: list[dict[str, Any]] = []
    text = ""
    for thought in thoughts:
        text += thought.text
        if thought.sealed:
            details.append({"type": "reasoning.encrypted", "data": thought.sealed})
        if thought.signature:
            details.append({"type": "reasoning.text", "text": text, "signature": thought.signature})
            text = ""
    return [*details, {"type": "reasoning.text", "text": text}] if text else details


def image_part(image: ImageDelta, index: int) -> dict[str, Any]:
    url = f"data:{image.media_type};base64,{image.base64}"
    return {"type": "image_url", "image_url": {"url": url}, "index": index} | handed_out(image.signature)


def _block(event: TextDelta | ThoughtDelta | ImageDelta) -> dict[str, Any]:
    if isinstance(event, TextDelta):
        return {"type": "text", "text": event.text} | handed_out(event.signature)
    if isinstance(event, ThoughtDelta):
        return {"type": "thinking", "thinking": event.text, "signature": event.signature}
    url = f"data:{event.media_type};base64,{event.base64}"
    return {"type": "image_url", "image_url": {"url": url}} | handed_out(event.signature)


def failure_document(failure: Failure) -> dict[str, Any]:
    error = {"message": failure.message, "type": failure.type, "param": None, "code": failure.code or None}
    return {"error": error, "message": failure.message, "status": "failure"}


def usage_document(usage: Usage) -> dict[str, Any]:
    """`usage` in chat's shape; counts that are not known are zero, as the SDKs' types ask for numbers."""
    prompt, completion = usage.prompt or 0, usage.completion or 0
    inside_in = {"cached_tokens": usage.cached or 0, "audio_tokens": usage.audio_in or 0}
    inside_out = {"reasoning_tokens": usage.reasoning or 0, "audio_tokens": usage.audio_out or 0}
    if usage.image_in is not None:
        inside_in["image_tokens"] = usage.image_in
    if usage.image_out is not None:
        inside_out["image_tokens"] = usage.image_out
    if usage.cache_write:
        inside_in["cache_write_tokens"] = usage.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": usage.total if usage.total is not None else prompt + completion,
        "prompt_tokens_details": inside_in,
        "completion_tokens_details": inside_out,
    }


class Reader(AnswerReader):
    """A chat provider's answer, whole or chunk by chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.started = False
        self.calls = Calls()

    def whole(self, doc: Any) -> Iterator[Event]:
        for choice in items(obj(doc).get("choices")):
            choice = obj(choice)
            yield from self.event({**doc, "choices": [{**choice, "delta": choice.get("message")}], "usage": None})
        if obj(doc).get("usage"):
            yield UsageDelta(openai_usage(doc))

    def event(self, doc: Any) -> Iterator[Event]:
        doc = obj(doc)
        if doc.get("error"):
            self.finished = True
            yield Failure(error_of(doc), code=str(obj(doc["error"]).get("code") or ""))
            return
        if not self.started and words(doc.get("id")):
            self.started = True
            yield Start(words(doc.get("id")), words(doc.get("model")))
        for choice in items(doc.get("choices")):
            yield from self._choice(obj(choice))
        if doc.get("usage") or obj(doc.get("x_groq")).get("usage"):
            yield UsageDelta(openai_usage(doc))

    def _choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        index, delta = number(choice.get("index")) or 0, obj(choice.get("delta"))
        reasoning = words(delta.get("reasoning_content")) or words(delta.get("reasoning"))
        if reasoning:
            yield ThoughtDelta(reasoning, choice=index)
        yield from self._content(delta, index)
        for at, call in enumerate(items(delta.get("tool_calls"))):
            yield from self._call(at, obj(call), index)
        for image in items(delta.get("images")):
            yield from _read_image(image, index)
        reason = words(choice.get("finish_reason"))
        if reason:
            self.finished = True
            yield from self.calls.rest()
            yield Finish(FINISHES.get(reason.lower(), "stop"), reason, index)

    def _content(self, delta: dict[str, Any], choice: int) -> Iterator[Event]:
        """A text, or Mistral's list of parts, of which some are thoughts."""
        content = delta.get("content")
        for part in content if isinstance(content, list) else ():
            if obj(part).get("type") == "thinking":
                yield ThoughtDelta(_words_of(part), choice=choice)
            elif words(obj(part).get("text")):
                yield TextDelta(part["text"], choice)
        text = words(content) or words(delta.get("refusal"))
        if text:
            yield TextDelta(text, choice)

    def _call(self, at: int, call: dict[str, Any], choice: int) -> Iterator[CallDelta]:
        function, told = obj(call.get("function")), number(call.get("index"))
        google = obj(obj(call.get("extra_content")).get("google"))
        piece = CallDelta(
            0,
            words(call.get("id")),
            words(function.get("name")),
            words(function.get("arguments")),
            words(google.get("thought_signature")),
            choice,
        )
        yield from self.calls.piece(at if told is None else told, piece)


class Calls:
    """Puts the pieces of a stream's calls in order: several under one index that differ by id, a name that comes late or with
    every piece.
    """

    def __init__(self) -> None:
        self.slots: dict[tuple[int, int, str], int] = {}
        self.last: dict[tuple[int, int], str] = {}
        self.used: dict[int, int] = {}
        self.named: set[tuple[int, int]] = set()
        self.nameless: dict[tuple[int, int], CallDelta] = {}

    def piece(self, index: int, piece: CallDelta) -> Iterator[CallDelta]:
        """What of the call under this index can be told now: nothing before its name is known."""
        slot = self.slot(piece.choice, index, piece.id)
        at = piece.choice, slot
        if at in self.named:
            yield replace(piece, slot=slot, id="", name="")
            return
        held = self.nameless.pop(at, CallDelta(slot, choice=piece.choice))
        piece = CallDelta(
            slot,
            piece.id or held.id,
            piece.name,
            held.arguments + piece.arguments,
            piece.signature or held.signature,
            piece.choice,
        )
        if piece.name:
            self.named.add(at)
            yield piece
        else:
            self.nameless[at] = piece

    def rest(self) -> Iterator[CallDelta]:
        """Those whose name never came."""
        yield from self.nameless.values()
        self.nameless = {}

    def slot(self, choice: int, index: int, id: str) -> int:
        """The number of the call among those of its choice."""
        id = id or self.last.get((choice, index), "")
        self.last[choice, index] = id
        if (choice, index, id) not in self.slots:
            self.slots[choice, index, id] = self.used.get(choice, 0)
            self.used[choice] = self.used.get(choice, 0) + 1
        return self.slots[choice, index, id]


def _words_of(part: dict[str, Any]) -> str:
    thinking = part.get("thinking")
    return words(thinking) or "".join(words(obj(one).get("text")) for one in items(thinking))


def _read_image(image: Any, choice: int) -> Iterator[Event]:
    url = words(obj(obj(image).get("image_url")).get("url"))
    head, _, data = url.partition(",")
    if head.startswith("data:") and data:
        yield ImageDelta(head[5:].partition(";")[0], data, choice)
    elif url:
        yield TextDelta(f"![image]({url})", choice)
