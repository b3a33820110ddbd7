"""Every format that a vendor speaks, from the vendor's side: answers to give, and what a request shows, read by hand.

`stand` runs a Loupe with one virtual key for each vendor. Nothing in here is taken from Loupe's own readers and writers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Stage
from tests.fake_upstream import COMPLETION, FakeUpstream, Received, Script, chat_events, event, response, stream
from tests.loupe import Loupe

SSE = "text/event-stream"
AMAZON = "application/vnd.amazon.eventstream"
SECRET = "secret-of-the-vendor"
TOKENS = (1100, 10, 1110)


@dataclass(frozen=True)
class Vendor:
    """`slug` is the virtual key; `path` follows the fake's address in its base URL."""

    slug: str
    provider: str
    dialect: str
    model: str
    path: str
    fetches: bool  # whether Loupe opens http links for it
    asked_at: tuple[str, str]  # the path of a plain and of a streamed chat
    settings: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.provider

    @property
    def named(self) -> str:
        return f"@{self.slug}/{self.model}"

    @property
    def framing(self) -> str:
        return AMAZON if self.dialect == "converse" else SSE


GOOGLE_PATH = "/models/gemini-2.5-flash"
VERTEX_PATH = "/v1/projects/a-project/locations/global/publishers/google" + GOOGLE_PATH
STREAMED = ":streamGenerateContent?alt=sse"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_PATH = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
AZURE_PATH = "/openai/deployments/dep-eyes/chat/completions?api-version=2024-10-21"
OPENAI = Vendor("a-openai", "openai", "chat", "gpt-4o", "/v1", False, ("/v1/chat/completions",) * 2)
AZURE = Vendor(
    "a-azure", "azure-openai", "chat", "eyes", "", False, (AZURE_PATH,) * 2, {"deployments": "eyes=dep-eyes@2024-10-21"}
)
MISTRAL = Vendor("a-mistral", "mistral-ai", "chat", "pixtral-12b-latest", "/v1", False, ("/v1/chat/completions",) * 2)
GOOGLE = Vendor(
    "a-google", "google", "gemini", "gemini-2.5-flash", "/v1beta", True,
    (f"/v1beta{GOOGLE_PATH}:generateContent", f"/v1beta{GOOGLE_PATH}{STREAMED}"),
)  # fmt: skip
VERTEX = Vendor(
    "a-vertex", "vertex-ai", "gemini", "gemini-2.5-flash", "", True,
    (f"{VERTEX_PATH}:generateContent", f"{VERTEX_PATH}{STREAMED}"), {"project_id": "a-project"},
)  # fmt: skip
ANTHROPIC = Vendor("a-anthropic", "anthropic", "anthropic", "claude-sonnet-4-5", "/v1", False, ("/v1/messages",) * 2)
BEDROCK = Vendor(
    "a-bedrock", "bedrock", "converse", CLAUDE, "", True, (f"{CLAUDE_PATH}/converse", f"{CLAUDE_PATH}/converse-stream")
)
VENDORS = [AZURE, GOOGLE, VERTEX, ANTHROPIC, BEDROCK, MISTRAL]
TRANSLATED = [GOOGLE, ANTHROPIC, BEDROCK]


@pytest.fixture(scope="session")
def vendor_loupe(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loupe]:
    """A Loupe that knows every vendor, for all tests that do not break it: making the keys takes seconds."""
    with stand(tmp_path_factory.mktemp("vendors"), upstream) as loupe:
        yield loupe


@contextmanager
def stand(folder: Path, upstream: FakeUpstream, **env: str) -> Iterator[Loupe]:
    """A Loupe that may fetch from the fake's own address, and knows every vendor."""
    running = Loupe(folder, LOUPE_FETCH_HOSTS=f"127.0.0.1:{upstream.port}", **env).start()
    try:
        for vendor in [OPENAI, *VENDORS]:
            base = f"http://127.0.0.1:{upstream.port}/{vendor.slug}{vendor.path}"
            running.add_virtual_key(vendor.slug, base, SECRET, provider=vendor.provider, **vendor.settings)
        yield running
    finally:
        running.stop()


