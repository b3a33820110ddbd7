"""Amazon Bedrock's Converse answers, whole or as an event stream, read into events.

Source: docs.aws.amazon.com, Bedrock runtime API, Converse and ConverseStream; the shapes are in botocore's service model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gateway.content.json_text import items, number, obj, words
from gateway.content.openai_fields import Usage
from gateway.translation.neutral import (
    AnswerReader,
    CallDelta,
    Event,
    Failure,
    Finish,
    FinishReason,
    ImageDelta,
    OtherDelta,
    Start,
    TextDelta,
    ThoughtDelta,
    UsageDelta,
)

KNOWN_BLOCKS = frozenset({"text", "image", "toolUse", "reasoningContent", "citationsContent"})
FINISHES: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}


class Reader(AnswerReader):
    """An answer, whole or event by event; an event is `{<event type>: payload}`."""

    def __init__(self) -> None:
        super().__init__()
        self.slots: dict[int, int] = {}
        self.silent: set[int] = set()
        self.image_format = "png"

    def whole(self, doc: Any) -> Iterator[Event]:
        doc = obj(doc)
        yield Start()
        for at, block in enumerate(items(obj(obj(doc.get("output")).get("message")).get("content"))):
            yield from self._block(at, obj(block))
        yield from self._finish(doc.get("stopReason"))
        yield UsageDelta(read_usage(obj(doc.get("usage"))))

    def event(self, doc: Any) -> Iterator[Event]:
        kind, payload = next(iter(obj(doc).items()), ("", {}))
        payload = obj(payload)
        at = number(payload.get("contentBlockIndex")) or 0
        if kind == "messageStart":
            yield Start()
        elif kind == "contentBlockStart":
            start = obj(payload.get("start"))
            self.image_format = words(obj(start.get("image")).get("format")) or self.image_format
            yield from self._call_start(at, obj(start.get("toolUse")))
        elif kind == "contentBlockDelta":
            yield from self._delta(at, obj(payload.get("delta")))
        elif kind == "contentBlockStop" and at in self.silent:
            self.silent.remove(at)
            yield CallDelta(self.slots[at], arguments="{}")  # nothing came, and callers parse it
        elif kind == "messageStop":
            yield from self._finish(payload.get("stopReason"))
        elif kind == "metadata":
            self.finished = True
            yield UsageDelta(read_usage(obj(payload.get("usage"))))
        elif kind.lower().endswith(("exception", "error")):
            self.finished = True
            message = words(payload.get("message")) or words(payload.get("Message"))
            yield Failure(message or kind, kind[:1].upper() + kind[1:])

    def _block(self, at: int, block: dict[str, Any]) -> Iterator[Event]:
        """One block of a whole answer."""
        thought = obj(block.get("reasoningContent"))
        if thought:
            text = obj(thought.get("reasoningText"))
            sealed = words(thought.get("redactedContent"))
            yield ThoughtDelta(words(text.get("text")), words(text.get("signature")), sealed)
        if words(block.get("text")):
            yield TextDelta(block["text"])
        if obj(block.get("image")):
            image = block["image"]
            yield ImageDelta(
                f"image/{words(image.get('format')) or 'png'}", words(obj(image.get("source")).get("bytes"))
            )
        call, cited = obj(block.get("toolUse")), obj(block.get("citationsContent"))
        if call:
            yield from self._call_start(at, call)
            yield CallDelta(self.slots[at], arguments=json.dumps(obj(call.get("input")), ensure_ascii=False))
        for part in items(cited.get("content")):
            yield TextDelta(words(obj(part).get("text")))
        if items(cited.get("citations")):
            yield OtherDelta({"citations": cited["citations"]})
        if not KNOWN_BLOCKS & set(block):
            yield OtherDelta(block)

    def _call_start(self, at: int, call: dict[str, Any]) -> Iterator[Event]:
        if call:
            slot = self.slots.setdefault(at, len(self.slots))
            self.silent.add(at)
            yield CallDelta(slot, words(call.get("toolUseId")), words(call.get("name")))

    def _delta(self, at: int, delta: dict[str, Any]) -> Iterator[Event]:
        thought, image = obj(delta.get("reasoningContent")), obj(obj(delta.get("image")).get("source"))
        if words(delta.get("text")):
            yield TextDelta(delta["text"])
        if thought:
            sealed = words(thought.get("redactedContent"))
            yield ThoughtDelta(words(thought.get("text")), words(thought.get("signature")), sealed)
        if words(image.get("bytes")):
            yield ImageDelta(f"image/{self.image_format}", image["bytes"])
        if delta.get("citation") or delta.get("toolResult"):
            yield OtherDelta(delta)
        if obj(delta.get("toolUse")) and at in self.slots:
            arguments = words(delta["toolUse"].get("input"))
            self.silent -= {at} if arguments else set()
            yield CallDelta(self.slots[at], arguments=arguments)

    def _finish(self, reason: Any) -> Iterator[Event]:
        if words(reason):
            yield Finish(FINISHES.get(reason, "stop"), reason)


def read_usage(usage: dict[str, Any]) -> Usage:
    """Converse's `inputTokens` leave out the cache, as Anthropic's do."""
    fresh, out = number(usage.get("inputTokens")), number(usage.get("outputTokens"))
    read, written = number(usage.get("cacheReadInputTokens")), number(usage.get("cacheWriteInputTokens"))
    prompt = None if fresh is None else fresh + (read or 0) + (written or 0)
    details = items(usage.get("cacheDetails"))
    hour = sum(number(obj(one).get("inputTokens")) or 0 for one in details if obj(one).get("ttl") == "1h") or None
    return Usage(prompt=prompt, completion=out, cached=read, cache_write=written, cache_write_1h=hour)
