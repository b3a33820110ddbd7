"""OpenAI chat requests: read into the neutral form, and written for a chat provider (OpenAI API reference, chat/create)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gateway.content.json_text import items, obj, parsed_words, words
from gateway.errors import BadRequest
from gateway.translation.media import read_media
from gateway.translation.neutral import (
    Media,
    Message,
    Part,
    Request,
    Role,
    Schema,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    Written,
    refuse,
)

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
# What is read into fields of its own; every other key of the body is a setting.
FIELDS = frozenset(
    [
        "model",
        "messages",
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "parallel_tool_calls",
        "response_format",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "stop",
    ]
)


def read(doc: Any, model: str) -> Request:
    """The neutral request of a chat body. `model` is the provider's name for it.

    Raises:
        BadRequest: a message, part or tool that cannot be understood; names it.
    """
    doc = obj(doc)
    messages = doc.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages must be a list of at least one message.", code="invalid_messages", param="messages")
    names: dict[str, str] = {}
    return Request(
        model=model,
        messages=tuple(_message(message, f"messages[{at}]", names) for at, message in enumerate(messages)),
        tools=tuple(_tools(doc)),
        tool_choice=_tool_choice(doc.get("tool_choice", doc.get("function_call"))),
        parallel_tools=doc.get("parallel_tool_calls"),
        format=_format(doc.get("response_format")),
        stream=doc.get("stream") is True,
        include_usage=obj(doc.get("stream_options")).get("include_usage") is True,
        settings=_settings(doc),
        warnings=list(_left_out(messages)),
    )


def _left_out(messages: list[Any]) -> Iterator[str]:
    for at, message in enumerate(messages):
        message = obj(message)
        if message.get("name") and message.get("role") not in ("tool", "function"):
            yield f"messages[{at}].name: this provider has no names for who speaks; it was not sent"
        if message.get("audio"):
            yield f"messages[{at}].audio: what was said earlier is known only to the provider that said it; it was not sent"


def _settings(doc: dict[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in doc.items() if key not in FIELDS and value is not None}
    limit = doc.get("max_tokens") if doc.get("max_completion_tokens") is None else doc["max_completion_tokens"]
    if limit is not None:
        settings["max_tokens"] = limit
    stop = doc.get("stop")
    if stop:
        settings["stop"] = [stop] if isinstance(stop, str) else stop
    return settings


def _message(message: Any, position: str, names: dict[str, str]) -> Message:
    """`names` remembers which tool each call id belongs to, for the results that follow."""
    message = obj(message)
    role = ROLES.get(words(message.get("role")))
    if role is None:
        raise BadRequest(
            f"{position}.role is {message.get('role')!r}; known roles are {', '.join(ROLES)}.",
            code="invalid_role",
            param=f"{position}.role",
        )
    content = tuple(_content(message.get("content"), f"{position}.content"))
    if role == "tool":
        id = words(message.get("tool_call_id"))
        name = words(message.get("name")) or names.get(id, "")
        inner = tuple(part for part in content if isinstance(part, Text | Media))
        return Message(role, (ToolResult(id, name, inner),), position)
    if role != "assistant":
        return Message(role, content, position)
    if words(message.get("refusal")):
        content = (*content, Text(message["refusal"]))
    calls = tuple(_calls(message, position))
    names.update({call.id: call.name for call in calls})
    return Message(role, (*_thoughts(message), *content, *_earlier_images(message, position), *calls), position)


def _content(content: Any, position: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content)
    elif isinstance(content, list):
        for at, part in enumerate(content):
            yield _part(part, f"{position}[{at}]")
    elif content is not None:
        raise BadRequest(f"{position} must be text or a list of parts.", code="invalid_content", param=position)


def _part(part: Any, position: str) -> Part:
    if isinstance(part, str):
        return Text(part)
    part = obj(part)
    media = read_media(part, position)
    if media is not None:
        return media
    if isinstance(part.get("text"), str):
        return Text(part["text"], part.get("cache_control"))
    if part.get("type") == "refusal":
        return Text(words(part.get("refusal")))
    if part.get("type") in ("thinking", "redacted_thinking"):
        return Thought(words(part.get("thinking")), words(part.get("signature")), words(part.get("data")))
    raise refuse(
        position,
        f"a part of type {part.get('type')!r} is not known here",
        "Known are text, image_url, input_audio, file and video_url, and the image parts of Anthropic and Gemini",
    )


def _thoughts(message: dict[str, Any]) -> Iterator[Thought]:
    """Reasoning given back as it was handed out: see `chat_answer`."""
    for one in items(message.get("reasoning_details")):
        one = obj(one)
        if words(one.get("text")) or words(one.get("data")):
            yield Thought(words(one.get("text")), words(one.get("signature")), words(one.get("data")))


def _earlier_images(message: dict[str, Any], position: str) -> Iterator[Media]:
    for at, image in enumerate(items(message.get("images"))):
        media = read_media(obj(image), f"{position}.images[{at}]")
        if media is not None:
            yield media


def _calls(message: dict[str, Any], position: str) -> Iterator[ToolCall]:
    for at, call in enumerate(items(message.get("tool_calls"))):
        call = obj(call)
        function = obj(call.get("function"))
        google = obj(obj(call.get("extra_content")).get("google"))
        yield ToolCall(
            words(call.get("id")),
            words(function.get("name")),
            words(function.get("arguments")) or "{}",
            words(google.get("thought_signature")),
            f"{position}.tool_calls[{at}]",
        )
    legacy = obj(message.get("function_call"))
    if legacy:
        name = words(legacy.get("name"))
        yield ToolCall(name, name, words(legacy.get("arguments")) or "{}", "", f"{position}.function_call")


def _tools(doc: dict[str, Any]) -> Iterator[Tool]:
    for at, tool in enumerate(items(doc.get("tools"))):
        tool = obj(tool)
        function = obj(tool.get("function"))
        if tool.get("type", "function") != "function" or not words(function.get("name")):
            raise refuse(
                f"tools[{at}]",
                f"a tool of type {tool.get('type')!r} cannot be sent to this provider",
                "Describe it as a function",
                code="unsupported_tool",
            )
        yield _tool(function, tool.get("cache_control"))
    for function in items(doc.get("functions")):
        yield _tool(obj(function), None)


def _tool(function: dict[str, Any], cache_control: Any) -> Tool:
    return Tool(
        words(function.get("name")),
        words(function.get("description")),
        obj(function.get("parameters")),
        function.get("strict"),
        cache_control,
    )


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, str):
        return choice
    choice = obj(choice)
    name = words(obj(choice.get("function")).get("name")) or words(choice.get("name"))
    if choice and not name:
        raise BadRequest(
            "tool_choice must be auto, none, required or a function by name.", code="unsupported_tool_choice"
        )
    return f"={name}" if name else ""


def _format(format: Any) -> Schema | None:
    kind = obj(format).get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return Schema()
    schema = obj(obj(format).get("json_schema"))
    if kind == "json_schema" and isinstance(schema.get("schema"), dict):
        return Schema(schema["schema"], words(schema.get("name")) or "answer", schema.get("strict"))
    raise BadRequest(
        "response_format must be of type text, json_object or json_schema with a schema.",
        code="invalid_response_format",
        param="response_format",
    )


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
    return Written(body | request.settings)


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
            yield _written_message(message)
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


def _written_message(message: Message) -> dict[str, Any]:
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


def parsed_arguments(call: ToolCall) -> dict[str, Any]:
    """A tool call's arguments, for the formats that want them as an object."""
    try:
        found = parsed_words(call.arguments or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise refuse(
            f"{call.position}.function.arguments",
            "this provider takes the arguments of a tool call as a JSON object, and these are not one",
            "Send back the arguments as the model wrote them",
            code="invalid_tool_arguments",
        )
    return found
