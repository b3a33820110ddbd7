"""A provider on a loopback socket that does what it is told: answers, streams, stalls, resets, lies, sends half a body.

Requests are kept whole, as bytes. What to answer is chosen by the path segment before /v1 in the virtual key's base URL,
so tests that run at the same time do not meet: `upstream.on("case").will(...)`, base URL `upstream.url("case")`.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "A red square."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1100, "completion_tokens": 10, "total_tokens": 1110},
}


@dataclass
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    client_left: threading.Event = field(default_factory=threading.Event)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[socket.socket, Received], None]


def response(status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> Script:
    """A plain answer; anything but bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(COMPLETION if body is None else body).encode()
    sent = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{k}: {v}\r\n" for k, v in sent.items()) + "\r\n"

    def script(connection: socket.socket, _: Received) -> None:
        connection.sendall(head.encode("latin-1") + data)

    return script


def raw(data: bytes, *, then: Script | None = None) -> Script:
    """Exactly these bytes, then the end of the connection (or what `then` does)."""

    def script(connection: socket.socket, request: Received) -> None:
        connection.sendall(data)
        if then:
            then(connection, request)
        raise ConnectionAbortedError

    return script


def stream(
    chunks: list[bytes],
    *,
    go: threading.Event | None = None,
    ending: Script | None = None,
    content_type: str = "text/event-stream",
) -> Script:
    """Server-sent events in HTTP chunks. After the first chunk it waits for `go`, so a test can look in between."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()

    def script(connection: socket.socket, request: Received) -> None:
        connection.sendall(head)
        for number, chunk in enumerate(chunks):
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            if number == 0 and go is not None:
                _wait_for(go, connection, request)
        if ending:
            ending(connection, request)
            raise ConnectionAbortedError
        connection.sendall(b"0\r\n\r\n")

    return script


def stall(connection: socket.socket, request: Received) -> None:
    """Say nothing until the other side leaves."""
    _wait_for(threading.Event(), connection, request)


def reset(connection: socket.socket, _: Received) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    raise ConnectionAbortedError


def event(data: Any) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def chat_events(*words: str, usage: bool = True) -> list[bytes]:
    """A whole chat stream, an HTTP chunk each event."""

    def chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "gpt-4o-2024-08-06",
            "choices": [choice],
        }

    events = [event(chunk({"role": "assistant", "content": word})) for word in words] + [event(chunk({}, "stop"))]
    if usage:
        events.append(event({**chunk({}), "choices": [], "usage": COMPLETION["usage"]}))
    return [*events, event(b"[DONE]")]


class Case:
    """The answers of one test. The last script stays for every further request."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.scripts: list[Script] = []
        self.changed = threading.Condition()

    def will(self, *scripts: Script) -> Case:
        self.scripts = list(scripts)
        return self

    def take(self, request: Received) -> Script:
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
            if not self.scripts:
                return response()
            return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def wait_request(self, count: int = 1, seconds: float = 10) -> Received:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= count, seconds), "the provider got no request"
            return self.requests[count - 1]


class FakeUpstream:
    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self.server.getsockname()[1]
        self.cases: dict[str, Case] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, case: str) -> Case:
        return self.cases.setdefault(case, Case())

    def url(self, case: str) -> str:
        return f"http://127.0.0.1:{self.port}/{case}/v1"

    def close(self) -> None:
        self.server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        request: Received | None = None
        with connection, suppress(OSError):
            for request in _requests(connection):
                case = request.path.split("/")[1]
                request.path = request.path[len(case) + 1 :]
                self.on(case).take(request)(connection, request)
        if request is not None:
            request.client_left.set()


def _requests(connection: socket.socket) -> Iterator[Received]:
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            data = connection.recv(65536)
            if not data:
                return
            buffer += data
        head, _, buffer = buffer.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (one.partition(":") for one in lines)]
        length = int(dict(headers).get("content-length", "0"))
        while len(buffer) < length:
            data = connection.recv(1 << 20)
            if not data:
                return
            buffer += data
        method, path, _ = line.split(" ")
        yield Received(method, path, headers, buffer[:length])
        buffer = buffer[length:]


def _wait_for(go: threading.Event, connection: socket.socket, request: Received) -> None:
    """Wait for the test's word, or notice that the client has gone; whichever is first."""
    deadline = time.monotonic() + 60
    connection.setblocking(False)
    try:
        while not go.wait(0.005):
            try:
                if not connection.recv(1, socket.MSG_PEEK):
                    request.client_left.set()
                    raise ConnectionAbortedError
            except BlockingIOError:
                pass
            except ConnectionResetError:
                request.client_left.set()
                raise
            assert time.monotonic() < deadline, "the test never said go"
    finally:
        connection.setblocking(True)
