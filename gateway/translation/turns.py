"""What the formats that are not chat have in common: system text apart, turns in alternation, settings by a table."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.content.json_text import parsed_words
from gateway.errors import BadRequest
from gateway.translation.neutral import (
    Media,
    Message,
    Part,
    Request,
    Schema,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Written,
    refuse,
)

PLAIN_ID, NOT_PLAIN = re.compile(r"[a-zA-Z0-9_-]{1,64}"), re.compile(r"[^a-zA-Z0-9_-]")

# Settings that only say what the answer looks like anyway.
HARMLESS = {"n": 1, "logprobs": False, "modalities": ["text"], "store": False, "top_logprobs": 0}
# Settings that only tune how OpenAI's own servers store and watch over calls.
OPENAI_ONLY = frozenset({"safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
# Settings that ask for something which the caller would miss in the answer.
FEATURES = {
    "n": "gives one answer a request; ask again for another",
    "logprobs": "gives no log probabilities",
    "top_logprobs": "gives no log probabilities",
    "modalities": "answers in text only",
    "audio": "answers in text only",
    "web_search_options": "is reached without OpenAI's web search; describe a tool instead",
}


# What the writers make of the messages; a setting of that name would take its place.
CONTENT = frozenset({"messages", "contents", "system", "systemInstruction", "system_instruction"})


AS_JSON = "Answer with one JSON object and with nothing else: no words around it, no Markdown."
# What says nothing that the answer could depend on.
IDLE_MEMBERS = frozenset(
    {"annotations", "logprobs", "status", "id", "index", "phase", "parsed", "provider_specific_fields"}
)


def split_system(request: Request) -> tuple[list[Text], list[Message]]:
    """The text of all system messages, and the other messages. A picture among the text is refused."""
    system: list[Text] = []
    others: list[Message] = []
    for message in request.messages:
        if message.role != "system":
            others.append(message)
            continue
        for part in message.parts:
            if not isinstance(part, Text):
                raise refuse(
                    getattr(part, "position", message.position),
                    "a system message can hold only text for this provider",
                    "Move the picture or file to a user message",
                )
            system += [part] if part.text.strip() else []
    return system, others


def signed(messages: list[Message], provider: str, warnings: list[str]) -> list[Message]:
    """Without the reasoning that its model did not sign: Claude refuses to have that back, and nothing else reads it."""
    kept: list[Message] = []
    for message in messages:
        parts = tuple(p for p in message.parts if not isinstance(p, Thought) or p.signature or p.sealed)
        if parts or not message.parts:
            kept.append(replace(message, parts=parts))
    if sum(len(message.parts) for message in kept) < sum(len(message.parts) for message in messages):
        warnings.append(f"reasoning: {provider} takes back only what has its signature; the rest was not sent")
    return kept


def merged(messages: list[Message]) -> list[tuple[str, list[Part]]]:
    """User and assistant in turn: neighbours of one role become one turn, results of tools are the user's.

    A message that says nothing is left out: no provider takes an empty turn.
    """
    turns: list[tuple[str, list[Part]]] = []
    for message in messages:
        if all(is_blank(part) for part in message.parts):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(message.parts)
        else:
            turns.append((role, list(message.parts)))
    return turns


def is_blank(part: Part) -> bool:
    """Text of nothing but white space, which providers refuse, beside a tool call too; with a signature it must go back."""
    return isinstance(part, Text) and not part.text.strip() and not part.signature


def has_tool_history(request: Request) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for message in request.messages for part in message.parts)


def plain_id(id: str) -> str:
    """A tool call's id in the alphabet and length that Anthropic and Bedrock take; different ids stay different."""
    if PLAIN_ID.fullmatch(id):
        return id
    return f"{NOT_PLAIN.sub('_', id)[:40]}_{hashlib.sha256(id.encode()).hexdigest()[:16]}"


def asked_for_json(schema: Schema) -> str:
    """The instruction for a model that has no mode for it."""
    if schema.schema is None:
        return AS_JSON
    return f"{AS_JSON} It must match this JSON schema: {json.dumps(schema.schema, ensure_ascii=False)}"


def warn_of_members(written: Written, request: Request, provider: str, takes: Collection[str] = ()) -> None:
    """Of what stood beside a message's or a part's own members, and has no place in this format."""
    for position, name in _members(request):
        if name not in takes and name not in IDLE_MEMBERS:
            written.warnings.append(f"{position}.{name}: {provider} has no place for it; it was not sent")


def _members(request: Request) -> Iterator[tuple[str, str]]:
    for message in request.messages:
        yield from ((message.position, name) for name in message.beside)
        for part in message.parts:
            for one in (part, *part.parts) if isinstance(part, ToolResult) else (part,):
                if isinstance(one, Text | Media | ToolCall):
                    yield from ((one.position or message.position, name) for name in one.beside)


def take_settings(
    written: Written,
    request: Request,
    *,
    provider: str,
    names: Mapping[str, str],
    no_place: frozenset[str],
    features: frozenset[str] = frozenset(),
    others: str = "",
) -> None:
    """Put each setting where the format wants it.

    Args:
        names: OpenAI's name to a dotted path in the body.
        no_place: settings that the format lacks and that only tune: left out, with a warning.
        features: of `FEATURES`, those that the format has after all and the caller handles.
        others: a dotted path for settings that nobody knows; empty is the body itself.

    Raises:
        BadRequest: a setting asks for something that this provider cannot do.
    """
    for name, value in request.settings.items():
        if value is None or name in features or HARMLESS.get(name, ...) == value:
            continue
        if name in names:
            put(written.body, names[name], value)
        elif name in FEATURES:
            raise BadRequest(f"{name}: {provider} {FEATURES[name]}.", code="unsupported_feature", param=name)
        elif name in CONTENT:
            raise BadRequest(
                f"{name}: this is written from messages; send it there.", code="ambiguous_body", param=name
            )
        elif name in no_place or name in OPENAI_ONLY:
            written.warnings.append(f"{name}: {provider} has no such setting; it was not sent")
        else:
            _set(_inner(written.body, others) if others else written.body, name, value)


def warn_of_parallel_tools(written: Written, request: Request, provider: str) -> None:
    if request.tools and request.parallel_tools is False:
        written.warnings.append(f"parallel_tool_calls: {provider} cannot be kept from calling several tools at once")


def warn_of_detail(written: Written, request: Request, provider: str) -> None:
    if any(media.detail not in ("", "auto") for media in request.media()):
        written.warnings.append(f"detail: {provider} sees every picture in its own resolution; it was not sent")


def warn_of_caching(written: Written, request: Request, provider: str) -> None:
    parts = [part for message in request.messages for part in message.parts]
    inner = [one for part in parts if isinstance(part, ToolResult) for one in part.parts]
    marked = any(getattr(part, "cache_control", None) for part in (*parts, *inner, *request.tools))
    if marked:
        written.warnings.append(f"cache_control: {provider} is told otherwise what to cache; it was not sent")


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a dotted path. Raises BadRequest when the caller's own settings have something else on the way."""
    *folders, name = path.split(".")
    for folder in folders:
        body = _inner(body, folder)
    _set(body, name, value)


def _inner(body: dict[str, Any], name: str) -> dict[str, Any]:
    inner = body.setdefault(name, {})
    if not isinstance(inner, dict):
        raise BadRequest(f"{name} must be an object.", code="invalid_setting", param=name)
    return inner


def _set(body: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, dict) and isinstance(body.get(name), dict):
        body[name] |= value
    else:
        body[name] = value


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
