"""Amazon Bedrock's Converse: a neutral request written for it, its answers and event streams read into events.

Source: docs.aws.amazon.com, Bedrock runtime API, Converse and ConverseStream; the shapes are in botocore's service model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gateway.content.json_text import items, number, obj, words
from gateway.content.openai_fields import Usage
from gateway.errors import BadRequest
from gateway.translation.chat_request import parsed_arguments
from gateway.translation.media import type_by_ending
from gateway.translation.neutral import (
    AnswerReader,
    CallDelta,
    Event,
    Failure,
    Finish,
    FinishReason,
    ImageDelta,
    Media,
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
from gateway.translation.turns import (
    merged,
    signed,
    split_system,
    take_settings,
    warn_of_caching,
    warn_of_detail,
    warn_of_parallel_tools,
)

FORMATS = {
    "image": {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"},
    "document": {"application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/html": "html", "text/markdown": "md",
                 "application/msword": "doc", "application/vnd.ms-excel": "xls",
                 "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
                 "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx"},
    "video": {"video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm", "video/x-matroska": "mkv"},
    "audio": {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/flac": "flac", "audio/ogg": "ogg"},
}  # fmt: skip
SETTINGS = {
    "max_tokens": "inferenceConfig.maxTokens",
    "temperature": "inferenceConfig.temperature",
    "top_p": "inferenceConfig.topP",
    "stop": "inferenceConfig.stopSequences",
    "guardrailConfig": "guardrailConfig",
    "guardrail_config": "guardrailConfig",
    "performanceConfig": "performanceConfig",
    "requestMetadata": "requestMetadata",
    "additionalModelRequestFields": "additionalModelRequestFields",
    "reasoning_effort": "outputConfig.effort",
}
NO_PLACE = frozenset(
    [
        "seed", "presence_penalty", "frequency_penalty", "logit_bias", "user", "metadata", "store", "prediction",
        "service_tier", "verbosity",
    ]
)  # fmt: skip
FINISHES: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
# These models take no picture in a tool's result (seen in recordings); it follows in a user turn of its own.
TEXT_RESULTS = ("mistral", "pixtral")


def write(request: Request) -> Written:
    """The Converse body. The model is in the path.

    Raises:
        BadRequest: a part, tool or setting that this API cannot take; names it.
    """
    system, messages = split_system(request)
    warnings: list[str] = []
    if "claude" in request.model:
        messages = signed(messages, "Claude", warnings)
    turns = merged(messages)
    if any(name in request.model for name in TEXT_RESULTS):
        turns = list(_results_as_text(turns))
    body: dict[str, Any] = {"messages": [_turn(role, parts) for role, parts in turns]}
    _tell_documents_apart(body["messages"])
    if system:
        body["system"] = [{"text": part.text} for part in system]
    config = _tool_config(request)
    if config:
        body["toolConfig"] = config
    if request.format:
        body["outputConfig"] = {"textFormat": _format(request)}
    written = Written(body, warnings)
    take_settings(
        written,
        request,
        provider="Bedrock",
        names=SETTINGS,
        no_place=NO_PLACE,
        others="additionalModelRequestFields",
    )
    warn_of_detail(written, request, "Bedrock")
    warn_of_parallel_tools(written, request, "Bedrock")
    warn_of_caching(written, request, "Bedrock")
    return written


def _results_as_text(turns: list[tuple[str, list[Part]]]) -> Iterator[tuple[str, list[Part]]]:
    for role, parts in turns:
        media = [
            inner for part in parts if isinstance(part, ToolResult) for inner in part.parts if isinstance(inner, Media)
        ]
        if not media:
            yield role, parts
            continue
        plain: list[Part] = []
        for part in parts:
            if isinstance(part, ToolResult):
                texts = tuple(inner for inner in part.parts if isinstance(inner, Text))
                part = ToolResult(part.id, part.name, texts or (Text("See the picture that follows."),), part.is_error)
            plain.append(part)
        yield role, plain
        yield "assistant", [Text("OK")]
        yield "user", list(media)


def _turn(role: str, parts: list[Part]) -> dict[str, Any]:
    content = [_block(part, role) for part in parts if not (isinstance(part, Text) and not part.text)]
    if any("document" in block for block in content) and not any("text" in block for block in content):
        content.append({"text": "The document is attached."})  # the API refuses a document without words
    return {"role": role, "content": content}


def _block(part: Part, role: str) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Media):
        if role == "assistant" and part.kind == "image":
            raise refuse(part.position, "Bedrock takes pictures in user messages only", "Move it to a user message")
        return _media(part)
    if isinstance(part, ToolCall):
        return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": parsed_arguments(part)}}
    if isinstance(part, Thought):
        if part.sealed:
            return {"reasoningContent": {"redactedContent": part.sealed}}
        thought = {"text": part.text} | ({"signature": part.signature} if part.signature else {})
        return {"reasoningContent": {"reasoningText": thought}}
    content = [{"text": inner.text} if isinstance(inner, Text) else _media(inner) for inner in part.parts]
    result = {
        "toolUseId": part.id,
        "content": content or [{"text": ""}],
        "status": "error" if part.is_error else "success",
    }
    return {"toolResult": result}


def _media(media: Media) -> dict[str, Any]:
    known = FORMATS[media.kind]
    media_type = media.media_type or type_by_ending(media.url)
    if media_type not in known:
        what = media_type or "of a type that is not told"
        raise refuse(
            media.position,
            f"the {'picture' if media.kind == 'image' else media.kind} is {what}, and Bedrock takes {', '.join(known.values())}",
            "Convert it" if media_type else "Add mime_type beside the s3:// url",
            code="unsupported_image_format",
        )
    block: dict[str, Any] = {"format": known[media_type], "source": _source(media)}
    if media.kind == "document":
        block["name"] = _document_name(media)
    return {media.kind: block}


def _tell_documents_apart(messages: list[dict[str, Any]]) -> None:
    """The API wants the names of a request's documents to differ."""
    seen: dict[str, int] = {}
    blocks = [block for message in messages for block in message["content"]]
    blocks += [inner for block in blocks for inner in block.get("toolResult", {}).get("content", [])]
    for document in [block["document"] for block in blocks if "document" in block]:
        name = document["name"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            document["name"] = f"{name[:190]} ({seen[name]})"


def _document_name(media: Media) -> str:
    """Letters, digits, spaces, hyphens and brackets only (the API's rule)."""
    stem = media.name.rpartition(".")[0] or media.name or "document"
    return "".join(c if c.isalnum() or c in " -()[]" else "-" for c in stem)[:200]


def _source(media: Media) -> dict[str, Any]:
    if media.base64:
        return {"bytes": media.base64}
    if media.url.startswith("s3://"):
        return {"s3Location": {"uri": media.url}}
    raise refuse(media.position, "Bedrock opens no such link and knows no file ids", "Send the bytes or an s3:// link")


def _tool_config(request: Request) -> dict[str, Any]:
    if not request.tools:
        return {}
    history = any(isinstance(part, ToolCall | ToolResult) for message in request.messages for part in message.parts)
    if request.tool_choice == "none" and not history:
        return {}
    config: dict[str, Any] = {"tools": [{"toolSpec": _tool(tool)} for tool in request.tools]}
    if request.tool_choice.startswith("="):
        config["toolChoice"] = {"tool": {"name": request.tool_choice[1:]}}
    elif request.tool_choice == "required":
        config["toolChoice"] = {"any": {}}
    elif request.tool_choice == "none":
        raise BadRequest(
            "tool_choice: Bedrock cannot forbid tools once the conversation holds tool calls.",
            code="unsupported_tool_choice",
            param="tool_choice",
        )
    return config


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": tool.name,
        "inputSchema": {"json": tool.schema or {"type": "object", "properties": {}}},
    }
    if tool.description:
        written["description"] = tool.description
    return written | ({"strict": True} if tool.strict else {})


def _format(request: Request) -> dict[str, Any]:
    if request.format is None or request.format.schema is None:
        raise BadRequest(
            "response_format: Bedrock has no json_object mode. Send json_schema with a schema instead.",
            code="unsupported_response_format",
            param="response_format",
        )
    schema = {"schema": json.dumps(request.format.schema), "name": request.format.name}
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


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
        call = obj(block.get("toolUse"))
        if call:
            yield from self._call_start(at, call)
            yield CallDelta(self.slots[at], arguments=json.dumps(obj(call.get("input")), ensure_ascii=False))

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
    return Usage(prompt=prompt, completion=out, cached=read, cache_write=written)
