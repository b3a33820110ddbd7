"""The few fields of a body that the gateway acts on, whatever is asked: model, stream, user."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from gateway.content import multipart
from gateway.content.json_edit import Edit, Path, edits_for
from gateway.content.json_text import TooManyValues, parse
from gateway.content.plain_text import clean_text
from gateway.errors import BadRequest

HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
LONGEST_FIELD = 1000
ASK_FOR_USAGE = '{"include_usage":true}'


class Head(msgspec.Struct):
    """The fields by name; msgspec passes over the rest of the body without building it."""

    model: str | None = None
    stream: bool | None = None
    user: Any = None
    prompt: Any = None
    stream_options: Any = None
    models: Any = None

    @property
    def fallbacks(self) -> list[str]:
        """OpenRouter's: which models are asked when the first does not answer."""
        return [one for one in self.models if isinstance(one, str)] if isinstance(self.models, list) else []

    @property
    def user_name(self) -> str:
        return clean_text(self.user, 1024) if isinstance(self.user, str) else ""


def head_of_json(body: bytes) -> Head:
    """Raises BadRequest."""
    try:
        head = msgspec.json.decode(body, type=Head)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body is JSON, but {_lower_first(str(error))}.", code="invalid_body") from None
    except (msgspec.DecodeError, RecursionError):
        head = _read_slowly(body)
    if clean_text(head.model or "", 200) != (head.model or ""):
        raise BadRequest("The model's name is too long or holds characters that no name has.", code="invalid_model")
    return head


def head_of_form(body: bytes, boundary: bytes) -> Head:
    """Raises BadRequest when it names two models, of which a provider might take the other one."""
    found = list(multipart.parts(body, boundary))
    if sum(part.name == "model" for part in found) > 1:
        raise BadRequest("The form has more than one field model.", code="invalid_model", param="model")
    fields = {
        part.name: body[part.start : part.end]
        for part in found
        if part.filename is None and part.end - part.start < LONGEST_FIELD
    }
    model = clean_text(fields.get("model", b"").decode("utf-8", "replace"), 200)
    return Head(model, fields.get("stream") == b"true")


def usage_edits(body: bytes) -> list[Edit]:
    """Have a chat stream's tokens counted. Raises ValueError for a body that is no JSON."""
    if b'"stream_options"' in body and (found := edits_for(body, parse(body), "stream_options", _asking_for_usage)):
        return found
    brace = body.find(b"{") + 1
    return [(brace, brace, f'"stream_options":{ASK_FOR_USAGE},')]


def _asking_for_usage(path: Path, _: str) -> Callable[[str], str] | None:
    return (lambda _: ASK_FOR_USAGE) if path == () else None


def _read_slowly(body: bytes) -> Head:
    """For what msgspec does not take: odd but valid JSON passes, everything else is refused with the reason."""
    try:
        return msgspec.convert({k: v for k, v in parse(body).items() if k in Head.__struct_fields__}, Head)
    except TooManyValues:
        return _read_without_halves(body)
    except (ValueError, AttributeError) as error:
        raise BadRequest(f"The body is not a JSON object: {str(error).rstrip('.')}.", code="invalid_json") from None


def _read_without_halves(body: bytes) -> Head:
    """Of a body that is too large to be parsed and holds halves of characters, which msgspec takes not."""
    try:
        return msgspec.json.decode(HALF_CHARACTER.sub(b"\\\\ufffd", body), type=Head)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not a JSON object: {error}.", code="invalid_json") from None


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
