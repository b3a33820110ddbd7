"""Which hosts may be dialled, and a client that asks before it dials.

A name is resolved once, every answer must be allowed, and the socket is opened to the checked number: so neither a spelling
of an address nor a name that changes its answer leads inside. Private addresses are open only where the operator said so.
"""

from __future__ import annotations

import logging
import math
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from threading import Thread
from typing import Any

import httpcore2
import httpx2

from gateway.network.addresses import Network, is_public

log = logging.getLogger(__name__)

RESOLVE_SECONDS = 3.0
MOST_ADDRESSES = 4
LONGEST_URL = 8192
ANSWER_BYTES = 1024 * 1024
LOOPBACK = ("127.0.0.0/8", "::1/128")
SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]] | None
Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Guard:
    """`names` are hosts (`name` or `name:port`) and `networks` numbers that an operator opened; `ports` are those of others."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] | None = None

    @classmethod
    def of(cls, entries: Iterable[str], *, ports: frozenset[int] | None = None) -> Guard:
        """From a setting: hosts, hosts with a port, networks such as `10.0.0.0/8`, or the word `loopback`."""
        names, networks = set(), []
        for entry in entries:
            if entry == "loopback":
                networks += [ip_network(text) for text in LOOPBACK]
            elif "/" in entry:
                networks.append(ip_network(entry, strict=False))
            else:
                names.add(entry.lower())
        return cls(frozenset(names), tuple(networks), ports)

    def allows(self, host: str, port: int, addresses: Sequence[str]) -> bool:
        """Whether this host may be dialled at these numbers, to which it was resolved."""
        bare = host.strip("[]").lower()
        if {bare, host.lower(), f"{host.lower()}:{port}", f"{bare}:{port}"} & self.names:
            return True
        has_port = self.ports is None or port in self.ports
        return bool(addresses) and all((has_port and is_public(one)) or self._is_open(one) for one in addresses)

    def _is_open(self, address: str) -> bool:
        number = ip_address(address.partition("%")[0])
        return any(number in network for network in self.networks)


def parsed_url(url: str, base: httpx2.URL | None = None) -> httpx2.URL | None:
    """An address that somebody else wrote; None for what is none. Both the parser and its IDNA library refuse some with other errors than they promise."""
    if len(url) > LONGEST_URL:
        return None
    try:
        parsed = base.join(url) if base else httpx2.URL(url)
        str(parsed).encode("ascii")  # an IPv6 zone may hold anything
        parsed.host.encode("idna")
        return parsed
    except (httpx2.InvalidURL, ValueError, IndexError, KeyError):
        return None


class NotReached(Exception):
    """The host was not reached, may not be, or broke off."""


def request(method: str, url: str, *, guard: Guard, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
    """One request to a host that a setting of a virtual key names: status, headers and body.

    Raises:
        NotReached: whatever the reason, which is not told apart.
    """
    backend = GuardedBackend(guard)
    backend.deadline = time.monotonic() + seconds
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    try:
        with (
            httpcore2.ConnectionPool(network_backend=backend, max_keepalive_connections=0) as pool,
            pool.stream(
                method, url, headers=list(headers.items()), content=body, extensions={"timeout": timeouts}
            ) as answer,
        ):
            content = _limited(answer.iter_stream())
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError) as error:
        log.info("%s was not reached: %s", url.partition("?")[0], error)
        raise NotReached(type(error).__name__) from None
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
    return answer.status, named, content


def _limited(pieces: Iterable[bytes]) -> bytes:
    read = b""
    for piece in pieces:
        read += piece
        if len(read) > ANSWER_BYTES:
            raise NotReached("the answer is larger than any token")
    return read


class GuardedBackend(httpcore2.NetworkBackend):
    """Resolves, checks, dials the number, checks the peer."""

    def __init__(self, guard: Guard) -> None:
        self.inner = httpcore2.SyncBackend()
        self.deadline = math.inf
        self.guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore2.NetworkStream:
        addresses = self.resolve(host, port)
        if not self.guard.allows(host, port, addresses):
            log.info("refused: %s:%d is %s", host, port, addresses)
            raise httpcore2.ConnectError("refused")
        error: Exception = httpcore2.ConnectError("no address")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                stream = self.dial(address, port, timeout)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
                continue
            peer = stream.get_extra_info("server_addr")
            if peer and peer[0].partition("%")[0] != address:
                stream.close()
                raise httpcore2.ConnectError("connected elsewhere")
            return _Hurried(stream, self.deadline)
        raise error

    def resolve(self, host: str, port: int) -> list[str]:
        found = resolved(host, port, min(max(self.deadline - time.monotonic(), 0), RESOLVE_SECONDS))
        if not found:
            raise httpcore2.ConnectError("no such host")
        return found

    def dial(self, address: str, port: int, timeout: float | None) -> httpcore2.NetworkStream:
        return self.inner.connect_tcp(address, port, timeout=timeout)


def resolved(host: str, port: int, seconds: float = RESOLVE_SECONDS) -> list[str]:
    """All addresses of a name; none when it has none, or was not resolved in time.

    A resolver takes no time limit, so it is asked in a thread that may be left behind.
    """
    asked: Future[list[str]] = Future()
    Thread(target=_look_up, args=(host.strip("[]"), port, asked), daemon=True).start()
    try:
        return asked.result(seconds)
    except (OSError, ValueError, OverflowError, TimeoutError):
        return []


def _look_up(host: str, port: int, asked: Future[list[str]]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        asked.set_result(list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found)))
    except (OSError, ValueError, OverflowError) as error:
        asked.set_exception(error)


class _Hurried(httpcore2.NetworkStream):
    """A stream on which no wait goes beyond the deadline of the whole fetch, however the bytes drip in."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self.stream, self.deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self.stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _Hurried(secured, self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the fetch took too long")
        return min(left, timeout) if timeout is not None else left
