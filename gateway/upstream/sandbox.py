"""`@sandbox/vision`: a provider inside Loupe that needs no account. It tells what it received; it is not a model.

For every picture it answers format, size, bytes, hash, main colours and how the picture was given, so that "what does the
provider see?" has an answer without a provider. It can stream, and it draws a picture when one is asked for.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec

from gateway.content.cutting import Cutting, Find, cut
from gateway.content.json_text import items, obj, parse, words
from gateway.content.multipart import boundary_of, parts
from gateway.dialects import CHAT
from gateway.dialects.base import text_of
from gateway.errors import error_body
from gateway.network.request_head import HeaderList
from gateway.pictures.decoder import QUICK_SECONDS, DecodeFailed, Decoder

MODELS = ("vision", "draw")
JSON: HeaderList = [("content-type", "application/json")]
EVENTS: HeaderList = [("content-type", "text/event-stream")]
WORDS_A_SECOND = 120
THREADS = 4
T = TypeVar("T")


class Canned:
    """A reply that is made here: pieces of a body, from memory."""

    def __init__(self, status: int, headers: HeaderList, pieces: AsyncIterator[bytes] | bytes) -> None:
        self.status, self.headers = status, headers
        self.pieces = pieces
        self.finished = False

    async def read(self) -> bytes:
        if isinstance(self.pieces, bytes):
            self.finished = True
            return self.pieces
        try:
            return await anext(self.pieces)
        except StopAsyncIteration:
            self.finished = True
            return b""

    def abort(self) -> None:
        self.finished = True


class Sandbox:
    """Answers chat, images and models in OpenAI's dialect."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.threads = ThreadPoolExecutor(THREADS, "sandbox")  # whatever takes long here holds up the sandbox only

    async def send(
        self, method: str, url: str, headers: HeaderList, body: bytes, *, timeout: float | None = None
    ) -> Canned:
        try:
            return await self._answer(url.partition("?")[0], headers, body)
        except ValueError as error:
            message = f"The sandbox could not read the body: {error}."
            return Canned(
                400, JSON, error_body(message, type="invalid_request_error", code="invalid_json", provider="sandbox")
            )

    async def _answer(self, endpoint: str, headers: HeaderList, body: bytes) -> Canned:
        if endpoint == "/chat/completions":
            return await self._chat(body)
        if endpoint.startswith("/images/"):
            return await self._images(body, dict(headers).get("content-type", ""))
        if endpoint == "/models" or endpoint.startswith("/models/"):
            return _models(endpoint.removeprefix("/models").strip("/"))
        message = f"The sandbox answers /v1/chat/completions, /v1/images/* and /v1/models, not /v1{endpoint}."
        return Canned(
            404,
            JSON,
            error_body(message, type="invalid_request_error", code="not_in_sandbox", provider="sandbox"),
        )

    async def _chat(self, body: bytes) -> Canned:
        doc = obj(parse(body))
        cutting = await self._in_thread(cut, body)
        said, picture = await self._look(cutting, doc)
        base = {
            "id": f"chatcmpl-sandbox-{time.time_ns():x}",
            "created": int(time.time()),
            "model": "sandbox/vision",
        }
        usage = _usage(cutting, said)
        if doc.get("stream") is True:
            include = obj(doc.get("stream_options")).get("include_usage") is True
            return Canned(200, EVENTS, _stream(base, said, picture, usage if include else None))
        message: dict[str, Any] = {"role": "assistant", "content": said}
        if picture:
            message["images"] = [_image_part(picture)]
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}
        return Canned(200, JSON, msgspec.json.encode(answer))

    async def _in_thread(self, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *given)

    async def _look(self, cutting: Cutting, doc: dict[str, Any]) -> tuple[str, bytes]:
        """What to say about the request, and the picture to send back, if one is asked for."""
        finds = cutting.finds
        lines = [await self._describe(number, find) for number, find in enumerate(finds, 1)]
        links = _links(doc)
        lines += [
            f"Link {number}: {link[:200]} (the sandbox does not open links)." for number, link in enumerate(links, 1)
        ]
        question = text_of(CHAT.read_question(doc).turns, "user")
        count = len(finds) + len(links)
        head = f"This is Loupe's sandbox, not a model. It received {count} picture{'' if count == 1 else 's'}"
        head += f" with the words “{question[:200]}”." if question else " and no words."
        picture = b""
        if "image" in items(doc.get("modalities")):
            picture = await self._in_thread(self.decoder.draw, question or "sandbox", 512, 384)
        return "\n".join([head, *lines]), picture

    async def _describe(self, number: int, find: Find) -> str:
        if not find.data:
            return f"Picture {number}: {find.problem}."
        kind = find.sniffed.media_type if find.sniffed else "not a picture"
        facts = [kind, f"{len(find.data):,} bytes", f"sha256 {find.sha256[:12]}"]
        if find.declared and find.sniffed and find.declared != find.sniffed.media_type:
            facts.append(f"declared as {find.declared}")
        try:
            seen = await self._in_thread(partial(self.decoder.look, seconds=QUICK_SECONDS), find.data)
            facts.insert(1, f"{seen.width} × {seen.height} px")
            facts.append("colours " + ", ".join(seen.colours))
            if seen.orientation and seen.orientation != 1:
                facts.append(f"stored turned (EXIF orientation {seen.orientation})")
        except DecodeFailed as error:
            facts.append(f"not decoded: {error}")
        return f"Picture {number}: {', '.join(facts)}. Forwarded unchanged."

    async def _images(self, body: bytes, content_type: str) -> Canned:
        boundary = boundary_of(content_type)
        if boundary:
            fields = {part.name: body[part.start : part.end] for part in parts(body, boundary) if part.filename is None}
            prompt = fields.get("prompt", b"").decode("utf-8", "replace")
        else:
            prompt = words(obj(parse(body)).get("prompt"))
        picture = await self._in_thread(self.decoder.draw, prompt or "sandbox", 512, 384)
        data = [{"b64_json": base64.b64encode(picture).decode(), "revised_prompt": prompt}]
        return Canned(200, JSON, msgspec.json.encode({"created": int(time.time()), "data": data}))


