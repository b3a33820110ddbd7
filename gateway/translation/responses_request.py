"""OpenAI Responses requests, read into the neutral form (OpenAI API reference, responses/create)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.content.json_text import items, obj, words
from gateway.errors import BadRequest
from gateway.translation.chat_request import ROLES, arguments_of
from gateway.translation.media import members_beside, read_media, signature_of
from gateway.translation.neutral import (
    Media,
    Message,
    Part,
    Request,
    Schema,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    refuse,
)
from gateway.translation.responses_answer import SEALED

FIELDS = frozenset(
    [
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "text",
        "reasoning",
        "stream",
        "stream_options",
        "max_output_tokens",
        "max_tool_calls",
        "include",
        "truncation",
        "background",
    ]
)
# What only OpenAI's own servers can do, because the state is there.
SERVER_STATE = {
    "previous_response_id": "an earlier answer is known only to the provider that gave it",
    "conversation": "a stored conversation is known only to the provider that holds it",
    "prompt": "a stored prompt is known only to the provider that holds it",
}

MEMBERS = frozenset(
    [
        "type", "role", "content", "id", "status", "call_id", "name", "arguments", "output", "extra_content", "cache_control",
        "phase",
    ]
)  # fmt: skip
PART_MEMBERS = frozenset({"type", "text", "refusal", "annotations", "logprobs", "cache_control", "extra_content"})


def read(doc: Any, model: str) -> Request:
    """The neutral request of a Responses body.

    Raises:
        BadRequest: an item, part or tool that cannot be understood, or needs the provider's own state; names it.
    """
    doc = obj(doc)
    for name, reason in SERVER_STATE.items():
        if doc.get(name):
            raise BadRequest(f"{name}: {reason}. Send the whole input.", code="unsupported_feature", param=name)
    if doc.get("background") is True:
        raise BadRequest(
            "background: only OpenAI's own servers answer later.", code="unsupported_feature", param="background"
        )
    messages = list(_messages(doc))
    if not messages:
        raise BadRequest("input must be text or a list of items.", code="invalid_input", param="input")
    return Request(
        model=model,
        messages=tuple(messages),
        tools=tuple(_tool(tool, f"tools[{at}]") for at, tool in enumerate(items(doc.get("tools")))),
        tool_choice=_tool_choice(doc.get("tool_choice")),
        parallel_tools=doc.get("parallel_tool_calls"),
        format=_format(obj(doc.get("text")).get("format")),
        stream=doc.get("stream") is True,
        include_usage=True,
        settings=_settings(doc),
        warnings=list(_left_out(doc)),
    )


def _left_out(doc: dict[str, Any]) -> Iterator[str]:
    for name in ("include", "max_tool_calls", "truncation"):
        if doc.get(name) not in (None, [], "disabled"):
            yield f"{name}: only OpenAI's own servers do this; it was not sent"
    for name in ("summary", "generate_summary"):
        if obj(doc.get("reasoning")).get(name):
            yield f"reasoning.{name}: reasoning comes as this provider gives it; it was not sent"


def _settings(doc: dict[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in doc.items() if key not in FIELDS and value is not None}
    settings.pop("store", None)  # the log is the store
    if doc.get("max_output_tokens") is not None:
        settings["max_tokens"] = doc["max_output_tokens"]
    effort = obj(doc.get("reasoning")).get("effort")
    if effort:
        settings["reasoning_effort"] = effort
    if obj(doc.get("text")).get("verbosity"):
        settings["verbosity"] = doc["text"]["verbosity"]
    return settings


def _messages(doc: dict[str, Any]) -> Iterator[Message]:
    if words(doc.get("instructions")):
        yield Message("system", (Text(doc["instructions"]),), "instructions")
    given = doc.get("input")
    if isinstance(given, str):
        yield Message("user", (Text(given),), "input")
    names: dict[str, str] = {}
    for at, item in enumerate(items(given)):
        yield _item(obj(item), f"input[{at}]", names)


def _item(item: dict[str, Any], position: str, names: dict[str, str]) -> Message:
    kind = item.get("type", "message")
    if kind == "message":
        role = ROLES.get(words(item.get("role")))
        if role is None:
            raise BadRequest(f"{position}.role is {item.get('role')!r}.", code="invalid_role", param=f"{position}.role")
        parts = list(_content(item.get("content"), f"{position}.content"))
        if signature_of(item) and parts and isinstance(parts[-1], Text):
            parts[-1] = replace(parts[-1], signature=signature_of(item))
        return Message(role, tuple(parts), position, members_beside(item, MEMBERS))
    if kind == "function_call":
        id, name = words(item.get("call_id")), words(item.get("name"))
        names[id] = name
        arguments = arguments_of(item.get("arguments"), f"{position}.arguments")
        call = ToolCall(id, name, arguments, signature_of(item), position, item.get("cache_control"))
        return Message("assistant", (call,), position, members_beside(item, MEMBERS))
    if kind == "function_call_output":
        id = words(item.get("call_id"))
        inner = tuple(
            part for part in _content(item.get("output"), f"{position}.output") if isinstance(part, Text | Media)
        )
        return Message("tool", (ToolResult(id, names.get(id, ""), inner),), position, members_beside(item, MEMBERS))
    if kind == "reasoning":
        return Message("assistant", tuple(_thoughts(item)), position)
    if kind == "image_generation_call" and isinstance(item.get("result"), str):
        media = read_media({"type": "image", "data": item["result"], "thoughtSignature": signature_of(item)}, position)
        return Message("assistant", (media,) if media else (), position)
    raise refuse(
        position, f"an item of type {kind!r} cannot be sent to this provider", "Leave it out", code="unsupported_item"
    )


def _thoughts(item: dict[str, Any]) -> Iterator[Thought]:
    """With what its vendor wants back, which stands where OpenAI's own servers put theirs (see `responses_answer`)."""
    sealed = words(item.get("encrypted_content"))
    texts = [words(obj(part).get("text")) for part in (*items(item.get("summary")), *items(item.get("content")))]
    if sealed.startswith(SEALED):
        yield Thought(sealed=sealed.removeprefix(SEALED))
    elif sealed or any(texts):
        yield Thought("".join(texts), sealed)


