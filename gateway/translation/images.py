"""OpenAI's Images endpoints for providers that draw through their chat: Gemini's image models, and Imagen's `predict`.

Source: OpenAI API reference, images; ai.google.dev, image generation and Imagen.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from gateway.content import multipart
from gateway.content.json_text import items, obj, words
from gateway.content.openai_fields import Usage
from gateway.errors import BadRequest
from gateway.translation.media import from_base64, from_text, read_media
from gateway.translation.neutral import (
    AnswerReader,
    Event,
    Events,
    ImageDelta,
    Media,
    Message,
    Part,
    Request,
    Start,
    Text,
    UsageDelta,
    Written,
)

ASPECTS = {
    "1024x1024": "1:1", "512x512": "1:1", "256x256": "1:1", "1536x1024": "3:2", "1024x1536": "2:3", "1792x1024": "16:9",
    "1024x1792": "9:16",
}  # fmt: skip
FIELDS = frozenset(["model", "prompt", "image", "images", "mask", "size", "n", "stream", "response_format", "user"])


def form(body: bytes, boundary: bytes) -> dict[str, Any]:
    """A multipart request as the JSON one it stands for: text fields by name, files under `image`."""
    document: dict[str, Any] = {"image": []}
    for part in multipart.parts(body, boundary):
        content = body[part.start : part.end]
        if part.filename is None:
            document[part.name] = content.decode("utf-8", "replace")
        elif part.name == "mask":
            document["mask"] = part.name
        else:
            document["image"].append(base64.b64encode(content).decode())
    return document


def read(doc: Any, model: str) -> Request:
    """A drawing or editing request as a chat message with its pictures.

    Raises:
        BadRequest: no prompt, or something that only OpenAI's own models do.
    """
    doc = obj(doc)
    prompt = words(doc.get("prompt"))
    if not prompt:
        raise BadRequest("prompt is missing: say what to draw.", code="missing_prompt", param="prompt")
    if doc.get("stream") in (True, "true"):
        raise BadRequest("stream: this provider sends a picture whole.", code="unsupported_feature", param="stream")
    if doc.get("mask"):
        raise BadRequest(
            "mask: this provider takes none. Say in the prompt what is to change.",
            code="unsupported_feature",
            param="mask",
        )
    parts: list[Part] = [Text(prompt), *_pictures(doc)]
    settings = {key: value for key, value in doc.items() if key not in FIELDS and value not in (None, "auto")}
    settings |= {"modalities": ["text", "image"], "n": _count(doc.get("n"))}
    size = words(doc.get("size"))
    if size and size != "auto":
        settings["image_config"] = {"aspect_ratio": _aspect(size)}
    wants_link = doc.get("response_format") == "url"
    warnings = ["response_format: this provider gives no links; the pictures come as b64_json"] if wants_link else []
    return Request(model, (Message("user", tuple(parts), "prompt"),), settings=settings, warnings=warnings)


def _pictures(doc: dict[str, Any]) -> Iterator[Media]:
    given = doc.get("image")
    for at, one in enumerate([given] if isinstance(given, str) else items(given)):
        if not isinstance(one, str):
            raise BadRequest(f"image[{at}] is no text.", code="invalid_image", param=f"image[{at}]")
        yield from_text(one, f"image[{at}]") if one.startswith(("data:", "http")) else from_base64(one, f"image[{at}]")
    for at, one in enumerate(items(doc.get("images"))):
        media = read_media(obj(one), f"images[{at}]")
        if media is None:
            raise BadRequest(f"images[{at}] is no picture.", code="invalid_image", param=f"images[{at}]")
        yield media


def _count(value: Any) -> int:
    if value in (None, ""):
        return 1
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise BadRequest("n must be a number.", code="invalid_n", param="n") from None


def _aspect(size: str) -> str:
    if size not in ASPECTS:
        raise BadRequest(
            f"size {size!r} is not known here; known are {', '.join(ASPECTS)}.", code="invalid_size", param="size"
        )
    return ASPECTS[size]


class Writer:
    """The Images answer: the pictures as base64, in the order in which they came."""

    def __init__(self, *, created: int) -> None:
        self.created = created

    def whole(self, events: Events) -> dict[str, Any]:
        found = list(events)
        usage = next((event.usage for event in found if isinstance(event, UsageDelta)), Usage())
        data = [{"b64_json": event.base64} for event in found if isinstance(event, ImageDelta)]
        return {"created": self.created, "data": data, "usage": usage_document(usage)}


def usage_document(usage: Usage) -> dict[str, Any]:
    prompt, completion = usage.prompt or 0, usage.completion or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"image_tokens": usage.image_in or 0, "text_tokens": usage.text_in or 0},
        "output_tokens": completion,
        "output_tokens_details": {"image_tokens": usage.image_out or 0, "text_tokens": usage.text_out or 0},
        "total_tokens": usage.total if usage.total is not None else prompt + completion,
    }


def write_imagen(request: Request) -> Written:
    """Imagen's `predict` body: a prompt, and how many pictures in which shape."""
    texts = [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]
    pictures = list(request.media())
    if pictures:
        raise BadRequest(
            f"{pictures[0].position}: Imagen draws from words alone. Use a Gemini image model to edit pictures.",
            code="unsupported_part",
            param=pictures[0].position,
        )
    parameters: dict[str, Any] = {"sampleCount": request.settings.get("n", 1)}
    shape = obj(request.settings.get("image_config")).get("aspect_ratio")
    if shape:
        parameters["aspectRatio"] = shape
    written = Written({"instances": [{"prompt": "\n".join(texts)}], "parameters": parameters})
    used = ("n", "image_config", "modalities")
    written.warnings += [
        f"{name}: Imagen has no such setting; it was not sent" for name in request.settings if name not in used
    ]
    return written


class ImagenReader(AnswerReader):
    """The predictions of an Imagen answer."""

    def whole(self, doc: Any) -> Iterator[Event]:
        yield Start()
        for one in items(obj(doc).get("predictions")):
            if words(obj(one).get("bytesBase64Encoded")):
                yield ImageDelta(words(one.get("mimeType")) or "image/png", one["bytesBase64Encoded"])

    def event(self, doc: Any) -> Iterator[Event]:
        self.finished = True
        yield from self.whole(doc)
