"""A model provider that answers always the same, in the format of the path, as cheaply as Python can."""

from __future__ import annotations

import asyncio
import json
import re
from typing import cast

TRANSFER_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"
STREAM_CHUNKS = 50
ASKS_FOR_A_STREAM = b'"stream":true'
HEAD_LIMIT = 64 * 1024


SAID = (
    "The mug has a chipped rim and a hairline crack that runs from the handle to the base, so yes, "
    "I would send it back to the seller."
)
MESSAGE = {"role": "assistant", "content": SAID, "refusal": None, "annotations": []}
COMPLETION = {
    "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
    "object": "chat.completion",
    "created": 1780000000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1124,
        "completion_tokens": 31,
        "total_tokens": 1155,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
    "system_fingerprint": "fp_bench",
}
GEMINI = {
    "candidates": [{"content": {"parts": [{"text": SAID}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 1124, "candidatesTokenCount": 31, "totalTokenCount": 1155},
    "modelVersion": "gemini-2.5-flash",
    "responseId": "BenchBenchBenchBench",
}
ANTHROPIC = {
    "id": "msg_BenchBenchBenchBench",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": SAID}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1124, "output_tokens": 31},
}


def _answer(body: dict[str, object]) -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\nx-request-id: req_bench\r\n\r\n"
    return head.encode() + text


def _stream(words: list[str]) -> bytes:
    """The completion as OpenAI streams it: an event a word, then the usage, all of it at once."""
    about = {name: COMPLETION[name] for name in ("id", "created", "model", "service_tier", "system_fingerprint")}
    about["object"] = "chat.completion.chunk"
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in words), {}]
    ends = [None] * (len(deltas) - 1) + ["stop"]
    choices = [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        for delta, end in zip(deltas, ends, strict=True)
    ]
    documents = [about | {"choices": [choice], "usage": None} for choice in choices]
    documents.append(about | {"choices": [], "usage": COMPLETION["usage"]})
    chunks = [f"data: {json.dumps(one)}\n\n".encode() for one in documents] + [b"data: [DONE]\n\n"]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + framed + LAST_CHUNK


# By what stands in the request's first line.
ANSWERS = {b"generateContent": _answer(GEMINI), b"/messages": _answer(ANTHROPIC), b"": _answer(COMPLETION)}
STREAM = _stream((f"{SAID} {SAID}".split() * 2)[:STREAM_CHUNKS])
LINE_LIMIT = 120
_shared = bytearray(512 * 1024)
"""Every connection reads into the same buffer: its bytes are counted at once and never kept."""


class Upstream(asyncio.BufferedProtocol):
    """One connection; requests come one after the other, never pipelined."""

    served = 0
    delay = 0.0
    """Seconds from the last byte of a request to the first of its answer."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.missing = 0
        self.chunked = False
        self.tail = b""
        self.head = b""
        self.answer = ANSWERS[b""]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def get_buffer(self, sizehint: int) -> bytearray:
        return _shared

    def buffer_updated(self, nbytes: int) -> None:
        if self.missing:
            self.missing -= nbytes
            if self.missing <= 0:
                self._reply()
        elif self.chunked:
            self._in_chunks(bytes(_shared[max(0, nbytes - 8) : nbytes]))
        else:
            self._read_head(nbytes)

    def _read_head(self, nbytes: int) -> None:
        data: bytes | bytearray = _shared
        if self.head:
            data = self.head + _shared[:nbytes]
            nbytes = len(data)
        end = data.find(b"\r\n\r\n", 0, nbytes)
        if end < 0:
            self.head = bytes(data[:nbytes])
            if nbytes > HEAD_LIMIT and self.transport:
                self.transport.abort()
            return
        self.head = b""
        line = bytes(data[:LINE_LIMIT])
        self.answer = next(answer for mark, answer in ANSWERS.items() if mark in line)
        if data.find(ASKS_FOR_A_STREAM, end, nbytes) >= 0:
            self.answer = STREAM
        found = TRANSFER_LENGTH.search(data, 0, end)
        if found:
            self.missing = int(found[1]) - (nbytes - end - 4)
            if self.missing <= 0:
                self._reply()
        elif b"chunked" in bytes(data[:end]).lower():
            self.chunked = True
            self._in_chunks(bytes(data[max(end + 4, nbytes - 8) : nbytes]))
        else:
            self._reply()

    def _in_chunks(self, end: bytes) -> None:
        self.tail = (self.tail + end)[-5:]
        if self.tail == LAST_CHUNK:
            self._reply()

    def _reply(self) -> None:
        self.missing = 0
        self.chunked = False
        self.tail = b""
        Upstream.served += 1
        if Upstream.delay:
            asyncio.get_running_loop().call_later(Upstream.delay, self._write)
        else:
            self._write()

    def _write(self) -> None:
        if self.transport:
            self.transport.write(self.answer)


async def start_upstream() -> tuple[asyncio.Server, int]:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=512)
    return server, int(server.sockets[0].getsockname()[1])