def _content(content: Any, position: str) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(content, position=position)
    for at, part in enumerate(items(content)):
        part = obj(part)
        media = read_media(part, f"{position}[{at}]")
        if media is not None:
            yield media
        elif isinstance(part.get("text"), str) or part.get("type") == "refusal":
            text = words(part.get("text")) or words(part.get("refusal"))
            beside = members_beside(part, PART_MEMBERS)
            yield Text(text, part.get("cache_control"), position=f"{position}[{at}]", beside=beside)
        else:
            raise refuse(
                f"{position}[{at}]",
                f"a part of type {part.get('type')!r} is not known here",
                "Known are input_text, input_image and input_file",
            )


def _tool(tool: Any, position: str) -> Tool:
    tool = obj(tool)
    if tool.get("type") != "function" or not words(tool.get("name")):
        raise refuse(
            position,
            f"the tool {tool.get('type')!r} runs on OpenAI's own servers",
            "Describe it as a function, or call OpenAI",
            code="unsupported_tool",
        )
    return Tool(tool["name"], words(tool.get("description")), obj(tool.get("parameters")), tool.get("strict"))


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, str):
        return choice
    name = words(obj(choice).get("name"))
    if choice and not name:
        raise BadRequest(
            "tool_choice must be auto, none, required or a function by name.",
            code="unsupported_tool_choice",
            param="tool_choice",
        )
    return f"={name}" if name else ""


def _format(format: Any) -> Schema | None:
    kind = obj(format).get("type", "text")
    if kind == "json_object":
        return Schema()
    if kind == "json_schema":
        format = obj(format)
        return Schema(obj(format.get("schema")), words(format.get("name")) or "answer", format.get("strict"))
    return None