def corner(loupe: Loupe, upstream: FakeUpstream, vendor: Vendor) -> Stage:
    """A vendor's corner for one test, emptied of what came before."""
    case = upstream.on(vendor.slug)
    case.requests.clear()
    case.will(speaking(vendor))
    return Stage(loupe, case, vendor.slug, "", SECRET, f"trace-{uuid.uuid4()}")


def speaking(vendor: Vendor, *words: str, go: threading.Event | None = None, **more: Any) -> Script:
    """An answer in the vendor's format, streamed when that was asked for; `go` holds it after its first word."""
    words = words or ("A red ", "square.")

    def script(connection: Any, request: Received) -> None:
        if is_streamed(request):
            chunks = streamed(vendor.dialect, *words, **more)
            stream(chunks, go=go, content_type=vendor.framing)(connection, request)
        else:
            response(body=whole(vendor.dialect, *words, **more))(connection, request)

    return script


def is_streamed(request: Received) -> bool:
    path = request.path.partition("?")[0]
    if path.endswith((":streamGenerateContent", "/converse-stream")):
        return True
    return b'"stream":true' in request.body.replace(b" ", b"")


def whole(dialect: str, *words: str, call: dict[str, Any] | None = None, image: bytes = b"") -> dict[str, Any]:
    """A plain answer: the words, then the picture, then the tool call, if there are any."""
    text = "".join(words)
    if dialect == "anthropic":
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        content += [{"type": "tool_use", "id": "call_1", "name": "look", "input": call}] if call else []
        usage = {"input_tokens": 1000, "cache_read_input_tokens": 100, "output_tokens": 10}
        reason = "tool_use" if call else "end_turn"
        about = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
        return about | {"content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}
    if dialect == "gemini":
        return gemini(*gemini_parts(text, call, image), finish="STOP")
    if dialect == "converse":
        blocks: list[dict[str, Any]] = [{"text": text}]
        blocks += [{"toolUse": {"toolUseId": "call_1", "name": "look", "input": call}}] if call else []
        return {
            "output": {"message": {"role": "assistant", "content": blocks}},
            "stopReason": "tool_use" if call else "end_turn",
            "usage": {"inputTokens": 1100, "outputTokens": 10, "totalTokens": 1110},
            "metrics": {"latencyMs": 7},
        }
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if call:
        function = {"name": "look", "arguments": json.dumps(call)}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    finish = "tool_calls" if call else "stop"
    return COMPLETION | {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def streamed(dialect: str, *words: str, call: dict[str, Any] | None = None, image: bytes = b"") -> list[bytes]:
    """The same as a stream. The first chunk holds the first word whole."""
    if dialect == "anthropic":
        return _anthropic_stream(words, call)
    if dialect == "gemini":
        parts = [{"text": word} for word in words] + gemini_parts("", call, image)
        return [event(gemini(part, finish="" if part is not parts[-1] else "STOP")) for part in parts]
    if dialect == "converse":
        return _converse_stream(words, call)
    if not call:
        return chat_events(*words)
    *said, finish, usage, done = chat_events(*words)
    piece = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "look", "arguments": json.dumps(call)},
    }
    made = json.loads(finish[6:])
    told = {**made, "choices": [{"index": 0, "delta": {"tool_calls": [piece]}, "finish_reason": None}]}
    made["choices"][0]["finish_reason"] = "tool_calls"
    return [*said, event(told), event(made), usage, done]


def gemini(*parts: dict[str, Any], finish: str = "") -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    usage = {"promptTokenCount": 1100, "candidatesTokenCount": 10, "totalTokenCount": 1110}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "resp-1",
    }


def gemini_parts(text: str, call: dict[str, Any] | None, image: bytes) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"text": text}] if text else []
    if image:
        parts.append({"inlineData": {"mimeType": "image/png", "data": base64.b64encode(image).decode()}})
    return parts + ([{"functionCall": {"name": "look", "args": call}}] if call else [])


def named_event(data: dict[str, Any]) -> bytes:
    return b"event: " + str(data["type"]).encode() + b"\n" + event(data)