async def _stream(
    base: dict[str, Any], said: str, picture: bytes, usage: dict[str, int] | None
) -> AsyncIterator[bytes]:
    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {**base, "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"

    yield event({"role": "assistant", "content": ""})
    for word in said.split(" "):
        yield event({"content": f"{word} "})
        await asyncio.sleep(1 / WORDS_A_SECOND)
    if picture:
        yield event({"images": [_image_part(picture)]})
    yield event({}, "stop")
    if usage:
        chunk = {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}
        yield b"data: " + msgspec.json.encode(chunk) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _image_part(picture: bytes) -> dict[str, Any]:
    url = "data:image/png;base64," + base64.b64encode(picture).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def _links(doc: dict[str, Any]) -> list[str]:
    turns = CHAT.read_question(doc).turns
    found = [part.text for turn in turns for part in turn.parts if part.kind == "image"]
    return [text for text in found if text.lower().startswith(("http://", "https://"))]


def _usage(cutting: Cutting, said: str) -> dict[str, int]:
    """Rough counts, four characters a token: the sandbox has no tokenizer."""
    prompt, completion = max(1, len(cutting.text) // 4), max(1, len(said) // 4)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _models(id: str) -> Canned:
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "loupe-sandbox"} for name in MODELS]
    if not id:
        return Canned(200, JSON, msgspec.json.encode({"object": "list", "data": listed}))
    found = next((model for model in listed if model["id"] == id), None)
    if found is None:
        message = f"The sandbox has no model {id!r}; it has {', '.join(MODELS)}."
        return Canned(
            404,
            JSON,
            error_body(message, type="invalid_request_error", code="model_not_found", provider="sandbox"),
        )
    return Canned(200, JSON, json.dumps(found).encode())
