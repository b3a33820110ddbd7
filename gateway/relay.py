"""One call on its way: journal, provider, client. What is relayed is what came, byte by byte, and all of it is recorded.

The order is the promise. `begin` is in the journal before the provider gets a byte; every chunk is in it before the client
gets that chunk; and the chunk that completes an answer (its last byte, or a stream's end mark) leaves only after
`commit`, so no client holds a whole answer that a crash could take from the log.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import msgspec

from gateway import redaction
from gateway.answer_headers import own_headers, passes
from gateway.errors import GatewayError, NotRecorded, TooSlow, UpstreamFailed, UpstreamSilent, error_body
from gateway.journal import Journal, JournalUnavailable, Kind
from gateway.jsonedit import Edit
from gateway.routing import Route
from gateway.wire import HeaderList, Reply

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WATCH_AFTER_SECONDS = 0.02
HELD_JSON_BYTES = 4 * 1024 * 1024
HELD_LINE_BYTES = 64 * 1024
SHOWN_ERROR_BYTES = 4096
FAILURES: dict[type[httpx.TransportError], tuple[str, type[GatewayError]]] = {
    httpx.ConnectTimeout: ("connect_timeout", UpstreamSilent),
    httpx.ReadTimeout: ("read_timeout", UpstreamSilent),
    httpx.ConnectError: ("unreachable", UpstreamFailed),
    httpx.ReadError: ("broken_off", UpstreamFailed),
    httpx.RemoteProtocolError: ("not_http", UpstreamFailed),
    httpx.UnsupportedProtocol: ("unreachable", UpstreamFailed),
}


class Upstream(Protocol):
    """Whoever answers calls: the pool of connections, or a provider built into Loupe."""

    async def send(
        self, method: str, url: str, headers: HeaderList, body: bytes, *, timeout: float | None = None
    ) -> Reply: ...


@dataclass(slots=True)
class Call:
    """One request, read and routed."""

    id: uuid.UUID
    arrived: float
    method: str
    endpoint: str
    query: str
    headers: HeaderList
    body: bytes = field(repr=False)
    edits: list[Edit]
    sent_body: bytes = field(repr=False)
    route: Route
    stream: bool
    end_marks: tuple[bytes, ...]
    timeout: float | None
    keep_bodies: bool
    trace_id: str
    begin_meta: dict[str, Any]


class Exchange:
    """The record of one call while it is under way, and its stopwatch."""

    def __init__(self, call: Call, journal: Journal, *, required: bool) -> None:
        self.call, self.journal, self.required = call, journal, required
        self.recording = True
        self.begun = self.ended = False
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.bytes = 0
        self.sent_at = self.upstream_done_at = self.first_byte_at = 0.0

    def begin(self) -> None:
        """Raises NotRecorded when the journal cannot take it and the settings say that it must."""
        body = redaction.masked_fields(self.call.body) if self.call.keep_bodies else b""
        try:
            self._write(Kind.BEGIN, msgspec.json.encode(self.call.begin_meta), body)
        except JournalUnavailable as error:
            raise NotRecorded(f"The call was not sent because it could not be recorded: {error}.") from error

    def part(self, data: bytes) -> None:
        self.bytes += len(data)
        self._write(Kind.PART, b"", data)

    def end(self, state: str, data: bytes = b"", *, failure: str = "", message: str = "") -> None:
        """Write how the call ended; `data` is the last of the answer's bytes. The first word on it counts."""
        if self.ended:
            return
        self.ended = True
        self.bytes += len(data)
        now = time.perf_counter()
        call = self.call
        upstream = (self.upstream_done_at or now) - self.sent_at if self.sent_at else 0.0
        total = now - call.arrived
        meta = {
            "state": state,
            "status": self.status,
            "failure": failure,
            "message": redaction.without_secrets(message, [call.route.secret])[:1000],
            "headers": redaction.kept_headers(self.headers, redaction.KEPT_RESPONSE_HEADERS),
            "total_ms": total * 1000,
            "upstream_ms": upstream * 1000,
            "gateway_ms": max(0.0, total - upstream) * 1000,
            "first_byte_ms": (self.first_byte_at - call.arrived) * 1000 if self.first_byte_at else None,
            "bytes": self.bytes,
        }
        self._write(Kind.END, msgspec.json.encode(meta), data)

    def _write(self, kind: Kind, meta: bytes, data: bytes) -> None:
        if not (self.recording or (kind is Kind.END and self.begun)):
            return
        try:
            self.journal.append(kind, self.call.id.bytes, meta, data)
            self.begun = True
        except JournalUnavailable as error:
            if kind is Kind.END and self.begun:
                self.journal.owe(self.call.id.bytes, meta, data)
            if self.required:
                raise
            self.recording = False
            log.error("call %s goes on unrecorded: %s", self.call.id, error)

    async def commit(self) -> None:
        if not self.recording:
            return
        try:
            await self.journal.commit()
        except JournalUnavailable as error:
            if self.required:
                raise
            log.error("call %s is not on the disk yet: %s", self.call.id, error)


