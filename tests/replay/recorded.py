"""Recorded exchanges with providers, and what they say, read without any of Loupe's own readers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from botocore.eventstream import EventStreamBuffer

from tests.fake_upstream import Script, raw

MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")
URL_SAFE = str.maketrans("-_", "+/")  # Google's own SDK writes this alphabet
LINK_KEYS = ("url", "image_url", "fileUri", "file_uri")


@dataclass
class Said:
    """What an answer says: its visible text, its tool calls, its pictures by hash, its token counts."""

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    prompt: int | None = None
    completion: int | None = None


@dataclass(frozen=True)
class Recording:
    name: str
    provider: str
    exchange: dict[str, Any]

    @property
    def url(self) -> SplitResult:
        return urlsplit(self.exchange["request"]["url"])

    @property
    def asked(self) -> Any:
        """The request's JSON; None for a form or an empty body."""
        return self.exchange["request"].get("json")

    @property
    def status(self) -> int:
        return int(self.exchange["response"]["status"])

    @property
    def content_type(self) -> str:
        headers = {key.lower(): value for key, value in self.exchange["response"]["headers"].items()}
        given = headers.get("content-type", "")
        shown = str(given[0] if isinstance(given, list) else given)
        if self.body.startswith((b"data:", b"event:", b": ")):
            return "text/event-stream"  # some recorders kept another header, or none
        return shown or "application/json"

    @property
    def body(self) -> bytes:
        response = self.exchange["response"]
        if "json" in response:
            return json.dumps(response["json"]).encode()
        return base64.b64decode(response["body_base64"]) if "body_base64" in response else response["text"].encode()

    @property
    def chunks(self) -> list[bytes]:
        """The body in the pieces in which it was framed: an event each, a frame each."""
        if self.content_type.startswith("application/vnd.amazon.eventstream"):
            return list(frames(self.body))
        return [piece + b"\n\n" for piece in self.body.replace(b"\r\n", b"\n").split(b"\n\n") if piece]

    @property
    def streams(self) -> bool:
        return self.content_type.startswith(("text/event-stream", "application/vnd.amazon.eventstream"))

    def documents(self) -> list[Any]:
        if self.content_type.startswith("application/vnd.amazon.eventstream"):
            buffer: Any = EventStreamBuffer()
            buffer.add_data(self.body)
            return [{frame.headers[":event-type"]: json.loads(frame.payload)} for frame in buffer]
        if self.streams:
            lines = [line[5:].strip() for line in self.body.decode().splitlines() if line.startswith("data:")]
            return [json.loads(line) for line in lines if line not in ("[DONE]", "")]
        return [json.loads(self.body)]


def read_all(folder: Path, provider: str) -> list[Recording]:
    return [
        Recording(path.name, provider, json.loads(path.read_text()))
        for path in sorted((folder / provider).glob("*.json"))
    ]


def frames(body: bytes) -> Iterator[bytes]:
    while body:
        length = int.from_bytes(body[:4], "big")
        yield body[:length]
        body = body[length:]


