"""What was said, as the GenAI conventions write it: messages of parts, in JSON (open-telemetry/semantic-conventions-genai,
gen-ai-input-messages.json and gen-ai-output-messages.json). A picture is a link to where Loupe shows it, never its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.dialects.base import Part, Turn
from gateway.models import LogImage

Link = Callable[[LogImage], str]
ROLES = {"model": "assistant", "function": "tool", "developer": "system"}
# Where the paths of turns begin that are part of what was said; other systems stand beside it.
HISTORY = ("messages", "input", "contents")


def instructions(turns: Iterable[Turn]) -> str:
    """Those that stand beside the history, as with Anthropic's and Google's formats; empty where there are none."""
    parts = [_text(part) for turn in turns if _is_beside(turn) for part in turn.parts]
    return _json(parts) if parts else ""


def history(turns: Iterable[Turn], images: Sequence[LogImage], link: Link) -> str:
    """Everything that was asked, in order."""
    return _json([_message(turn, images, link) for turn in turns if not _is_beside(turn)])


def output(turns: Iterable[Turn], images: Sequence[LogImage], link: Link, finish_reason: str) -> str:
    """What the model answered, a message a choice."""
    return _json([_message(turn, images, link) | {"finish_reason": finish_reason or "unknown"} for turn in turns])


def _is_beside(turn: Turn) -> bool:
    return turn.role in ("system", "developer") and not turn.path.startswith(HISTORY)


def _message(turn: Turn, images: Sequence[LogImage], link: Link) -> dict[str, Any]:
    placed = {one.position: one for one in images}
    role = ROLES.get(turn.role, turn.role)
    return {"role": role, "parts": [_part(part, placed, link, role) for part in turn.parts]}


def _part(part: Part, placed: dict[str, LogImage], link: Link, role: str) -> dict[str, Any]:
    if part.kind in ("image", "file"):
        found = placed.get(part.position)
        return _file(found, link) if found else {"type": part.kind}
    if part.kind == "tool":
        return _call(part.text, is_result=role == "tool")
    if part.kind == "text" and role == "tool":
        return {"type": "tool_call_response", "response": part.text}
    return _text(part)


def _text(part: Part) -> dict[str, Any]:
    return {"type": part.kind if part.kind in ("text", "reasoning") else "json", "content": part.text}


def _call(text: str, *, is_result: bool) -> dict[str, Any]:
    """Readers write a call as its name and its arguments; the conventions want them apart."""
    name, _, given = text.partition(" ")
    try:
        value = json.loads(given)
    except (ValueError, RecursionError):
        value = given
    if is_result:
        return {"type": "tool_call_response", "name": name, "response": value}
    return {"type": "tool_call", "name": name, "arguments": value}


def _file(one: LogImage, link: Link) -> dict[str, Any]:
    found: dict[str, Any] = {"modality": _modality(one.media_type)}
    if one.media_type:
        found["mime_type"] = one.media_type
    if one.source == LogImage.Source.ID:
        return {"type": "file", **found, "file_id": one.url}
    return {"type": "uri", **found, "uri": link(one)}


def _modality(media_type: str) -> str:
    family = media_type.partition("/")[0] or "image"
    return family if family in ("image", "video", "audio") else "document"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