class Relay:
    """Carries one call. `run` is the whole story; the client's leaving cancels it from outside."""

    def __init__(self, exchange: Exchange, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.exchange, self.call = exchange, exchange.call
        self.receive, self.send = receive, send
        self.reply: Reply | None = None
        self.started = False
        self.client_left = False
        self.marked = False
        self.line = b""
        self.watcher: asyncio.Task[None] | None = None

    async def run(self, upstream: Upstream) -> None:
        task = asyncio.current_task(self.loop)
        assert task is not None
        self.task = task
        self.exchange.begin()
        watch = self.loop.call_later(WATCH_AFTER_SECONDS, self._watch)
        try:
            try:
                await self._carry(upstream)
            except httpx.TransportError as error:
                await self._upstream_failed(error)
        except JournalUnavailable as error:
            await self._not_recorded(error)
        except asyncio.CancelledError:
            self._cut_short()
            if not self.client_left:
                raise
        finally:
            watch.cancel()
            self._end("failed", "internal_error", "Loupe failed on this call; the server's own log has the details")
            if self.watcher is not None:
                self.watcher.cancel()
            if self.reply is not None and not self.reply.finished:
                self.reply.abort()

    def _cut_short(self) -> None:
        """Recorded before anything is awaited, so that a second cancel cannot lose it."""
        if self.client_left and self.marked:
            self._end("ok", "", "")  # it left with the whole answer, before the provider closed its side
        elif self.client_left:
            self._end("aborted", "client_left", "the client closed the connection")
        else:
            self._end("interrupted", "shutdown", "the gateway was stopped")

    def _end(self, state: str, failure: str, message: str) -> None:
        try:
            self.exchange.end(state, failure=failure, message=message)
        except JournalUnavailable as error:
            log.error("call %s: its end was not recorded: %s", self.call.id, error)

    def _watch(self) -> None:
        """Begin to listen for the client's leaving. Not at once: most short calls never need the task."""
        self.watcher = self.loop.create_task(self._wait_for_leaving())

    async def _wait_for_leaving(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        if not self.exchange.ended:
            self.client_left = True
            self.task.cancel()

    async def _carry(self, upstream: Upstream) -> None:
        call, exchange = self.call, self.exchange
        exchange.sent_at = time.perf_counter()
        url = call.route.url(call.endpoint, call.query)
        reply = await upstream.send(call.method, url, call.headers, call.sent_body, timeout=call.timeout)
        self.reply = reply
        exchange.status = reply.status
        exchange.headers = dict(reply.headers)
        content_type = exchange.headers.get("content-type", "").lower()
        if content_type.startswith("text/event-stream"):
            await self._carry_events(reply)
        elif reply.status >= 400 and "json" not in content_type:
            await self._carry_foreign_error(reply)
        else:
            await self._carry_body(reply, whole="json" in content_type)

    async def _carry_events(self, reply: Reply) -> None:
        """A stream: whole lines go out as they come; a broken-off line is held, so that an error can follow cleanly."""
        while True:
            chunk = await reply.read()
            if reply.finished:
                await self._finish(chunk)
                await self._emit(self.line + chunk, last=True)
                return
            self.exchange.part(chunk)
            lines, self.line = _whole_lines(self.line + chunk)
            self.marked = self.marked or any(mark in lines for mark in self.call.end_marks)
            if self.marked:
                await self.exchange.commit()
            if lines:
                await self._emit(lines)

    async def _carry_body(self, reply: Reply, *, whole: bool) -> None:
        """Any other answer. JSON of usual size is sent in one piece; the rest in the pieces that came, the last one held."""
        held: list[bytes] = []
        size = 0
        deadline = self._limit_whole_answer(reply)
        while True:
            chunk = self._without_secret(await reply.read())
            if reply.finished:
                break
            self.exchange.part(chunk)
            if held and (not whole or size > HELD_JSON_BYTES):
                await self._emit(b"".join(held))
                held, size = [], 0
            held.append(chunk)
            size += len(chunk)
        if deadline is not None:
            deadline.cancel()
        await self._finish(chunk)
        held.append(chunk)
        await self._emit(b"".join(held), last=True)

    async def _carry_foreign_error(self, reply: Reply) -> None:
        """A provider's error that is not JSON, such as a proxy's HTML page: recorded as it came, told as JSON."""
        kept = b""
        while True:
            chunk = self._without_secret(await reply.read())
            kept += chunk[: SHOWN_ERROR_BYTES - len(kept)]
            if reply.finished:
                break
            self.exchange.part(chunk)
        await self._finish(chunk)
        text = kept.decode("utf-8", "replace")
        name = self.call.route.provider.name
        message = redaction.without_secrets(
            f"{name} answered {reply.status}: {_plain_text(text)}", [self.call.route.secret]
        )
        body = error_body(message, type="provider_error", code=f"http_{reply.status}", provider=name)
        await self._answer(reply.status, body, [("content-type", "application/json")])

    def _without_secret(self, chunk: bytes) -> bytes:
        """A provider's error may quote the key it was given; nobody else is to read it."""
        failed = (self.exchange.status or 0) >= 400
        return redaction.starred(chunk, self.call.route.secret) if failed else chunk

    async def _finish(self, chunk: bytes) -> None:
        self.exchange.upstream_done_at = time.perf_counter()
        status = self.exchange.status or 0
        self.exchange.first_byte_at = self.exchange.first_byte_at or time.perf_counter()
        self.exchange.end("ok" if status < 400 else "error", chunk)
        await self.exchange.commit()

    def _limit_whole_answer(self, reply: Reply) -> asyncio.TimerHandle | None:
        """The caller's time limit covers all of a plain answer, and only the head of a stream."""
        fail = getattr(reply, "fail", None)
        if self.call.timeout is None or fail is None:
            return None
        left = self.call.timeout - (time.perf_counter() - self.exchange.sent_at)
        late = httpx.ReadTimeout("the time that the caller allowed is over")
        return self.loop.call_later(max(left, 0), fail, late)

    async def _emit(self, data: bytes, *, last: bool = False) -> None:
        if not self.started:
            await self._start(len(data) if last else None)
        await self.send({"type": "http.response.body", "body": data, "more_body": not last})

    async def _start(self, length: int | None) -> None:
        assert self.reply is not None
        self.started = True
        self.exchange.first_byte_at = self.exchange.first_byte_at or time.perf_counter()
        headers = [(name, value) for name, value in self.reply.headers if passes(name)]
        given = self.exchange.headers.get("content-length")
        if length is not None and self.call.method != "HEAD":
            headers.append(("content-length", str(length)))
        elif given is not None:
            headers.append(("content-length", given))
        await self._send_head(self.reply.status, headers)

    async def _send_head(self, status: int, headers: HeaderList) -> None:
        own = own_headers(self.call.id, self.call.trace_id, self.call.route.provider.name)
        if status >= 400:
            own.append(("x-should-retry", "false"))
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*headers, *own]]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _answer(self, status: int, body: bytes, headers: HeaderList) -> None:
        self.started = True
        await self._send_head(status, [*headers, ("content-length", str(len(body)))])
        await self.send({"type": "http.response.body", "body": body})

    async def _upstream_failed(self, error: httpx.TransportError) -> None:
        """Timeout, reset, half a body, no HTTP: record it, and tell the client as well as can still be told."""
        failure, answer = next(
            (FAILURES[cls] for cls in type(error).__mro__ if cls in FAILURES), ("broken_off", UpstreamFailed)
        )
        if self.call.timeout is not None and isinstance(error, httpx.ReadTimeout):
            failure, answer = "request_timeout", TooSlow
        name = self.call.route.provider.name
        problem = answer(f"{name}: {error}. The request is in the log as {self.call.id}.", code=failure)
        self.exchange.upstream_done_at = time.perf_counter()
        self.exchange.end("failed", failure=failure, message=str(error))
        await self.exchange.commit()
        await self._tell(problem)

    async def _not_recorded(self, error: JournalUnavailable) -> None:
        log.error("call %s: %s", self.call.id, error)
        await self._tell(NotRecorded(f"The answer came but could not be recorded: {error}."))

    async def _tell(self, problem: GatewayError) -> None:
        body = problem.body(self.call.route.provider.name)
        if not self.started:
            await self._answer(problem.status, body, [("content-type", "application/json")])
        elif self.exchange.headers.get("content-type", "").lower().startswith("text/event-stream"):
            await self._emit(b"\ndata: " + body + b"\n\n", last=True)
        else:
            raise AnswerBrokenOff(problem.message)


class AnswerBrokenOff(Exception):
    """The head is sent and the body cannot be completed: raised to the server so that it closes the connection."""


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    end = data.rfind(b"\n") + 1
    if not end and len(data) > HELD_LINE_BYTES:
        return data, b""
    return data[:end], data[end:]


def _plain_text(page: str) -> str:
    """The words of an HTML page or a text, shortened."""
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(text.split())[:500] or "an empty body"