def pictures_of(document: Any, *, key: str = "", parent: str = "") -> Iterator[str]:
    """Every picture in a JSON document, wherever it is: the hash of its bytes, or its link."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from pictures_of(value, key=name, parent=key)
    elif isinstance(document, list):
        for value in document:
            yield from pictures_of(value, key=key, parent=parent)
    elif isinstance(document, str):
        if document.startswith("data:image/"):
            yield digest(document.partition(",")[2])
        elif is_picture(document):
            yield digest(document)
        elif document.startswith("http") and key in LINK_KEYS and (key != "url" or parent in ("image_url", "source")):
            yield document


def is_picture(text: str) -> bool:
    if len(text) < 64:
        return False
    try:
        return base64.b64decode(text[:64].translate(URL_SAFE), validate=True).startswith(MAGIC)
    except (binascii.Error, ValueError):
        return False


def digest(text: str) -> str:
    return hashlib.sha256(base64.b64decode(text.translate(URL_SAFE) + "=" * (-len(text) % 4))).hexdigest()


def said(recording: Recording) -> Said:
    """What the recorded answer says, in whichever format it is."""
    found = Said()
    documents = recording.documents()
    if recording.provider == "anthropic":
        _anthropic(documents, found)
    elif recording.provider in ("gemini", "vertex"):
        _gemini(documents, found)
    elif recording.provider == "bedrock":
        _converse(documents, found)
    else:
        _chat(documents, found)
    return found


def _anthropic(documents: list[Any], found: Said) -> None:
    blocks: dict[int, dict[str, Any]] = {}
    usage: dict[str, Any] = {}
    for document in documents:
        if document.get("type") == "message":
            blocks = dict(enumerate(document["content"]))
            usage = document["usage"]
        usage |= {k: v for k, v in (document.get("message") or document).get("usage", {}).items() if v is not None}
        if document.get("type") == "content_block_start":
            blocks[document["index"]] = {**document["content_block"], "input": ""}
        elif document.get("type") == "content_block_delta":
            block, delta = blocks[document["index"]], document["delta"]
            block["text"] = block.get("text", "") + delta.get("text", "")
            block["input"] = block.get("input", "") + delta.get("partial_json", "")
    for block in blocks.values():
        if block["type"] == "text":
            found.text += block["text"]
        elif block["type"] == "tool_use":
            given = block["input"]
            found.calls.append((block["name"], json.loads(given or "{}") if isinstance(given, str) else given))
    cached = usage.get("cache_creation_input_tokens") or 0, usage.get("cache_read_input_tokens") or 0
    found.prompt, found.completion = usage["input_tokens"] + sum(cached), usage["output_tokens"]


def _gemini(documents: list[Any], found: Said) -> None:
    for document in documents:
        for candidate in document.get("candidates", []):
            for part in candidate.get("content", {}).get("parts", []):
                if part.get("thought"):
                    continue
                found.text += part.get("text", "")
                if "functionCall" in part:
                    found.calls.append((part["functionCall"]["name"], part["functionCall"].get("args", {})))
                if "inlineData" in part:
                    found.pictures.append(digest(part["inlineData"]["data"]))
        usage = document.get("usageMetadata")
        if usage:
            found.prompt = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
            found.completion = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)


def _converse(documents: list[Any], found: Said) -> None:
    calls: dict[int, list[str]] = {}
    for document in documents:
        usage = document.get("usage") or document.get("metadata", {}).get("usage")
        if usage:
            cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
            found.prompt, found.completion = usage["inputTokens"] + cached, usage["outputTokens"]
        for block in document.get("output", {}).get("message", {}).get("content", []):
            found.text += block.get("text", "")
            if "toolUse" in block:
                found.calls.append((block["toolUse"]["name"], block["toolUse"]["input"]))
        start, delta = document.get("contentBlockStart", {}), document.get("contentBlockDelta", {})
        if "toolUse" in start.get("start", {}):
            calls[start["contentBlockIndex"]] = [start["start"]["toolUse"]["name"], ""]
        found.text += delta.get("delta", {}).get("text", "")
        if "toolUse" in delta.get("delta", {}):
            calls[delta["contentBlockIndex"]][1] += delta["delta"]["toolUse"]["input"]
    found.calls += [(name, json.loads(arguments or "{}")) for name, arguments in calls.values()]


def _chat(documents: list[Any], found: Said) -> None:
    calls: dict[int, list[str]] = {}
    for document in documents:
        usage = document.get("usage") or document.get("x_groq", {}).get("usage")
        if usage:
            found.prompt, found.completion = usage["prompt_tokens"], usage.get("completion_tokens")
        for choice in document.get("choices", []):
            message = choice.get("message") or choice.get("delta") or {}
            content = message.get("content")
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
            found.text += content or ""
            found.pictures += [digest(one["image_url"]["url"].partition(",")[2]) for one in message.get("images") or []]
            for at, call in enumerate(message.get("tool_calls") or []):
                name, arguments = call["function"].get("name") or "", call["function"].get("arguments") or ""
                slot = calls.setdefault(call.get("index", at), ["", ""])
                slot[0], slot[1] = slot[0] + name, slot[1] + arguments
    found.calls += [(name, json.loads(arguments or "{}")) for name, arguments in calls.values()]


def model_of(recording: Recording) -> str:
    """The model that the request names, in its body or in its path."""
    if isinstance(recording.asked, dict) and isinstance(recording.asked.get("model"), str):
        return str(recording.asked["model"])
    for marker in ("/models/", "/model/", "/deployments/"):
        if marker in recording.url.path:
            rest = recording.url.path.partition(marker)[2]
            return unquote(rest.partition("/")[0].partition(":generate")[0].partition(":stream")[0])
    return ""


def answering(recording: Recording) -> Script:
    """The recorded answer, streamed in its own pieces."""
    head = f"HTTP/1.1 {recording.status} X\r\ncontent-type: {recording.content_type}\r\n"
    if not recording.streams:
        return raw(f"{head}content-length: {len(recording.body)}\r\n\r\n".encode() + recording.body)
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in recording.chunks)
    return raw(f"{head}transfer-encoding: chunked\r\n\r\n".encode() + pieces + b"0\r\n\r\n")
