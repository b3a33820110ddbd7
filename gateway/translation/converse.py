"""Amazon Bedrock's Converse: a neutral request written for it, its answers and event streams read into events.

Source: docs.aws.amazon.com, Bedrock runtime API, Converse and ConverseStream; the shapes are in botocore's service model.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.content.json_text import obj
from gateway.errors import BadRequest
from gateway.translation.anthropic import DOCUMENT_MEMBERS, structured_format
from gateway.translation.media import type_by_ending
from gateway.translation.neutral import (
    Media,
    Part,
    Request,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    Written,
    refuse,
)
from gateway.translation.rules.claude import ROOM_FOR_WORDS, ClaudeSettings
from gateway.translation.rules.models import UP_TO_HIGH, nearest
from gateway.translation.rules.schemas import for_anthropic, typed
from gateway.translation.turns import (
    has_tool_history,
    is_blank,
    merged,
    parsed_arguments,
    plain_id,
    signed,
    split_system,
    take_settings,
    warn_of_caching,
    warn_of_detail,
    warn_of_members,
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
}
NO_PLACE = frozenset(
    [
        "seed", "presence_penalty", "frequency_penalty", "logit_bias", "user", "metadata", "store", "prediction",
        "service_tier", "verbosity",
    ]
)  # fmt: skip
# Makers whose models take marks for the cache (AWS, prompt caching for faster model inference).
CACHING = ("claude", "nova")
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9 \-()\[\]]")
# These models take no picture in a tool's result (seen in recordings); it follows in a user turn of its own.
TEXT_RESULTS = ("mistral", "pixtral")


def write(request: Request) -> Written:
    """The Converse body. The model is in the path.

    Raises:
        BadRequest: a part, tool or setting that this API cannot take; names it.
    """
    model, effort, warnings = request.model.lower(), request.settings.get("reasoning_effort"), list[str]()
    extra: dict[str, Any] = {}
    if "claude" in model:
        request, extra = _claude(request, warnings)
    else:
        request, extra = _other_model(request, effort, warnings)
    system, messages = split_system(request)
    if "claude" in model:
        messages = signed(messages, "Claude", warnings)
    turns = merged(messages)
    if any(name in request.model for name in TEXT_RESULTS):
        turns = list(_results_as_text(turns))
    caches = any(name in model for name in CACHING)
    body: dict[str, Any] = {"messages": [_turn(role, parts, caches=caches) for role, parts in turns]}
    _tell_documents_apart(body["messages"])
    format = structured_format(request, "Bedrock", system, warnings)
    if system:
        body["system"] = [
            block for part in system for block in ({"text": part.text}, *_cache_point(part, caches=caches))
        ]
    config = _tool_config(request, warnings, caches=caches)
    if config:
        body["toolConfig"] = config
    if format and request.format:
        schema = {"schema": json.dumps(format.schema), "name": request.format.name}
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
    if extra:
        body["additionalModelRequestFields"] = extra
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
    warn_of_members(written, request, "Bedrock", DOCUMENT_MEMBERS)
    if not caches:
        warn_of_caching(written, request, "Bedrock")
    return written


def _claude(request: Request, warnings: list[str]) -> tuple[Request, dict[str, Any]]:
    """Thinking and effort go beside Converse's own fields, in Anthropic's names."""
    settled = ClaudeSettings.of(request)
    warnings += settled.warnings
    extra: dict[str, Any] = {"thinking": settled.thinking} if settled.thinking else {}
    if settled.effort:
        extra["output_config"] = {"effort": settled.effort}
    request, limit = settled.request, settled.request.settings.get("max_tokens")
    if settled.budget and limit is None:
        request = replace(request, settings={**request.settings, "max_tokens": settled.budget + ROOM_FOR_WORDS})
    return request, extra


def _other_model(request: Request, effort: Any, warnings: list[str]) -> tuple[Request, dict[str, Any]]:
    """Effort in the names of the other makers that have it."""
    settings = {name: value for name, value in request.settings.items() if name != "reasoning_effort"}
    request, model = replace(request, settings=settings), request.model.lower()
    if not isinstance(effort, str):
        return request, {}
    level = nearest(effort, UP_TO_HIGH)
    if "nova-2" in model:
        if effort == "none":
            return request, {}
        return request, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}
    if "gpt-oss" in model:
        return request, {"reasoning_effort": level}
    if effort != "none":
        warnings.append("reasoning_effort: Bedrock has no such setting for this model; it was not sent")
    return request, {}


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


def _cache_point(part: Any, *, caches: bool) -> list[dict[str, Any]]:
    """Converse marks the end of what is to be cached; Anthropic and LiteLLM mark the last part of it."""
    mark = getattr(part, "cache_control", None)
    if not caches or not mark:
        return []
    ttl = obj(mark).get("ttl")
    return [{"cachePoint": {"type": "default"} | ({"ttl": ttl} if ttl in ("5m", "1h") else {})}]


def _turn(role: str, parts: list[Part], *, caches: bool) -> dict[str, Any]:
    spoken = [part for part in parts if not is_blank(part)]
    content = [block for part in spoken for block in (_block(part, role), *_cache_point(part, caches=caches))]
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
        return {"toolUse": {"toolUseId": plain_id(part.id), "name": part.name, "input": parsed_arguments(part)}}
    if isinstance(part, Thought):
        if part.sealed:
            return {"reasoningContent": {"redactedContent": part.sealed}}
        thought = {"text": part.text} | ({"signature": part.signature} if part.signature else {})
        return {"reasoningContent": {"reasoningText": thought}}
    said = [inner for inner in part.parts if not is_blank(inner)]
    content = [{"text": inner.text} if isinstance(inner, Text) else _media(inner) for inner in said]
    result = {
        "toolUseId": plain_id(part.id),
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
        block |= {name: value for name, value in media.beside.items() if name in DOCUMENT_MEMBERS}
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
    """ASCII letters, digits, single spaces, hyphens and brackets only (the API's rule)."""
    stem = unicodedata.normalize("NFKD", media.name.rpartition(".")[0] or media.name)
    plain = "".join(c for c in stem if not unicodedata.combining(c))
    plain = " ".join(NOT_IN_NAMES.sub("-", " ".join(plain.split())).split())[:200].strip()
    return plain if any(c.isalnum() for c in plain) else "document"


def _source(media: Media) -> dict[str, Any]:
    if media.base64:
        return {"bytes": media.base64}
    if media.url.startswith("s3://"):
        return {"s3Location": {"uri": media.url}}
    raise refuse(media.position, "Bedrock opens no such link and knows no file ids", "Send the bytes or an s3:// link")


def _tool_config(request: Request, warnings: list[str], *, caches: bool) -> dict[str, Any]:
    """The API wants the tools once the conversation holds calls; those that are not described are made of their names."""
    history = has_tool_history(request)
    tools = request.tools or (_tools_of_history(request, warnings) if history else ())
    if not tools or (request.tool_choice == "none" and not history):
        return {}
    blocks = [
        block for tool in tools for block in ({"toolSpec": _tool(tool, warnings)}, *_cache_point(tool, caches=caches))
    ]
    config: dict[str, Any] = {"tools": blocks}
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


def _tools_of_history(request: Request, warnings: list[str]) -> tuple[Tool, ...]:
    parts = [part for message in request.messages for part in message.parts]
    names = dict.fromkeys(part.name for part in parts if isinstance(part, ToolCall | ToolResult) and part.name)
    warnings.append(
        "tools: the conversation holds tool calls, and Bedrock wants the tools described; "
        f"{', '.join(names) or 'tool'} was sent without a description"
    )
    return tuple(Tool(name) for name in names or ("tool",))


def _tool(tool: Tool, warnings: list[str]) -> dict[str, Any]:
    schema = typed(tool.schema)
    if tool.strict:
        adapted = for_anthropic(schema)
        warnings += adapted.warning(f"tools.{tool.name}", "Bedrock")
        schema = adapted.schema
    written: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": schema}}
    if tool.description.strip():
        written["description"] = tool.description
    return written | ({"strict": True} if tool.strict else {})
