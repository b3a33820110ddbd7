"""One call on its way: journal, provider, client. What is relayed is what came, byte by byte, and all of it is recorded.

The order is the promise. `begin` is in the journal before the provider gets a byte; every chunk is in it before the client
gets that chunk; and the chunk that completes an answer (its last byte, or a stream's end mark) leaves only after
`commit`, so no client holds a whole answer that a crash could take from the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import httpx2

from gateway.content.framing import WithoutUsage
from gateway.content.openai_fields import completed
from gateway.dialects import failure_event, is_stream
from gateway.errors import GatewayError, NotRecorded, TooSlow, UpstreamFailed, UpstreamSilent, unexpected
from gateway.network.http_client import Reply
from gateway.network.request_head import HeaderList
from gateway.proxy.answer_headers import own_headers, passes, warnings_header
from gateway.proxy.exchange import Exchange
from gateway.proxy.passing import NotPassedOn, Passing
from gateway.proxy.refusal import JSON, refuse
from gateway.recording.journal import JournalUnavailable
from gateway.translation.translator import AnswerUnreadable, Translator
from gateway.upstream.call import Call, Receive, Send
from gateway.upstream.provider_errors import is_openai_shape, retold

log = logging.getLogger(__name__)

WATCH_AFTER_SECONDS = 0.02
HELD_JSON_BYTES = 4 * 1024 * 1024
HELD_LINE_BYTES, LONGEST_MARK = 64 * 1024, 32
ANSWER_BYTES, ERROR_BYTES = 256 * 1024 * 1024, 8 * 1024 * 1024
INTERNAL = "Loupe failed on this call; the server's own log has the details"
EVENTS = "text/event-stream"
BODY_HEADERS = frozenset({"content-type", "content-encoding", "content-length"})
FAILURES: dict[type[httpx2.TransportError], tuple[str, type[GatewayError]]] = {
    httpx2.ConnectTimeout: ("connect_timeout", UpstreamSilent),
    httpx2.ReadTimeout: ("read_timeout", UpstreamSilent),
    httpx2.ConnectError: ("unreachable", UpstreamFailed),
    httpx2.ReadError: ("broken_off", UpstreamFailed),
    httpx2.RemoteProtocolError: ("not_http", UpstreamFailed),
    NotPassedOn: ("not_passed_on", UpstreamFailed),
    httpx2.UnsupportedProtocol: ("unreachable", UpstreamFailed),
}


class Upstream(Protocol):
    """Whoever answers calls: the pool of connections, or a provider built into Loupe."""

    async def send(
        self, method: str, url: str, headers: HeaderList, body: bytes, *, timeout: float | None = None
    ) -> Reply: ...


class Relay:
    """Carries one call. `run` is the whole story; the client's leaving cancels it from outside."""

    def __init__(
        self,
        exchange: Exchange,
        receive: Receive,
        send: Send,
        loop: asyncio.AbstractEventLoop,
        *,
        pass_redirects: bool = False,
    ) -> None:
        self.loop, self.pass_redirects = loop, pass_redirects
        self.exchange, self.call = exchange, exchange.call
        self.receive, self.send = receive, send
        self.reply: Reply | None = None
        self.started = False
        self.client_left = False
        self.marked = False
        self.line = b""
        self.watcher: asyncio.Task[None] | None = None

    async def run(self, upstream: Upstream, prepare: Callable[[Call], Awaitable[None]] | None = None) -> None:
        """`prepare` does to the call what is left to do before it can be sent."""
        task = asyncio.current_task(self.loop)
        assert task is not None
        self.task = task
        self.exchange.begin()
        watch = self.loop.call_later(WATCH_AFTER_SECONDS, self._watch)
        try:
            try:
                if prepare is not None:
                    await self._prepare(prepare)
                await self._carry(upstream)
            except GatewayError as error:
                await refuse(self.exchange, error, self.send)
            except httpx2.TransportError as error:
                await self._upstream_failed(error)
            except (JournalUnavailable, AnswerBrokenOff):
                raise
            except Exception as error:
                log.exception("call %s failed unexpectedly", self.call.id)
                await self._failed(error)
        except JournalUnavailable as error:
            await self._not_recorded(error)
        except asyncio.CancelledError:
            self._cut_short()
            if not self.client_left:
                raise
        finally:
            watch.cancel()
            self._end("failed", "internal_error", INTERNAL)
            self._stop_watching()
            if self.reply is not None and not self.reply.finished:
                self.reply.abort()

    async def _prepare(self, prepare: Callable[[Call], Awaitable[None]]) -> None:
        """Within the time that the caller allowed for an answer. Raises GatewayError."""
        try:
            async with asyncio.timeout(self.call.timeout):
                await prepare(self.call)
        except TimeoutError:
            raise TooSlow("The time that the caller allowed was over before the request could be sent.") from None
        self.exchange.sent()

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

    def _stop_watching(self) -> None:
        """A cancelled task keeps its traceback, which keeps us: let go of it, or every body waits for the collector."""
        watcher, self.watcher = self.watcher, None
        if watcher is not None:
            watcher.cancel()

    async def _wait_for_leaving(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        if not self.exchange.ended:
            self.client_left = True
            self.task.cancel()

    async def _carry(self, upstream: Upstream) -> None:
        call, exchange = self.call, self.exchange
        exchange.sent_at = time.perf_counter()
        headers = [*call.headers, *(call.credential or ())]
        reply = await upstream.send(call.method, call.url, headers, call.sent_body, timeout=call.timeout)
        self.reply = reply
        exchange.status = reply.status
        self.passing = Passing(self.call, reply, pass_redirects=self.pass_redirects)
        exchange.headers = dict(reply.headers)
        content_type = exchange.headers.get("content-type", "").lower()
        if reply.status >= 400 and not call.native:
            await self._carry_error(reply, content_type)
        elif call.translator is not None and call.stream and is_stream(content_type):
            await self._carry_translated_stream(reply, call.translator)
        elif call.translator is not None:
            await self._carry_translated(reply, call.translator)
        elif reply.status < 400 and content_type.startswith(EVENTS):
            await self._carry_stream(reply, by_line=True)
        elif reply.status < 400 and call.native and call.stream:
            await self._carry_stream(reply, by_line=False)
        else:
            await self._carry_body(reply, whole="json" in content_type)

    async def _carry_stream(self, reply: Reply, *, by_line: bool) -> None:
        """What came goes out at once; of events whole lines, so that an error can follow a broken-off one cleanly."""
        seen, shown = b"", WithoutUsage() if self.call.hides_usage else bytes
        while True:
            chunk = self.passing(await reply.read())
            if reply.finished:
                await self._finish(chunk)
                await self._emit(shown(self.line + chunk), last=True)
                return
            self.exchange.part(chunk)
            out, self.line = _whole_lines(self.line + chunk) if by_line else (chunk, b"")
            seen = seen[-LONGEST_MARK:] + out
            self.marked = self.marked or any(mark in seen for mark in self.call.end_marks)
            if self.marked or (not by_line and seen.rstrip().endswith(b"]")):  # Google's list of answers may end here
                await self.exchange.commit()
            if out := shown(out):
                await self._emit(out)

    async def _carry_body(self, reply: Reply, *, whole: bool) -> None:
        """Any other answer. JSON of usual size is sent in one piece; the rest in the pieces that came, the last one held."""
        held: list[bytes] = []
        size = 0
        deadline = self._limit_whole_answer(reply)
        while True:
            chunk = self.passing(await reply.read())
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
        body = b"".join(held)
        if self.call.route.provider.completes_choices and not self.started:
            body = completed(body)
        await self._emit(body, last=True)

    async def _carry_translated(self, reply: Reply, translator: Translator) -> None:
        """A whole answer in another format than the caller's."""
        body, last = await self._read_whole(reply)
        try:
            told = translator.as_stream(body) if self.call.stream else translator.whole(body)
        except AnswerUnreadable as error:
            name = self.call.route.provider.name
            problem = UpstreamFailed(
                f"{name}: {error}. The request is in the log as {self.call.id}.", code="invalid_answer"
            )
            self.exchange.end("failed", last, failure="invalid_answer", message=str(error))
            await self.exchange.commit()
            await self._tell(problem)
            return
        await self._finish(last)
        await self._answer(reply.status, told, self._kept_headers(EVENTS if self.call.stream else JSON))

    async def _carry_translated_stream(self, reply: Reply, translator: Translator) -> None:
        """A stream in another format: what each piece of it completes goes out at once."""
        while True:
            chunk = self.passing(await reply.read())
            told = translator.feed(chunk)
            if reply.finished:
                await self._finish(chunk)
                await self._emit(told + translator.finish(), last=True)
                return
            self.exchange.part(chunk)
            self.marked = self.marked or translator.done
            if self.marked:
                await self.exchange.commit()
            if told:
                await self._emit(told)

    async def _carry_error(self, reply: Reply, content_type: str) -> None:
        """A provider's error: recorded as it came; told as it came when an SDK can read it, else in the usual shape."""
        body, last = await self._read_whole(reply)
        name = self.call.route.provider.name
        told, retry_after, unreadable = retold(reply.status, body, self.exchange.headers, name)
        await self._finish(last, unreadable if self.call.keep_bodies else "")
        if "json" in content_type and is_openai_shape(body) and self.call.translator is None:
            kept = [(key, value) for key, value in reply.headers if passes(key)]
            await self._answer(reply.status, body, kept)
            return
        headers = self._kept_headers(JSON)
        if retry_after and "retry-after" not in self.exchange.headers:
            headers.append(("retry-after", retry_after))
        await self._answer(reply.status, told, headers)

    async def _read_whole(self, reply: Reply) -> tuple[bytes, bytes]:
        """The body, and the last chunk of it, which is not in the journal yet. Of a huge error the first part is enough.

        Raises:
            httpx2.ReadError: an answer is larger than anybody could mean.
        """
        chunks: list[bytes] = []
        size, failed = 0, reply.status >= 400
        deadline = self._limit_whole_answer(reply)
        while True:
            chunk = self.passing(await reply.read())
            size += len(chunk)
            if not failed and size > ANSWER_BYTES:
                raise httpx2.ReadError(f"its answer is larger than {ANSWER_BYTES >> 20} MiB")
            if not failed or size <= ERROR_BYTES:
                chunks.append(chunk)
            if reply.finished:
                break
            self.exchange.part(chunk)
        if deadline is not None:
            deadline.cancel()
        return b"".join(chunks), chunk

    def _kept_headers(self, content_type: str) -> HeaderList:
        """The provider's headers for an answer whose body is ours."""
        assert self.reply is not None
        kept = [(name, value) for name, value in self.reply.headers if passes(name) and name not in BODY_HEADERS]
        return [("content-type", content_type), *kept]

    async def _finish(self, chunk: bytes, message: str = "") -> None:
        self.exchange.upstream_done_at = time.perf_counter()
        status = self.exchange.status or 0
        self.exchange.first_byte_at = self.exchange.first_byte_at or time.perf_counter()
        self.exchange.end("ok" if status < 400 else "error", chunk, message=message)
        await self.exchange.commit()

    def _limit_whole_answer(self, reply: Reply) -> asyncio.TimerHandle | None:
        """The caller's time limit covers all of a plain answer, and only the head of a stream."""
        fail = getattr(reply, "fail", None)
        if self.call.timeout is None or fail is None:
            return None
        left = self.call.timeout - (time.perf_counter() - self.exchange.sent_at)
        late = httpx2.ReadTimeout("the time that the caller allowed is over")
        return self.loop.call_later(max(left, 0), fail, late)

    async def _emit(self, data: bytes, *, last: bool = False) -> None:
        if not self.started:
            await self._start(len(data) if last else None)
        await self.send({"type": "http.response.body", "body": data, "more_body": not last})

    async def _start(self, length: int | None) -> None:
        assert self.reply is not None
        self.started = True
        self.exchange.first_byte_at = self.exchange.first_byte_at or time.perf_counter()
        translated = self.call.translator is not None
        headers = [(name, value) for name, value in self.reply.headers if passes(name)]
        if translated:
            headers = self._kept_headers(EVENTS)
        given = None if translated else self.exchange.headers.get("content-length")
        if length is not None and self.call.method != "HEAD":
            headers.append(("content-length", str(length)))
        elif given is not None:
            headers.append(("content-length", given))
        await self._send_head(self.reply.status, headers)

    async def _send_head(self, status: int, headers: HeaderList) -> None:
        own = own_headers(self.call.id, self.call.trace_id, self.call.route.provider.name)
        if status >= 400:
            own.append(("x-should-retry", "false"))
        if self.call.warnings:
            own.append(warnings_header(self.call.warnings))
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*headers, *own]]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _answer(self, status: int, body: bytes, headers: HeaderList) -> None:
        self.started = True
        await self._send_head(status, [*headers, ("content-length", str(len(body)))])
        await self.send({"type": "http.response.body", "body": body})

    async def _upstream_failed(self, error: httpx2.TransportError) -> None:
        """Timeout, reset, half a body, no HTTP: record it, and tell the client as well as can still be told."""
        failure, answer = next(
            (FAILURES[cls] for cls in type(error).__mro__ if cls in FAILURES), ("broken_off", UpstreamFailed)
        )
        if self.call.timeout is not None and isinstance(error, httpx2.ReadTimeout):
            failure, answer = "request_timeout", TooSlow
        name = self.call.route.provider.name
        problem = answer(f"{name}: {error}. The request is in the log as {self.call.id}.", code=failure)
        self.exchange.upstream_done_at = time.perf_counter()
        self.exchange.end("failed", failure=failure, message=str(error))
        await self.exchange.commit()
        await self._tell(problem)

    async def _failed(self, error: Exception) -> None:
        """A fault of ours, such as an answer that no reader foresaw: recorded and told like one of the provider's."""
        if self.exchange.ended:
            raise error  # the answer is whole; it was the client who could not be reached
        self.exchange.end("failed", failure="internal_error", message=INTERNAL)
        await self.exchange.commit()
        await self._tell(unexpected(error))

    async def _not_recorded(self, error: JournalUnavailable) -> None:
        log.error("call %s: %s", self.call.id, error)
        await self._tell(NotRecorded(f"The answer came but could not be recorded: {error}."))

    async def _tell(self, problem: GatewayError) -> None:
        body = problem.body(self.call.route.provider.name)
        if not self.started:
            await self._answer(problem.status, body, [("content-type", "application/json")])
        elif self.call.translator or self.exchange.headers.get("content-type", "").lower().startswith(EVENTS):
            told = failure_event(self.call.endpoint, body, problem.message, problem.status)
            await self._emit(b"\n" + told + b"\n\n", last=True)
        else:
            raise AnswerBrokenOff(problem.message)


class AnswerBrokenOff(Exception):
    """The head is sent and the body cannot be completed: raised to the server so that it closes the connection."""


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    end = data.rfind(b"\n") + 1
    if not end and len(data) > HELD_LINE_BYTES:
        return data, b""
    return data[:end], data[end:]
