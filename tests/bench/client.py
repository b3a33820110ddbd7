"""The client's side of the wire: one keep-alive connection that counts answers, and a slow one for single calls."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Protocol, cast

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and with which headers."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/v1/chat/completions"

    def head(self, size: int, method: str = "POST", path: str = "", **more: str) -> bytes:
        lines = [f"{method} {path or self.path} HTTP/1.1", f"host: 127.0.0.1:{self.port}"]
        lines += ["content-type: application/json", "accept: application/json", f"content-length: {size}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in {**self.headers, **more}.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Pool(Protocol):
    def ready(self, connection: Connection) -> None: ...
    def answered(self, started: float, status: bytes) -> None: ...
    def lost(self, connection: Connection, *, during_request: bool) -> None: ...
    def error(self, what: str) -> None: ...


class Connection(asyncio.Protocol):
    __slots__ = (
        "busy",
        "chunked",
        "closing",
        "head",
        "missing",
        "pool",
        "started",
        "status",
        "tail",
        "transport",
    )

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.transport: asyncio.Transport | None = None
        self.busy = False
        self.closing = False
        self.started = 0.0
        self._reset()

    def _reset(self) -> None:
        self.missing = 0
        self.chunked = False
        self.head = b""
        self.tail = b""
        self.status = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.pool.ready(self)

    def send(self, started: float, *pieces: bytes) -> None:
        self.busy = True
        self.started = started
        if self.transport is None:
            return
        if len(pieces) == 1:
            self.transport.write(pieces[0])
        else:
            self.transport.writelines(pieces)

    def close(self) -> None:
        if self.transport:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.missing:
            self.missing -= len(data)
            if self.missing <= 0:
                self._complete()
        elif self.chunked:
            self._in_chunks(data)
        else:
            self._read_head(self.head + data if self.head else data)

    def _read_head(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self.head = data
            return
        self.head = b""
        self.status = data[9:12]
        self.closing = CLOSES.search(data, 0, end) is not None
        found = CONTENT_LENGTH.search(data, 0, end)
        if found:
            self.missing = int(found[1]) - (len(data) - end - 4)
            if self.missing <= 0:
                self._complete()
        elif b"chunked" in data[:end].lower():
            self.chunked = True
            self._in_chunks(data[end + 4 :])
        else:
            self.pool.error("answer without a length")
            self.close()

    def _in_chunks(self, data: bytes) -> None:
        self.tail = (self.tail + data[-5:])[-5:]
        if self.tail == LAST_CHUNK:
            self._complete()

    def _complete(self) -> None:
        status = self.status
        self.busy = False
        self._reset()
        self.pool.answered(self.started, status)
        if self.closing:
            self.close()
        else:
            self.pool.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.pool.lost(self, during_request=self.busy)
        self.busy = False


async def call(
    target: Target, body: bytes = b"", *, method: str = "POST", path: str = "", **headers: str
) -> tuple[int, bytes]:
    """One request on its own connection; raises OSError, also when the answer takes too long."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        try:
            writer.write(target.head(len(body), method, path, connection="close", **headers) + body)
            head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if not head.startswith(b"HTTP/1."):
        raise ConnectionError("no HTTP answer")
    if not CONTENT_LENGTH.search(head) and b"chunked" in head.lower():
        rest = _dechunk(rest)
    return int(head[9:12]), rest


def _dechunk(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        out += data[:length]
        data = data[length + 2 :]
    return out
