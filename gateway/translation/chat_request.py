"""OpenAI chat requests: read into the neutral form, and written for a chat provider (OpenAI API reference, chat/create)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.content.json_text import encoded, items, obj, words
from gateway.errors import BadRequest
from gateway.translation.media import members_beside, read_media, signature_of
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

MEMBERS = frozenset(
    [
        "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "reasoning_content",
        "reasoning", "reasoning_details", "images", "content_blocks", "cache_control", "extra_content", "thinking_blocks",
    ]
)  # fmt: skip
TEXT_MEMBERS = frozenset({"type", "text", "cache_control", "thoughtSignature", "extra_content"})
CALL_MEMBERS = frozenset({"id", "type", "function", "index", "cache_control", "extra_content", "thoughtSignature"})


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
    beside = members_beside(message, MEMBERS)
    if role == "tool":
        id = words(message.get("tool_call_id")) or _legacy_id(words(message.get("name")), names)
        name = words(message.get("name")) or names.get(id, "")
        inner = tuple(part for part in content if isinstance(part, Text | Media))
        return Message(
            role, (ToolResult(id, name, inner, cache_control=message.get("cache_control")),), position, beside
        )
    if role != "assistant":
        return _marked(Message(role, content, position, beside), message)
    if words(message.get("refusal")):
        content = (*content, Text(message["refusal"]))
    calls = tuple(_calls(message, position, names))
    names.update({call.id: call.name for call in calls})
    parts = (*_thoughts(message), *content, *_earlier_images(message, position), *calls)
    return _marked(Message(role, parts, position, beside), message)


def _marked(message: Message, given: dict[str, Any]) -> Message:
    """A mark for the cache on a whole message (LiteLLM's form) is one on its last part."""
    marked = [at for at, part in enumerate(message.parts) if isinstance(part, Text | Media | ToolCall)]
    if not given.get("cache_control") or not marked:
        return message
    parts = list(message.parts)
    parts[marked[-1]] = replace(parts[marked[-1]], cache_control=given["cache_control"])
    return replace(message, parts=tuple(parts))


def _legacy_id(name: str, names: dict[str, str]) -> str:
    """The last call of a function, for a result that only names it: `role: function`."""
    return next((id for id, known in reversed(names.items()) if known == name), name)


def _content(content: Any, position: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content, position=position)
    elif isinstance(content, list):
        for at, part in enumerate(content):
            yield from _part(part, f"{position}[{at}]")
    elif content is not None:
        raise BadRequest(f"{position} must be text or a list of parts.", code="invalid_content", param=position)


def _part(part: Any, position: str) -> Iterator[Part]:
    if isinstance(part, str):
        yield Text(part, position=position)
        return
    part = obj(part)
    media = read_media(part, position)
    if media is not None:
        yield media
    elif isinstance(part.get("text"), str):
        beside = members_beside(part, TEXT_MEMBERS)
        yield Text(part["text"], part.get("cache_control"), signature_of(part), beside, position)
    elif part.get("type") == "refusal":
        yield Text(words(part.get("refusal")), position=position)
    elif part.get("type") in ("thinking", "redacted_thinking"):
        yield from _thinking(part)
    else:
        raise _unknown_part(part, position)


def _thinking(part: dict[str, Any]) -> Iterator[Thought]:
    """Anthropic's block, or Mistral's, whose `thinking` is a list of texts."""
    text = part.get("thinking")
    if isinstance(text, list):
        text = "".join(words(obj(one).get("text")) for one in text)
    yield Thought(words(text), words(part.get("signature")), words(part.get("data")))


def _unknown_part(part: dict[str, Any], position: str) -> BadRequest:
    if part.get("type") in ("file", "input_file", "image", "document", "image_url", "input_audio", "video_url"):
        reason = f"the part of type {part['type']!r} holds nothing under that name"
    else:
        reason = f"a part of type {part.get('type')!r} is not known here"
    return refuse(
        position,
        reason,
        "Known are text, image_url, input_audio, file and video_url, and the image parts of Anthropic and Gemini",
    )


def _thoughts(message: dict[str, Any]) -> Iterator[Thought]:
    """Reasoning given back as it was handed out: see `chat_answer`; where only its words came back, those."""
    found = False
    for one in items(message.get("reasoning_details")):
        one = obj(one)
        text = words(one.get("text")) or words(one.get("summary"))
        if text or words(one.get("data")):
            found = True
            yield Thought(text, words(one.get("signature")), words(one.get("data")))
    text = words(message.get("reasoning_content")) or words(message.get("reasoning"))
    if text and not found:
        yield Thought(text)


def _earlier_images(message: dict[str, Any], position: str) -> Iterator[Media]:
    for at, image in enumerate(items(message.get("images"))):
        media = read_media(obj(image), f"{position}.images[{at}]")
        if media is not None:
            yield media


def _calls(message: dict[str, Any], position: str, names: dict[str, str]) -> Iterator[ToolCall]:
    for at, call in enumerate(items(message.get("tool_calls"))):
        call, place = obj(call), f"{position}.tool_calls[{at}]"
        function = obj(call.get("function"))
        yield ToolCall(
            words(call.get("id")),
            words(function.get("name")),
            arguments_of(function.get("arguments"), f"{place}.function.arguments"),
            signature_of(call) or signature_of(function),
            place,
            call.get("cache_control"),
            members_beside(call, CALL_MEMBERS),
        )
    legacy = obj(message.get("function_call"))
    if legacy:
        name, place = words(legacy.get("name")), f"{position}.function_call"
        earlier = sum(known == name for known in names.values())
        id = f"{name}_{earlier + 1}" if earlier else name
        yield ToolCall(id, name, arguments_of(legacy.get("arguments"), f"{place}.arguments"), "", place)


def arguments_of(given: Any, position: str) -> str:
    """The arguments of a call as JSON text; some clients send the object itself."""
    if given is None or isinstance(given, str):
        return given or "{}"
    if isinstance(given, dict):
        return encoded(given).decode()
    raise refuse(
        position,
        "the arguments of a tool call must be JSON text, or an object",
        "Send back the arguments as the model wrote them",
        code="invalid_tool_arguments",
    )


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
