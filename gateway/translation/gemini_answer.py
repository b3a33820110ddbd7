"""Google's generateContent answers, whole or as a stream of partial answers, read into events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gateway.content.json_text import items, number, obj, words
from gateway.content.openai_fields import Usage, tier_of
from gateway.translation.neutral import (
    AnswerReader,
    CallDelta,
    Event,
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

# What a candidate says of where its words come from.
METADATA = ("citationMetadata", "groundingMetadata", "urlContextMetadata")
MADE_ID = re.compile(r"call_\d+_\d+_")
FINISHES: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "MALFORMED_FUNCTION_CALL": "stop",
    "UNEXPECTED_TOOL_CALL": "stop",
    "TOO_MANY_TOOL_CALLS": "stop",
    "MALFORMED_RESPONSE": "stop",
    "CONTINUATION": "length",
}
"""Every other reason of Google's is a filter's: SAFETY, RECITATION, BLOCKLIST, IMAGE_SAFETY and their like."""


class Reader(AnswerReader):
    """Gemini marks no end of a stream but the connection's: `finished` once a finish reason came."""

    def __init__(self) -> None:
        super().__init__()
        self.started = False
        self.slots: dict[int, int] = {}
        self.usage: Usage | None = None
        self.id = ""

    def whole(self, doc: Any) -> Iterator[Event]:
        for one in doc if isinstance(doc, list) else [doc]:
            yield from self.event(one)
        yield from self.end()

    def event(self, doc: Any) -> Iterator[Event]:
        doc = obj(doc[0] if isinstance(doc, list) and doc else doc)
        if doc.get("error"):
            self.finished = True
            error = obj(doc["error"])
            yield Failure(
                words(error.get("message")),
                words(error.get("status")) or "provider_error",
                str(error.get("code") or ""),
            )
            return
        if not self.started:
            self.started, self.id = True, words(doc.get("responseId"))
            yield Start(self.id, words(doc.get("modelVersion")).removeprefix("models/"))
        for at, candidate in enumerate(items(doc.get("candidates"))):
            yield from self._candidate(at, obj(candidate))
        blocked = words(obj(doc.get("promptFeedback")).get("blockReason"))
        if blocked and not doc.get("candidates"):
            self.finished = True
            yield Finish("content_filter", blocked)
        if doc.get("usageMetadata"):
            self.usage = read_usage(obj(doc["usageMetadata"]))  # each event repeats it, grown

    def end(self) -> Iterator[Event]:
        if self.usage:
            yield UsageDelta(self.usage)

    def _candidate(self, at: int, candidate: dict[str, Any]) -> Iterator[Event]:
        choice = number(candidate.get("index"))
        choice = at if choice is None else choice
        for part in items(obj(candidate.get("content")).get("parts")):
            yield from self._part(obj(part), choice)
        logprobs = _logprobs(obj(candidate.get("logprobsResult")))
        if logprobs:
            yield LogprobsDelta(logprobs, choice)
        beside = {name: candidate[name] for name in METADATA if candidate.get(name)}
        if beside:
            yield OtherDelta(beside, choice)
        reason = words(candidate.get("finishReason"))
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            self.finished = True
            called = self.slots.get(choice) and reason == "STOP"
            yield Finish("tool_calls" if called else FINISHES.get(reason, "content_filter"), reason, choice)

    def _part(self, part: dict[str, Any], choice: int) -> Iterator[Event]:
        signature = words(part.get("thoughtSignature"))
        inline, call = obj(part.get("inlineData")), obj(part.get("functionCall"))
        text = words(part.get("text"))
        if part.get("thought") is True:
            if text or signature:
                yield ThoughtDelta(text, signature, choice=choice)  # a thought's pictures are drafts, and no answer
        elif inline:
            yield ImageDelta(words(inline.get("mimeType")), words(inline.get("data")), choice, signature)
        elif call:
            slot = self.slots.get(choice, 0)
            self.slots[choice] = slot + 1
            arguments = json.dumps(obj(call.get("args")), ensure_ascii=False)
            id = words(call.get("id")) or made_id(choice, slot, self.id or words(call.get("name")))
            yield CallDelta(slot, id, words(call.get("name")), arguments, signature, choice)
        elif text or (signature and "text" in part):
            yield TextDelta(text, choice, signature)
        elif part.get("executableCode") or part.get("codeExecutionResult"):
            yield ThoughtDelta(_code(part), choice=choice)  # Google ran it on the way to the answer
        elif part:
            yield OtherDelta(part, choice)


def made_id(choice: int, slot: int, answer: str) -> str:
    """An id for a call that came without one, never twice in a conversation: Anthropic refuses that."""
    return f"call_{choice}_{slot}_{answer}"[:40]


def is_made(id: str) -> bool:
    """Whether Gemini never gave that id, and so must not see it."""
    return MADE_ID.match(id) is not None


def _code(part: dict[str, Any]) -> str:
    code, result = obj(part.get("executableCode")), obj(part.get("codeExecutionResult"))
    return (
        f"\n```{words(code.get('language')).lower()}\n{words(code.get('code')) or words(result.get('output'))}\n```\n"
    )


def _logprobs(result: dict[str, Any]) -> list[dict[str, Any]]:
    """`logprobsResult` in OpenAI's shape."""
    tops = [items(obj(step).get("candidates")) for step in items(result.get("topCandidates"))]
    content = []
    for at, chosen in enumerate(items(result.get("chosenCandidates"))):
        others = tops[at] if at < len(tops) else []
        content.append(_logprob(obj(chosen)) | {"top_logprobs": [_logprob(obj(one)) for one in others]})
    return content


def _logprob(candidate: dict[str, Any]) -> dict[str, Any]:
    token = words(candidate.get("token"))
    return {"token": token, "logprob": candidate.get("logProbability") or 0.0, "bytes": list(token.encode())}


def read_usage(usage: dict[str, Any]) -> Usage:
    """Google counts thoughts beside the candidates, and tool prompts beside the prompt; OpenAI inside."""
    prompt, total = number(usage.get("promptTokenCount")), number(usage.get("totalTokenCount"))
    thoughts = number(usage.get("thoughtsTokenCount"))
    answer, tools = number(usage.get("candidatesTokenCount")), number(usage.get("toolUsePromptTokenCount"))
    into, out = _by_kind(usage.get("promptTokensDetails")), _by_kind(usage.get("candidatesTokensDetails"))
    return Usage(
        prompt=None if prompt is None else prompt + (tools or 0),
        completion=None if answer is None and thoughts is None and prompt is None else (answer or 0) + (thoughts or 0),
        total=total,
        cached=number(usage.get("cachedContentTokenCount")),
        reasoning=thoughts,
        image_in=into.get("IMAGE"),
        image_out=out.get("IMAGE"),
        audio_in=into.get("AUDIO"),
        audio_out=out.get("AUDIO"),
        text_in=into.get("TEXT"),
        text_out=out.get("TEXT"),
        tier=tier_of(words(usage.get("serviceTier")) or words(usage.get("trafficType"))),
    )


def _by_kind(details: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in items(details):
        count = number(obj(one).get("tokenCount"))
        if count is not None:
            kind = words(obj(one).get("modality"))
            found[kind] = found.get(kind, 0) + count
    return found
