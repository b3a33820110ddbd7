"""A neutral request written as an OpenAI chat body, for the providers that speak chat (OpenAI API reference, chat/create)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gateway.translation.neutral import (
    Media,
    Message,
    Request,
    Schema,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    Written,
    refuse,
)
from gateway.translation.turns import warn_of_members


def write(request: Request) -> Written:
    """The chat body of a neutral request, for providers that speak chat."""
    body: dict[str, Any] = {"model": request.model, "messages": list(_messages(request))}
    if request.tools:
        body["tools"] = [_written_tool(tool) for tool in request.tools]
    if request.tool_choice.startswith("="):
        body["tool_choice"] = {"type": "function", "function": {"name": request.tool_choice[1:]}}
    elif request.tool_choice:
        body["tool_choice"] = request.tool_choice
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools
    if request.format:
        body["response_format"] = _written_format(request.format)
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    written = Written(body | request.settings)
    _warn_of_thoughts(written, request)
    warn_of_members(written, request, "a chat provider")
    return written


def _warn_of_thoughts(written: Written, request: Request) -> None:
    if not request.reasoning_as and any(
        isinstance(part, Thought) for message in request.messages for part in message.parts
    ):
        written.warnings.append("reasoning: this provider takes none of its own back; it was not sent")


def _messages(request: Request) -> Iterator[dict[str, Any]]:
    """Chat takes only text in a tool message: pictures of results follow, in a user message behind the last result."""
    waiting: list[Media] = []
    for message in _joined(request.messages):
        if waiting and message.role != "tool":
            yield {"role": "user", "content": [_written_media(part) for part in waiting]}
            waiting = []
        for result in [part for part in message.parts if isinstance(part, ToolResult)]:
            text = " ".join(part.text for part in result.parts if isinstance(part, Text))
            yield {"role": "tool", "tool_call_id": result.id, "content": text or "See the following message."}
            waiting += [part for part in result.parts if isinstance(part, Media)]
        if message.role != "tool":
            yield _written_message(message, request.reasoning_as)
    if waiting:
        yield {"role": "user", "content": [_written_media(part) for part in waiting]}


def _joined(messages: Iterable[Message]) -> list[Message]:
    """The assistant's thoughts, words and calls in one message: Responses sends an item each, chat wants them together."""
    joined: list[Message] = []
    for message in messages:
        last = joined[-1] if joined else message
        if last.role == message.role == "assistant" and joined and not (_speaks(last) and _speaks(message)):
            joined[-1] = replace(last, parts=(*last.parts, *message.parts))
        else:
            joined.append(message)
    return joined


def _speaks(message: Message) -> bool:
    return any(isinstance(part, Text | Media) for part in message.parts)


def _written_message(message: Message, reasoning_as: str) -> dict[str, Any]:
    parts = [part for part in message.parts if isinstance(part, Text | Media)]
    texts = [part.text for part in parts if isinstance(part, Text)]
    content: Any = [_written_media(part) if isinstance(part, Media) else _written_text(part) for part in parts]
    written: dict[str, Any] = {"role": message.role, "content": content}
    if len(texts) == len(parts) and (len(parts) == 1 or message.role != "user"):
        written["content"] = "".join(texts) if parts else None
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if calls:
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    thought = "".join(part.text for part in message.parts if isinstance(part, Thought))
    return _with_thought(written, thought, reasoning_as) if reasoning_as else written


def _with_thought(written: dict[str, Any], thought: str, reasoning_as: str) -> dict[str, Any]:
    """As its vendor wants the reasoning back: as a member, or as the first of the content's parts (Mistral)."""
    if reasoning_as == "reasoning_content" and (thought or "tool_calls" in written):
        # DeepSeek and Moonshot refuse a call without the member, and take an empty one.
        return written | {"reasoning_content": thought}
    if reasoning_as == "thinking" and thought:
        content = written["content"]
        spoken = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        part = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
        return written | {"content": [part, *spoken]}
    return written


def _written_text(part: Text) -> dict[str, Any]:
    return {"type": "text", "text": part.text}


def _written_media(media: Media) -> dict[str, Any]:
    url = media.url or media.data_url
    if media.kind == "image" and not media.file_id:
        return {"type": "image_url", "image_url": {"url": url} | ({"detail": media.detail} if media.detail else {})}
    if media.kind == "audio" and media.base64:
        return {
            "type": "input_audio",
            "input_audio": {"data": media.base64, "format": "wav" if "wav" in media.media_type else "mp3"},
        }
    if media.kind == "document":
        held = {"file_id": media.file_id} if media.file_id else {"file_data": media.data_url}
        if not media.url:
            return {"type": "file", "file": held | ({"filename": media.name} if media.name else {})}
    raise refuse(media.position, f"a chat provider takes no {media.kind} in this form", "Send it as base64")


def _written_tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.schema}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _written_format(format: Schema) -> dict[str, Any]:
    if format.schema is None:
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": format.name, "schema": format.schema}
    if format.strict is not None:
        schema["strict"] = format.strict
    return {"type": "json_schema", "json_schema": schema}
