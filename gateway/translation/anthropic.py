"""Anthropic's Messages API: a neutral request written for it, its answers and streams read into events.

Source: platform.claude.com API reference, messages/create, and the types of Anthropic's own SDK.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
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
    Media,
    OtherDelta,
    Part,
    Request,
    Start,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    Tool,
    ToolCall,
    ToolResult,
    UsageDelta,
    Written,
    refuse,
)
from gateway.translation.rules.claude import ClaudeSettings
from gateway.translation.rules.models import claude
from gateway.translation.rules.schemas import Adapted, for_anthropic, typed
from gateway.translation.turns import (
    asked_for_json,
    is_blank,
    merged,
    parsed_arguments,
    plain_id,
    put,
    signed,
    split_system,
    take_settings,
    warn_of_detail,
    warn_of_members,
)

DOCUMENT_MEMBERS = frozenset({"citations", "context"})
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
# The API wants a limit in every request. This one is within that of every model since Claude 3.
MAX_TOKENS = 4096
SETTINGS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
}
NO_PLACE = frozenset(
    ["seed", "presence_penalty", "frequency_penalty", "logit_bias", "store", "prediction", "service_tier", "verbosity"]
)
FINISHES: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def write(request: Request) -> Written:
    """The Messages body.

    Raises:
        BadRequest: a part, tool or setting that this API cannot take; names it.
    """
    settled = ClaudeSettings.of(request)
    request, warnings = settled.request, settled.warnings
    system, messages = split_system(request)
    messages = signed(messages, "Anthropic", warnings)
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_turn(role, parts) for role, parts in merged(messages)],
    }
    format = structured_format(request, "Anthropic", system, warnings)
    if system:
        body["system"] = [_text(part) for part in system]
    if request.tools:
        body["tools"] = [_tool(tool, warnings) for tool in request.tools]
    choice = _tool_choice(request)
    if choice:
        body["tool_choice"] = choice
    if request.stream:
        body["stream"] = True
    written = Written(body, warnings)
    tags = obj(request.settings.get("metadata"))
    if tags and set(tags) != {"user_id"}:
        request = replace(request, settings={**request.settings, "metadata": None})
        written.warnings.append("metadata: Anthropic takes only a user_id there; the tags were not sent")
    take_settings(written, request, provider="Anthropic", names=SETTINGS, no_place=NO_PLACE)
    if settled.thinking:
        body["thinking"] = settled.thinking
    if settled.effort:
        put(body, "output_config.effort", settled.effort)
    if format:
        put(body, "output_config.format", {"type": "json_schema", "schema": format.schema})
    warn_of_detail(written, request, "Anthropic")
    warn_of_members(written, request, "Anthropic", DOCUMENT_MEMBERS)
    if "max_tokens" not in body:
        body["max_tokens"] = MAX_TOKENS + settled.budget
        written.warnings.append(
            f"max_tokens: Anthropic needs one and the request has none; {body['max_tokens']} was sent"
        )
    return written


def structured_format(request: Request, provider: str, system: list[Text], warnings: list[str]) -> Adapted | None:
    """The schema that the answer is held to; for a model or a mode without one, an instruction to the model instead."""
    if request.format is None:
        return None
    rules = claude(request.model)
    if request.format.schema is None or (rules and not rules.structured):
        mode = "json_object mode" if request.format.schema is None else "structured output for this model"
        warnings.append(f"response_format: {provider} has no {mode}; the model was asked in words for JSON")
        system.append(Text(asked_for_json(request.format)))
        return None
    adapted = for_anthropic(request.format.schema)
    warnings += adapted.warning("response_format", provider)
    return adapted


def _turn(role: str, parts: list[Part]) -> dict[str, Any]:
    """Results of tools must stand first in their turn."""
    parts = sorted(parts, key=lambda part: not isinstance(part, ToolResult)) if role == "user" else parts
    return {
        "role": role,
        "content": [_block(part, role) for part in parts if not is_blank(part)],
    }


def _block(part: Part, role: str) -> dict[str, Any]:
    if isinstance(part, Text):
        return _text(part)
    if isinstance(part, Media):
        if role == "assistant":
            raise refuse(
                part.position, "Anthropic takes no picture in an assistant's message", "Move it to a user message"
            )
        return _media(part)
    if isinstance(part, ToolCall):
        call = {"type": "tool_use", "id": plain_id(part.id), "name": part.name, "input": parsed_arguments(part)}
        return _cached(call, part.cache_control)
    if isinstance(part, Thought):
        if part.sealed:
            return {"type": "redacted_thinking", "data": part.sealed}
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    spoken = [inner for inner in part.parts if not is_blank(inner)]
    content = [_text(inner) if isinstance(inner, Text) else _media(inner) for inner in spoken]
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": plain_id(part.id), "content": content}
    return _cached(result | ({"is_error": True} if part.is_error else {}), part.cache_control)


def _text(part: Text) -> dict[str, Any]:
    return _cached({"type": "text", "text": part.text}, part.cache_control)


def _cached(block: dict[str, Any], cache_control: Any) -> dict[str, Any]:
    return block | {"cache_control": cache_control} if cache_control else block


def _media(media: Media) -> dict[str, Any]:
    if media.kind not in ("image", "document") or media.url.startswith(("gs:", "s3:")):
        what = media.url[:5] + " links" if media.url.startswith(("gs:", "s3:")) else media.kind
        raise refuse(media.position, f"Anthropic takes no {what}", "It takes images and PDF, as base64 or http(s) link")
    if media.kind == "image" and media.base64 and media.media_type not in IMAGE_TYPES:
        raise refuse(
            media.position,
            f"the picture is {media.media_type}, and Anthropic takes {', '.join(IMAGE_TYPES)}",
            "Convert it",
            code="unsupported_image_format",
        )
    if media.kind == "document" and media.base64 and not media.media_type.startswith(("application/pdf", "text/")):
        raise refuse(
            media.position,
            f"the document is {media.media_type}, and Anthropic takes application/pdf and text",
            "Convert it",
            code="unsupported_document_format",
        )
    block: dict[str, Any] = {"type": media.kind, "source": _source(media)}
    if media.kind == "document" and media.name:
        block["title"] = media.name
    if media.kind == "document":
        block |= {name: value for name, value in media.beside.items() if name in DOCUMENT_MEMBERS}
    return _cached(block, media.cache_control)


def _source(media: Media) -> dict[str, Any]:
    if media.file_id:
        return {"type": "file", "file_id": media.file_id}
    if media.url:
        return {"type": "url", "url": media.url}
    if media.media_type.startswith("text/"):
        text = base64.b64decode(media.base64).decode("utf-8", "replace")
        return {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "base64", "media_type": media.media_type, "data": media.base64}


def _tool(tool: Tool, warnings: list[str]) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name, "input_schema": typed(tool.schema)}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        adapted = for_anthropic(written["input_schema"])
        warnings += adapted.warning(f"tools.{tool.name}", "Anthropic")
        written |= {"strict": True, "input_schema": adapted.schema}
    return _cached(written, tool.cache_control)


def _tool_choice(request: Request) -> dict[str, Any]:
    if request.tool_choice.startswith("="):
        choice: dict[str, Any] = {"type": "tool", "name": request.tool_choice[1:]}
    elif request.tool_choice or (request.tools and request.parallel_tools is False):
        choice = {"type": {"required": "any", "none": "none"}.get(request.tool_choice, "auto")}
    else:
        return {}
    if request.parallel_tools is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return choice


class Reader(AnswerReader):
    """An answer, whole or event by event."""

    def __init__(self) -> None:
        super().__init__()
        self.usage: dict[str, Any] = {}
        self.slots: dict[int, int] = {}
        self.silent: set[int] = set()
        self.others: dict[int, dict[str, Any]] = {}
        self.citations: dict[int, list[Any]] = {}

    def whole(self, doc: Any) -> Iterator[Event]:
        doc = obj(doc)
        if doc.get("type") == "error":
            yield from self.event(doc)
            return
        yield Start(words(doc.get("id")), words(doc.get("model")))
        for at, block in enumerate(items(doc.get("content"))):
            yield from self._block(at, obj(block), whole=True)
            yield from self._stop(at, whole=True)
        yield from self._finish(doc.get("stop_reason"))
        yield UsageDelta(read_usage(obj(doc.get("usage"))))

    def event(self, doc: Any) -> Iterator[Event]:
        doc = obj(doc)
        kind = doc.get("type")
        if kind == "message_start":
            message = obj(doc.get("message"))
            self.usage |= obj(message.get("usage"))
            yield Start(words(message.get("id")), words(message.get("model")))
        elif kind == "content_block_start":
            yield from self._block(number(doc.get("index")) or 0, obj(doc.get("content_block")), whole=False)
        elif kind == "content_block_delta":
            yield from self._delta(number(doc.get("index")) or 0, obj(doc.get("delta")))
        elif kind == "content_block_stop":
            yield from self._stop(number(doc.get("index")) or 0)
        elif kind == "message_delta":
            self.usage |= _grown(self.usage, obj(doc.get("usage")))
            yield from self._finish(obj(doc.get("delta")).get("stop_reason"))
        elif kind == "message_stop":
            self.finished = True
            yield UsageDelta(read_usage(self.usage))
        elif kind == "error":
            self.finished = True
            error = obj(doc.get("error"))
            yield Failure(words(error.get("message")) or "the stream broke off", words(error.get("type")))

    def _block(self, at: int, block: dict[str, Any], *, whole: bool) -> Iterator[Event]:
        kind = block.get("type")
        if kind == "text" and words(block.get("text")):
            yield TextDelta(block["text"])
        elif kind == "thinking" and (block.get("thinking") or block.get("signature")):
            yield ThoughtDelta(words(block.get("thinking")), words(block.get("signature")))
        elif kind == "redacted_thinking":
            yield ThoughtDelta(sealed=words(block.get("data")))
        elif kind == "tool_use":
            slot = self.slots.setdefault(at, len(self.slots))
            arguments = _json(block.get("input")) if whole else ""
            self.silent.add(at)
            yield CallDelta(slot, words(block.get("id")), words(block.get("name")), arguments)
        elif kind not in ("text", "thinking"):
            self.others[at] = block
        if block.get("citations"):
            self.citations[at] = items(block["citations"])

    def _delta(self, at: int, delta: dict[str, Any]) -> Iterator[Event]:
        kind = delta.get("type")
        if kind == "text_delta":
            yield TextDelta(words(delta.get("text")))
        elif kind == "input_json_delta" and at in self.slots:
            arguments = words(delta.get("partial_json"))
            self.silent -= {at} if arguments else set()
            yield CallDelta(self.slots[at], arguments=arguments)
        elif kind == "thinking_delta":
            yield ThoughtDelta(words(delta.get("thinking")))
        elif kind == "signature_delta":
            yield ThoughtDelta(signature=words(delta.get("signature")))
        elif kind == "citations_delta":
            self.citations.setdefault(at, []).append(delta.get("citation"))
        elif kind == "input_json_delta" and at in self.others:
            self.others[at]["input"] = words(self.others[at].get("input")) + words(delta.get("partial_json"))

    def _stop(self, at: int, *, whole: bool = False) -> Iterator[Event]:
        """A call of a tool that takes nothing streams no arguments; callers parse them, so they must be JSON."""
        if at in self.silent and not whole:
            self.silent.remove(at)
            yield CallDelta(self.slots[at], arguments="{}")
        if at in self.others:
            yield OtherDelta(self.others.pop(at))
        if at in self.citations:
            yield OtherDelta({"citations": self.citations.pop(at)})

    def _finish(self, reason: Any) -> Iterator[Event]:
        if words(reason):
            yield Finish(FINISHES.get(reason, "stop"), reason)


def _grown(counted: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What a later event counts. Some servers say zero at the end of what they had counted at the beginning."""
    return {
        key: value
        for key, value in said.items()
        if value is not None and not (value == 0 and counted.get(key) and key != "output_tokens")
    }


def read_usage(usage: dict[str, Any]) -> Usage:
    """Anthropic's `input_tokens` leave out what was read from or written to its cache; ours is the sum of the three."""
    fresh, out = number(usage.get("input_tokens")), number(usage.get("output_tokens"))
    read, written = number(usage.get("cache_read_input_tokens")), number(usage.get("cache_creation_input_tokens"))
    prompt = None if fresh is None else fresh + (read or 0) + (written or 0)
    hour = number(obj(usage.get("cache_creation")).get("ephemeral_1h_input_tokens")) or None
    tier = tier_of(usage.get("service_tier"))
    return Usage(prompt=prompt, completion=out, cached=read, cache_write=written, cache_write_1h=hour, tier=tier)


def _json(value: Any) -> str:
    return json.dumps(value if isinstance(value, dict) else {}, ensure_ascii=False)
