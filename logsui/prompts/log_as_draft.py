"""A logged request as the draft of a prompt: its messages, tools and parameters as they were sent, and what cannot be kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from gateway.content.json_text import items, obj, parsed_or_none, words
from gateway.errors import BadRequest
from gateway.models import Payload, RequestLog
from gateway.recording import bodies
from gateway.translation import chat_written, responses_request
from logsui.request.conversation import Shown, read_conversation
from logsui.request.replay import model_of
from prompts.editor import drafts
from prompts.editor.drafts import Draft, Message, Part
from prompts.language.json_text import parsed

# A picture's token in the stored body, with the head of its data URL, and what stands for it on the way through a reader.
TOKEN = re.compile(r"(?:data:[^,\s]{0,200},)?sha256:([0-9a-f]{64})")
STAND_IN = re.compile(r"https://kept\.invalid/([0-9a-f]{64})")
BLANK_LINE = re.compile(r"[ \t]*\r?\n")
DELIMITERS = (("<%", "%>"), ("[[", "]]"), ("<<", ">>"), ("((", "))"), ("@@", "@@"))
# How the editor itself calls: it streams, and says so.
OF_THE_CALL = ("messages", "model", "stream", "stream_options")


@dataclass(slots=True)
class Opened:
    """A draft, and the names of what was left out of it."""

    draft: Draft
    left_out: list[str] = field(default_factory=list)


def opened(log: RequestLog, payload: Payload) -> Opened:
    document = parsed_or_none(bodies.request_text(payload))
    if log.endpoint == "chat/completions" and items(obj(document).get("messages")):
        return _of_chat(log, obj(document))
    if log.endpoint == "responses" and isinstance(document, dict):
        try:
            return _of_responses(log, document)
        except BadRequest as error:
            found = _as_it_reads(log, payload)
            found.left_out.append(str(error))
            return found
    return _as_it_reads(log, payload)


def _of_chat(log: RequestLog, document: dict[str, Any]) -> Opened:
    messages = [_kept(message) for message in document["messages"] if isinstance(message, dict) and message.get("role")]
    left_out = [f"message {at + 1}" for at, one in enumerate(document["messages"]) if not obj(one).get("role")]
    parameters = {name: value for name, value in document.items() if name not in OF_THE_CALL and value is not None}
    return Opened(_draft(log, messages, parameters), left_out)


def _of_responses(log: RequestLog, document: dict[str, Any]) -> Opened:
    """In chat's form, which prompts have. Raises BadRequest where chat has no form for it."""
    plain = json.loads(TOKEN.sub(r"https://kept.invalid/\1", json.dumps(document)))
    request = responses_request.read(plain, model_of(log))
    written = chat_written.write(request)
    messages = json.loads(STAND_IN.sub(r"loupe:sha256:\1", json.dumps(written.body["messages"])))
    parameters = {name: value for name, value in written.body.items() if name not in OF_THE_CALL}
    return Opened(_draft(log, [_kept(one) for one in messages], parameters), [*request.warnings, *written.warnings])


def _draft(log: RequestLog, messages: list[dict[str, Any]], parameters: dict[str, Any]) -> Draft:
    text = json.dumps(messages, ensure_ascii=False)
    return drafts.from_content(text, is_raw=False, model=model_of(log), parameters=parameters, examples={})


def _kept(value: Any) -> Any:
    """With each picture by its hash, and braces that are text as text."""
    if isinstance(value, dict):
        return {name: _kept(one) for name, one in value.items()}
    if isinstance(value, list):
        return [{"type": "text", "text": escaped(one)} if isinstance(one, str) else _kept(one) for one in value]
    if not isinstance(value, str):
        return value
    picture = TOKEN.fullmatch(value)
    return f"loupe:sha256:{picture[1]}" if picture else escaped(value)


def escaped(text: str) -> str:
    """A text in which nothing is a tag: other delimiters, which it does not hold, are set in front of it.

    A tag alone on its line takes the line along, so before a text whose first line is blank it gets a line of its own.
    """
    if "{{" not in text:
        return text
    pair = next(((left, right) for left, right in DELIMITERS if left not in text), None)
    line = "\n" if BLANK_LINE.match(text) else ""
    return "{{=" + f"{pair[0]} {pair[1]}" + "=}}" + line + text if pair else text.replace("{{", "{ {")


def _as_it_reads(log: RequestLog, payload: Payload) -> Opened:
    """Of the vendors' own formats: the words and pictures of each turn."""
    conversation = read_conversation(log, payload)
    messages = [Message(turn.role, [_part(part) for part in turn.parts]) for turn in conversation.input]
    known = {name: _read(text) for name, text in conversation.settings if name in drafts.PARAMETERS}
    left_out = [name for name, _ in conversation.settings if name not in (*drafts.PARAMETERS, *OF_THE_CALL)]
    if any(part.kind == "code" for turn in conversation.input for part in turn.parts):
        left_out.append("tool calls and results, which stand here as text")
    return Opened(Draft(messages=messages, model=model_of(log), parameters=known), left_out)


def _part(part: Shown) -> Part:
    """A picture that is kept is named by its hash; one that is not, by its link."""
    if part.image is None:
        return Part("text", text=escaped(part.text))
    url = f"loupe:sha256:{part.image.image_id}" if part.image.image_id else part.image.url
    return Part("image", url=url, detail=part.image.detail)


def _read(text: str) -> Any:
    try:
        return parsed(text)
    except ValueError:
        return words(text)
