"""The guarded client: the only way in which Loupe opens an address that a request named.

One URL parser (httpx's) decides and dials. A name is resolved once, every answer must be public, the socket is opened to
the checked number and its peer compared. No proxy variables, cookies, credentials, keep-alive or compression; every
redirect is checked as if it were new. Whatever is refused by policy reads the same to the caller as a host that does not answer.
"""

from __future__ import annotations

import logging
import math
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Any

import httpcore
import httpx

from gateway.network.addresses import is_public

log = logging.getLogger(__name__)

PORTS = frozenset({80, 443})
MOST_REDIRECTS = 3
RESOLVE_SECONDS = 3.0
MOST_ADDRESSES = 4
LONGEST_URL = 8192
MARKER = "x-loupe-fetch"
HEADERS = [
    ("accept", "image/*,*/*;q=0.5"),
    ("accept-encoding", "identity"),
    ("user-agent", "loupe/0.1 (image copy)"),
    (MARKER, "1"),
]
SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]] | None


class FetchFailed(Exception):
    """The picture was not fetched; the text is for people, and names no inner address."""


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves, checks, dials the number, checks the peer. `open_hosts` may be private: an operator named them."""

    def __init__(self, open_hosts: Collection[str]) -> None:
        self.inner = httpcore.SyncBackend()
        self.deadline = math.inf
        self.open_hosts = open_hosts

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        addresses = self.resolve(host, port)
        opened = host in self.open_hosts or f"{host}:{port}" in self.open_hosts
        if not opened and (port not in PORTS or not all(is_public(address) for address in addresses)):
            log.info("fetch refused: %s:%d is %s", host, port, addresses)
            raise httpcore.ConnectError("refused")
        error: Exception = httpcore.ConnectError("no address")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                stream = self.dial(address, port, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
                continue
            peer = stream.get_extra_info("server_addr")
            if peer and peer[0].partition("%")[0] != address:
                stream.close()
                raise httpcore.ConnectError("connected elsewhere")
            return _Hurried(stream, self.deadline)
        raise error

    def resolve(self, host: str, port: int) -> list[str]:
        """All addresses of a name. A resolver takes no time limit, so it is asked in a thread that may be left behind."""
        asked: Future[list[str]] = Future()
        Thread(target=_look_up, args=(host.strip("[]"), port, asked), daemon=True).start()
        try:
            return asked.result(min(max(self.deadline - time.monotonic(), 0), RESOLVE_SECONDS))
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except (OSError, ValueError, OverflowError):
            raise httpcore.ConnectError("no such host") from None

    def dial(self, address: str, port: int, timeout: float | None) -> httpcore.NetworkStream:
        return self.inner.connect_tcp(address, port, timeout=timeout)


def _look_up(host: str, port: int, asked: Future[list[str]]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        asked.set_result(list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found)))
    except (OSError, ValueError, OverflowError) as error:
        asked.set_exception(error)


class _Hurried(httpcore.NetworkStream):
    """A stream on which no wait goes beyond the deadline of the whole fetch, however the bytes drip in."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self.stream, self.deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self.stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _Hurried(secured, self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the fetch took too long")
        return min(left, timeout) if timeout is not None else left


class Fetcher:
    """Gets one picture at a time."""

    def __init__(
        self,
        *,
        max_bytes: int,
        seconds: float,
        open_hosts: Collection[str],
        backend: GuardedBackend | None = None,
    ) -> None:
        self.max_bytes, self.seconds = max_bytes, seconds
        self.backend = backend or GuardedBackend(open_hosts)

    def get(self, url: str) -> bytes:
        """The bytes behind a link.

        Raises:
            FetchFailed: with a reason for the log.
        """
        deadline = time.monotonic() + self.seconds
        self.backend.deadline = deadline
        pool = httpcore.ConnectionPool(
            network_backend=self.backend, max_keepalive_connections=0, http1=True, http2=False, retries=0
        )
        with pool:
            target = _checked(url)
            for _ in range(MOST_REDIRECTS + 1):
                status, headers, body = self._once(pool, target, deadline)
                if status not in (301, 302, 303, 307, 308):
                    return _checked_answer(status, body)
                target = _checked(headers.get("location", ""), base=target)
        raise FetchFailed(f"more than {MOST_REDIRECTS} redirects")

    def _once(
        self, pool: httpcore.ConnectionPool, url: httpx.URL, deadline: float
    ) -> tuple[int, dict[str, str], bytes]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise FetchFailed(f"it took longer than {self.seconds:g} s")
        extensions: dict[str, Any] = {
            "timeout": dict.fromkeys(("connect", "read", "write", "pool"), min(left, 3.0) if left > 3 else left)
        }
        try:
            with pool.stream("GET", str(url), headers=HEADERS, extensions=extensions) as response:
                headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status in (301, 302, 303, 307, 308):
                    return response.status, headers, b""
                if headers.get("content-encoding", "identity").lower() != "identity":
                    raise FetchFailed("it is compressed, which was not asked for")
                body = self._limited(response.iter_stream(), deadline) if response.status == 200 else b""
                return response.status, headers, body
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
            UnicodeError,
        ):
            if time.monotonic() >= deadline:
                raise FetchFailed(f"it took longer than {self.seconds:g} s") from None
            raise FetchFailed("the host was not reached, or it broke off") from None

    def _limited(self, chunks: Iterator[bytes], deadline: float) -> bytes:
        pieces, size = [], 0
        for chunk in chunks:
            size += len(chunk)
            if size > self.max_bytes:
                raise FetchFailed(f"it is larger than {self.max_bytes >> 20} MiB")
            if time.monotonic() > deadline:
                raise FetchFailed(f"it took longer than {self.seconds:g} s")
            pieces.append(chunk)
        return b"".join(pieces)


def _checked(url: str, *, base: httpx.URL | None = None) -> httpx.URL:
    parsed = _parsed(url, base)
    if parsed is None or parsed.scheme not in ("http", "https") or not parsed.host:
        raise FetchFailed("it is not an http or https address")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise FetchFailed("the address names a port that does not exist")
    if parsed.userinfo:
        raise FetchFailed("the address holds a user name or password")
    return parsed


def _parsed(url: str, base: httpx.URL | None) -> httpx.URL | None:
    """None for what is no address. Both the parser and its IDNA library refuse some with other errors than they promise."""
    if len(url) > LONGEST_URL:
        return None
    try:
        parsed = base.join(url) if base else httpx.URL(url)
        str(parsed).encode("ascii")  # an IPv6 zone may hold anything
        parsed.host.encode("idna")
        return parsed
    except (httpx.InvalidURL, ValueError, IndexError, KeyError):
        return None


def _checked_answer(status: int, body: bytes) -> bytes:
    if status != 200:
        raise FetchFailed(f"the host answered {status}")
    if not body:
        raise FetchFailed("the host answered with an empty body")
    return body
