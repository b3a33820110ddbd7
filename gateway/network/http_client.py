"""The HTTP/1.1 client of the fast path: a pool of connections over asyncio and llhttp (httptools), in httpx2's vocabulary.

httpx2's own request and response objects cost more than all the rest of a relayed call, so this transport hands over raw
bytes; errors are httpx2's classes, addresses are `httpx2.URL`. What it does not do on purpose: redirects, cookies,
decompression, proxies from the environment. A body is never sent twice once a byte of an answer came.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import deque
from typing import Protocol, cast

import httptools
import httpx2

from gateway.network.guard import MOST_ADDRESSES, Guard
from gateway.network.request_head import HeaderList, Origin, request_head

log = logging.getLogger(__name__)

HIGH_WATER = 256 * 1024
IDLE_KEPT_SECONDS = 30.0
SWEEP_SECONDS = 0.25
STALE_SECONDS = 0.1
HEADER_BYTES, HEADER_COUNT, HIGHEST_STATUS = 128 * 1024, 256, 599


class Reply(Protocol):
    """An answer on its way. `read` gives what has come, at least a byte, and b"" at the end."""

    status: int
    headers: HeaderList

    @property
    def finished(self) -> bool:
        """The whole answer has come and been read."""
        ...

    async def read(self) -> bytes: ...

    def abort(self) -> None:
        """Break off: the connection is closed at once and reading ends with `httpx2.ReadError`."""
        ...


class Answer:
    """One answer, filled by its connection and read by the relay; outlives the connection's next call."""

    def __init__(self, connection: Connection, method: str) -> None:
        self.connection: Connection | None = connection
        self.loop = connection.loop
        self.method = method
        self.status = 0
        self.headers: HeaderList = []
        self.chunks: deque[bytes] = deque()
        self.queued = self.received = self.head_bytes = 0
        self.expected: int | None = None
        self.head_came = self.complete = self.length_known = self.reusable = False
        self.overrun = False  # bytes of a second answer followed, which nobody asked for
        self.error: httpx2.TransportError | None = None
        self.waiter: asyncio.Future[None] | None = None

    @property
    def finished(self) -> bool:
        return self.complete and not self.chunks

    async def wait_head(self) -> None:
        while not self.head_came:
            if self.error:
                raise self.error
            await self._wait()

    async def read(self) -> bytes:
        while not self.chunks:
            if self.complete:
                return b""
            if self.error:
                raise self.error
            await self._wait()
        data = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks.clear()
        if self.queued > HIGH_WATER and self.connection is not None:
            self.connection.heard_at = self.loop.time()  # it was we who did not listen
            self.connection.transport.resume_reading()
        self.queued = 0
        return data

    def abort(self) -> None:
        self.fail(httpx2.ReadError("broken off"))

    def fail(self, error: httpx2.TransportError) -> None:
        """End the answer with this error and close its connection; nothing when it is complete or has failed."""
        if self.complete or self.error:
            return
        self.error = error
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.drop()
        self.wake()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def _wait(self) -> None:
        self.waiter = self.loop.create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None

    # llhttp's side

    def on_message_begin(self) -> None:
        self.overrun = self.overrun or self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_came:
            if len(self.headers) >= HEADER_COUNT:
                self.fail(httpx2.RemoteProtocolError(f"its answer has more than {HEADER_COUNT} headers"))
                return
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self.complete or self.connection is None:
            return
        self.status = self.connection.parser.get_status_code()
        if self.status < 200:
            self.headers = []
            return
        if self.status > HIGHEST_STATUS:
            self.fail(httpx2.RemoteProtocolError(f"its status is {self.status}, which HTTP does not know"))
            return
        self.head_came = True
        for name, value in self.headers:
            if name == "content-length":
                self.length_known, self.expected = True, int(value) if value.isdigit() else None
            elif name == "transfer-encoding":
                self.length_known = True
        if self.method == "HEAD" or self.status in (204, 304):
            self.length_known = self.complete = True

    def on_body(self, data: bytes) -> None:
        if self.complete:
            return
        self.chunks.append(data)
        self.queued += len(data)
        self.received += len(data)

    def on_message_complete(self) -> None:
        if self.head_came and not self.complete and self.connection is not None:
            self.complete = True
            self.reusable = self.length_known and self.connection.parser.should_keep_alive()


