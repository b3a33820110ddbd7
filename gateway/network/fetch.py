"""The guarded client: the only way in which Loupe opens an address that a request named.

One URL parser (httpx2's) decides and dials. A name is resolved once, every answer must be public, the socket is opened to
the checked number and its peer compared. No proxy variables, cookies, credentials, keep-alive or compression; every
redirect is checked as if it were new. Whatever is refused by policy reads the same to the caller as a host that does not answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpcore2
import httpx2

from gateway.network.guard import Guard, GuardedBackend, parsed_url

MOST_REDIRECTS = 3
MARKER = "x-loupe-fetch"
HEADERS = [
    ("accept", "image/*,*/*;q=0.5"),
    ("accept-encoding", "identity"),
    ("user-agent", "loupe/0.1 (image copy)"),
    (MARKER, "1"),
]


class FetchFailed(Exception):
    """The picture was not fetched; the text is for people, and names no inner address."""


class Fetcher:
    """Gets one picture at a time."""

    def __init__(
        self,
        *,
        max_bytes: int,
        seconds: float,
        guard: Guard,
        backend: GuardedBackend | None = None,
    ) -> None:
        self.max_bytes, self.seconds = max_bytes, seconds
        self.backend = backend or GuardedBackend(guard)

    def get(self, url: str) -> bytes:
        """The bytes behind a link.

        Raises:
            FetchFailed: with a reason for the log.
        """
        deadline = time.monotonic() + self.seconds
        self.backend.deadline = deadline
        pool = httpcore2.ConnectionPool(
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
        self, pool: httpcore2.ConnectionPool, url: httpx2.URL, deadline: float
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
            httpcore2.TimeoutException,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.UnsupportedProtocol,
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


def _checked(url: str, *, base: httpx2.URL | None = None) -> httpx2.URL:
    parsed = parsed_url(url, base)
    if parsed is None or parsed.scheme not in ("http", "https") or not parsed.host:
        raise FetchFailed("it is not an http or https address")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise FetchFailed("the address names a port that does not exist")
    if parsed.userinfo:
        raise FetchFailed("the address holds a user name or password")
    return parsed


def _checked_answer(status: int, body: bytes) -> bytes:
    if status != 200:
        raise FetchFailed(f"the host answered {status}")
    if not body:
        raise FetchFailed("the host answered with an empty body")
    return body