def _anthropic_stream(words: tuple[str, ...], call: dict[str, Any] | None) -> list[bytes]:
    usage = {"input_tokens": 1000, "cache_read_input_tokens": 100, "output_tokens": 1}
    message = whole("anthropic") | {"content": [], "stop_reason": None, "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words),
        {"type": "content_block_stop", "index": 0},
    ]
    if call:
        block = {"type": "tool_use", "id": "call_1", "name": "look", "input": {}}
        text = json.dumps(call)
        events.append({"type": "content_block_start", "index": 1, "content_block": block})
        events += [
            {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in (text[:3], text[3:])
        ]
        events.append({"type": "content_block_stop", "index": 1})
    reason = {"stop_reason": "tool_use" if call else "end_turn", "stop_sequence": None}
    events += [{"type": "message_delta", "delta": reason, "usage": {"output_tokens": 10}}, {"type": "message_stop"}]
    written = [named_event(one) for one in events]
    return [b"".join(written[:3]), *written[3:]]


def _converse_stream(words: tuple[str, ...], call: dict[str, Any] | None) -> list[bytes]:
    frames = [frame("messageStart", {"role": "assistant"})]
    frames += [frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in words]
    frames.append(frame("contentBlockStop", {"contentBlockIndex": 0}))
    if call:
        start = {"toolUse": {"toolUseId": "call_1", "name": "look"}}
        frames.append(frame("contentBlockStart", {"contentBlockIndex": 1, "start": start}))
        delta = {"toolUse": {"input": json.dumps(call)}}
        frames.append(frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": delta}))
        frames.append(frame("contentBlockStop", {"contentBlockIndex": 1}))
    frames.append(frame("messageStop", {"stopReason": "tool_use" if call else "end_turn"}))
    usage = {"inputTokens": 1100, "outputTokens": 10, "totalTokens": 1110}
    frames.append(frame("metadata", {"usage": usage, "metrics": {"latencyMs": 7}}))
    return [b"".join(frames[:2]), *frames[2:]]


def frame(kind: str, payload: dict[str, Any], *, exception: bool = False) -> bytes:
    """One message of Amazon's event stream (docs.aws.amazon.com, event stream encoding)."""
    names = (
        {":message-type": "exception", ":exception-type": kind}
        if exception
        else {":message-type": "event", ":event-type": kind}
    )
    headers = b""
    for name, value in (names | {":content-type": "application/json"}).items():
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))


@dataclass(frozen=True)
class Seen:
    """A picture as the vendor got it: its type and bytes, or its link."""

    media_type: str = ""
    sha256: str = ""
    link: str = ""


def pictures_seen(dialect: str, body: Any) -> list[Seen]:
    """Every picture of a request, in order, wherever it stands."""
    found: list[Seen] = []
    _look(dialect, body, found)
    return found


def _look(dialect: str, node: Any, found: list[Seen]) -> None:
    if isinstance(node, list):
        for one in node:
            _look(dialect, one, found)
    elif isinstance(node, dict):
        seen = _picture(dialect, node)
        if seen:
            found.append(seen)
            return
        for one in node.values():
            _look(dialect, one, found)


def _picture(dialect: str, node: dict[str, Any]) -> Seen | None:
    if dialect == "gemini" and "inlineData" in node:
        return _bytes(node["inlineData"]["mimeType"], node["inlineData"]["data"])
    if dialect == "gemini" and "fileData" in node:
        return Seen(node["fileData"].get("mimeType", ""), link=node["fileData"]["fileUri"])
    if dialect == "converse" and "image" in node:
        return _bytes(f"image/{node['image']['format']}", node["image"]["source"]["bytes"])
    source = node.get("source")
    if dialect == "anthropic" and node.get("type") == "image" and isinstance(source, dict):
        return _bytes(source["media_type"], source["data"]) if source["type"] == "base64" else Seen(link=source["url"])
    if dialect == "chat" and node.get("type") == "image_url":
        url = node["image_url"]["url"]
        head, comma, data = url.partition(";base64,")
        return _bytes(head[5:], data) if comma else Seen(link=url)
    return None


def _bytes(media_type: str, data: str) -> Seen:
    return Seen(media_type, hashlib.sha256(base64.b64decode(data, validate=True)).hexdigest())