class Connection(asyncio.Protocol):
    """One connection, carrying one answer at a time."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self.pool, self.origin = pool, origin
        self.loop = pool.loop
        self.transport: asyncio.Transport
        self.parser: httptools.HttpResponseParser
        self.answer: Answer | None = None
        self.lost = self.untouched = False
        self.idle_since = self.heard_at = 0.0

    def start(self, method: str, head: bytes, body: bytes) -> Answer:
        answer = self.answer = Answer(self, method)
        self.parser = httptools.HttpResponseParser(answer)
        self.untouched = True
        self.heard_at = self.loop.time()
        self.transport.writelines([head, body] if body else [head])
        return answer

    def drop(self) -> None:
        """Close at once; whatever was on its way is thrown away."""
        self.answer = None
        if not self.lost:
            self.transport.abort()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        answer = self.answer
        if answer is None:  # bytes that nobody asked for
            self.drop()
            return
        self.untouched = False
        self.heard_at = self.loop.time()
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            answer.fail(httpx2.RemoteProtocolError(f"the answer is not HTTP/1.1: {error}"))
            return
        if not answer.head_came:
            answer.head_bytes += len(data)
            if answer.head_bytes > HEADER_BYTES:
                answer.fail(httpx2.RemoteProtocolError(f"its headers are larger than {HEADER_BYTES >> 10} KiB"))
                return
        if answer.complete:
            self._done(answer)
        elif answer.queued > HIGH_WATER:
            self.transport.pause_reading()
        answer.wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.pool.forget(self)
        answer, self.answer = self.answer, None
        if answer is None:
            return
        if answer.head_came and not answer.length_known and exc is None:
            answer.complete = True  # a body without a length ends with the connection
            answer.wake()
        elif not answer.head_came:
            answer.fail(httpx2.RemoteProtocolError("the provider closed the connection without an answer"))
        else:
            answer.fail(httpx2.ReadError(_broken_off(answer, exc)))

    def _done(self, answer: Answer) -> None:
        """Give the connection back, or close it when it cannot carry another call."""
        self.answer = answer.connection = None
        if answer.reusable and not answer.overrun and not self.transport.get_write_buffer_size():
            self.pool.give_back(self)
        else:
            self.transport.close()


def _broken_off(answer: Answer, exc: Exception | None) -> str:
    how = "reset the connection" if isinstance(exc, ConnectionResetError) else "closed the connection"
    of = f" of {answer.expected}" if answer.expected is not None else ""
    return f"the provider {how} after {answer.received}{of} bytes of its answer"


class Pool:
    """Connections by origin. One pool a process, made inside its event loop."""

    def __init__(self, *, connect_seconds: float, idle_seconds: float, guard: Guard) -> None:
        self.connect_seconds, self.idle_seconds, self.guard = connect_seconds, idle_seconds, guard
        self.idle: dict[Origin, list[Connection]] = {}
        self.open: set[Connection] = set()
        self.tls = ssl.create_default_context()
        self.tls.set_alpn_protocols(["http/1.1"])
        self.loop = asyncio.get_running_loop()
        self.sweeper = self.loop.create_task(self._sweep())

    async def send(
        self, method: str, url: str, headers: HeaderList, body: bytes, *, timeout: float | None = None
    ) -> Answer:
        """Send one request; answers when the head of the reply is there.

        Args:
            timeout: seconds until the head must have come, when the caller set a limit of its own.

        Raises:
            httpx2.TransportError: ConnectTimeout, ConnectError, ReadTimeout, RemoteProtocolError, ReadError.
            httpx2.InvalidURL: the address cannot be used.
        """
        origin, head = request_head(method, url, headers, len(body))
        async with _within(timeout):
            connection, reused = await self._take(origin)
            sent_at = self.loop.time()
            try:
                return await _head_of(connection.start(method, head, body))
            except (httpx2.RemoteProtocolError, httpx2.ReadError):
                if not (reused and connection.untouched and self.loop.time() - sent_at < STALE_SECONDS):
                    raise
            # A kept connection that ended the moment we wrote to it: the provider was closing it and never saw our request.
            connection = await self._connect(origin)
            return await _head_of(connection.start(method, head, body))

    async def close(self) -> None:
        self.sweeper.cancel()
        for connection in list(self.open):
            connection.drop()

    def give_back(self, connection: Connection) -> None:
        connection.idle_since = connection.loop.time()
        self.idle.setdefault(connection.origin, []).append(connection)

    def forget(self, connection: Connection) -> None:
        self.open.discard(connection)
        kept = self.idle.get(connection.origin, [])
        if connection in kept:
            kept.remove(connection)

    async def _take(self, origin: Origin) -> tuple[Connection, bool]:
        kept = self.idle.get(origin, [])
        while kept:
            connection = kept.pop()
            if not connection.transport.is_closing():
                return connection, True
        return await self._connect(origin), False

    async def _connect(self, origin: Origin) -> Connection:
        _, host, port = origin
        try:
            async with asyncio.timeout(self.connect_seconds):
                addresses = await self._addresses(host, port)
                connection = await self._dial(origin, addresses)
        except TimeoutError:
            raise httpx2.ConnectTimeout(f"no connection to {host}:{port} within {self.connect_seconds:g} s") from None
        except ssl.SSLError as error:
            raise httpx2.ConnectError(f"TLS with {host}:{port} failed: {error.reason}") from error
        except (OSError, ValueError) as error:
            raise httpx2.ConnectError(f"no connection to {host}:{port}: {_reason(error)}") from error
        self.open.add(connection)
        return connection

    async def _addresses(self, host: str, port: int) -> list[str]:
        """The numbers of a host, all of which may be dialled."""
        found = await self.loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if not self.guard.allows(host, port, addresses):
            log.warning("refused: %s:%d is %s", host, port, addresses)
            raise httpx2.ConnectError(
                f"{host} is not a public address. Whoever runs Loupe can open it with LOUPE_PROVIDER_HOSTS"
            )
        return addresses

    async def _dial(self, origin: Origin, addresses: list[str]) -> Connection:
        """A connection to the first of the numbers that takes it."""
        scheme, host, port = origin
        secure, name = (self.tls, host.strip("[]")) if scheme == "https" else (None, None)
        failed: OSError = OSError("no address")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self, origin), address, port, ssl=secure, server_hostname=name
                )
                return connection
            except OSError as error:
                failed = error
        raise failed

    async def _sweep(self) -> None:
        """Close what has been idle too long; end answers whose provider has gone silent."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = self.loop.time()
            for connection in list(self.open):
                answer = connection.answer
                if answer is None:
                    if now - connection.idle_since > IDLE_KEPT_SECONDS:
                        connection.transport.close()
                elif now - connection.heard_at > self.idle_seconds and not answer.queued:
                    answer.fail(httpx2.ReadTimeout(f"the provider sent nothing for {self.idle_seconds:g} s"))


async def _head_of(answer: Answer) -> Answer:
    try:
        await answer.wait_head()
    except asyncio.CancelledError:
        answer.abort()
        raise
    return answer


class _within:
    """`asyncio.timeout` that costs nothing when there is no limit and raises httpx2's error when there is."""

    def __init__(self, seconds: float | None) -> None:
        self.timeout = asyncio.timeout(seconds) if seconds is not None else None

    async def __aenter__(self) -> None:
        if self.timeout is not None:
            await self.timeout.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        if self.timeout is None:
            return
        try:
            await self.timeout.__aexit__(*raised)  # type: ignore[arg-type]
        except TimeoutError:
            raise httpx2.ReadTimeout("the time that the caller allowed is over") from None


def _reason(error: OSError | ValueError) -> str:
    """What a person needs; whether a port is open or closed is told in the server's own log only."""
    return "its name was not found" if isinstance(error, socket.gaierror | ValueError) else "it does not answer"
