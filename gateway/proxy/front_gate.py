"""The first thing that every request meets: caps, Host, and the way to the proxy or to Django.

Django's ASGI handler spools any body to disk before it routes or logs anyone in, and no ASGI server caps one, so the caps
are here. A refusal before the body is read discards a bounded rest of it first: a client that is still sending would
otherwise see a reset connection and not the answer.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from gateway.errors import (
    BadRequest,
    GatewayError,
    HeadersTooLarge,
    NotFound,
    Overloaded,
    TooLarge,
    TooSlow,
    Unauthorized,
    unexpected,
)
from gateway.ids import uuid7
from gateway.network.addresses import Network, address_group, client_address
from gateway.network.cors import allowed_origin, preflight, with_origin
from gateway.proxy.answer_headers import own_headers
from gateway.proxy.call_options import read_call_options
from gateway.proxy.proxy import ClientGone, Proxy
from gateway.proxy.refusal import send_error
from gateway.proxy.relay import AnswerBrokenOff
from gateway.shares import Shares
from gateway.upstream.call import Message, Receive, Send

log = logging.getLogger(__name__)

HEADER_BYTES = 64 * 1024
HEADER_COUNT = 100
PAGE_BODY_BYTES = 1024 * 1024
PAGE_BODY_SECONDS, PAGE_BYTES_A_SECOND = 20.0, 64 * 1024
STRANGER_BODY_BYTES = 16 * 1024  # a login is far smaller
STRANGER_BODY_SECONDS = 10.0
UPLOADS_AT_ONCE = 8  # Django spools a body to disk
DISCARD_BYTES = 64 * 1024 * 1024
DISCARD_SECONDS, SHORT_DISCARD_SECONDS = 30.0, 5.0
DISCARDS_AT_ONCE = 512
FETCH_MARKER = "x-loupe-fetch"  # on every fetch of ours, see fetch.py
SLASHES = re.compile(r"//+")
PICTURES = re.compile(r"/w/[^/]+/pictures")  # where the prompt editor uploads them
IMPORT = re.compile(r"/w/[^/]+/sets/[^/]+/import")  # where many come at once, with the cases they are of
# Paths below /v1 that Django answers; every other one is relayed.
API = re.compile(r"/v1(?:beta1?)?/")  # the betas are Google's, whose SDKs name them
DJANGO_V1 = re.compile(r"/v1/(logs|feedback|labels|collections|prompts(?!/[^/]+/(completions|render)/?$))(/|$)")

# Well-known clients' own: /v1 added to a base URL that ends in it, and Azure's form of it.
DOUBLED = re.compile(r"\A/v1(?=/v1(?:beta1?)?/)")
AZURE_V1 = re.compile(r"\A/openai/v1(?=/)")
GOOGLE_UPLOAD = re.compile(r"\A/upload/(v1(?:beta1?)?)(?=/)")
AZURE_DEPLOYMENT = re.compile(
    r"/openai/deployments/(?P<name>.+?)(?P<endpoint>/(?:chat/completions|completions|embeddings|responses|(?:images|audio)/\w+))/?"
)
PAGES = re.compile(r"/(?:w|static|login|logout|account|join|oidc|metrics)?(?:/|\Z)")
CLIENT_HEADERS = (
    "authorization", "x-api-key", "x-goog-api-key", "api-key", "x-portkey-api-key", "x-portkey-virtual-key",
    "x-portkey-provider", "x-portkey-config", "x-stainless-lang",
)  # fmt: skip

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(slots=True)
class FrontGate:
    """One a process. `hosts` are the names that Host may say; "*" opens it. `proxies` are the operator's own.

    `session_of` answers the session of somebody who is logged in from a Cookie header, or nothing.
    """

    proxy: Proxy
    django: Asgi
    hosts: Sequence[str]
    proxies: Sequence[Network]
    session_of: Callable[[str], Awaitable[str]]
    idle_seconds: float
    picture_bytes: int
    import_bytes: int
    origins: Sequence[str] = ()
    base_path: str = ""
    uploads: Shares = field(default_factory=lambda: Shares(UPLOADS_AT_ONCE))
    discarding: int = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = as_api(self._inner(SLASHES.sub("/", _raw_path(scope))), scope)
        if path in ("/healthz", "/readyz"):  # whoever asks and by whatever name: a probe knows an address only
            await self._health(path, send)
            return
        counted = _Counted(receive)
        origin = allowed_origin(scope, self.origins) if API.match(path) else ""
        if origin:
            send = with_origin(send, origin)
            if scope["method"] == "OPTIONS":
                await preflight(send)
                return
        try:
            headers = self._checked_headers(scope["headers"])
            if self.proxies or not scope.get("client"):
                scope = {**scope, "client": (self._address(scope, headers), 0)}
            await self._answer(path, scope, headers, counted, send)
        except GatewayError as error:
            if "expect" not in headers_of(scope) or counted.begun:
                await self._discard_rest(counted, error)
            await send_error(send, error, own=_own(headers_of(scope)), close=True)
        except ClientGone:  # or it is there, and what it sent is no HTTP body
            broken = BadRequest("The request's body broke off, or its chunks are malformed.", code="bad_body")
            await send_error(send, broken, own=_own(headers_of(scope)), close=True)
        except AnswerBrokenOff:
            raise
        except Exception as error:
            log.exception("unexpected failure on %s", path)
            await send_error(send, unexpected(error), own=_own({}))

    def _inner(self, path: str) -> str:
        """Below the base path, whether or not the proxy has taken that off."""
        rest = path.removeprefix(self.base_path)
        return rest or "/" if rest[:1] in ("", "/") else path

    async def _answer(self, path: str, scope: Message, headers: dict[str, str], receive: _Counted, send: Send) -> None:
        version = API.match(path)
        if version and not DJANGO_V1.match(path):
            _check_segments(path)
            _take_key_of_query(scope, headers)
            scope["version"] = version[0].strip("/")
            await self.proxy(path[version.end() - 1 :].rstrip("/") or "/", scope, headers, receive, send)
        elif path == "/v1":
            raise NotFound("/v1 is the base URL; an endpoint such as /v1/chat/completions follows it.")
        elif not version and asks_as_client(headers) and not PAGES.match(path):
            raise NotFound(
                f"{scope['method']} {path[:200]} is no path of Loupe's API. The base URL of an SDK ends in /v1, as in "
                f"http://{headers.get('host', 'localhost')}{self.base_path}/v1 (Google's and Anthropic's SDKs add it themselves).",
                code="wrong_base_url",
            )
        else:
            await self._page(unquote(path), scope, headers, receive, send)

    def _checked_headers(self, raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
        """Lower-case names to values; the first `host` must be the only one."""
        if len(raw) > HEADER_COUNT or sum(len(name) + len(value) for name, value in raw) > HEADER_BYTES:
            raise HeadersTooLarge(
                f"More than {HEADER_COUNT} headers or {HEADER_BYTES >> 10} KiB of them. "
                "Images and long metadata belong in the body."
            )
        headers: dict[str, str] = {}
        for name, value in raw:
            key = name.decode("latin-1").lower()
            if key == "host" and key in headers:
                raise BadRequest("The request has two Host headers.", code="bad_host")
            headers.setdefault(key, value.decode("latin-1"))
        self._check_host(headers.get("host", ""))
        if FETCH_MARKER in headers:
            raise BadRequest("Loupe does not fetch pictures from itself.", code="fetch_loop")
        return headers

    def _check_host(self, host: str) -> None:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if "*" not in self.hosts and name.lower() not in self.hosts:
            raise BadRequest(
                f"This Loupe does not answer to the host {name[:100]!r}. "
                "Whoever runs it can add the name to LOUPE_ALLOWED_HOSTS.",
                code="bad_host",
            )

    async def _health(self, path: str, send: Send) -> None:
        takes = not (self.proxy.journal.full and self.proxy.limits.recording_required)
        ready = path == "/healthz" or (self.proxy.keys.ready and takes)
        body = b'{"status":"ok"}' if ready else b'{"status":"not ready"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200 if ready else 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _address(self, scope: Message, headers: dict[str, str]) -> str:
        peer = scope["client"][0] if scope.get("client") else ""
        return client_address(peer, headers.get("x-forwarded-for", ""), self.proxies)

    async def _page(self, path: str, scope: Message, headers: dict[str, str], receive: _Counted, send: Send) -> None:
        """Django's part, behind caps on bytes and time, which are tight until it is known who sends."""
        if "\0" in path or b"%00" in scope["query_string"]:
            raise BadRequest("The address holds a NUL, which no name here has.")
        length, most = headers.get("content-length", "0"), self._most(path)
        if not length.isdigit() or int(length) > most:
            raise TooLarge(f"{path} takes at most {most >> 20} MiB.")
        client = (address_group(scope["client"][0]), 0)
        outer = self.base_path + path
        scope = {**scope, "client": client, "path": outer, "raw_path": outer.encode("utf-8", "surrogateescape")}
        if length == "0" and "transfer-encoding" not in headers:
            await self.django(scope, receive, send)
            return
        sender = await self._sender(path, headers, client[0])
        if sender:
            await self._page_with_body(sender, most, int(length), scope, receive, send)
            return
        with self.proxy.strangers.place(client[0]):
            await self.django(scope, await self._body_of_stranger(int(length), receive), send)

    async def _page_with_body(
        self, sender: Hashable, most: int, length: int, scope: Message, receive: _Counted, send: Send
    ) -> None:
        is_upload = most > PAGE_BODY_BYTES
        if is_upload and not self.uploads.take(1, sender):
            raise Overloaded("Too many pictures are being uploaded at once. Try again in a few seconds.")
        seconds = PAGE_BODY_SECONDS + (length or most) / PAGE_BYTES_A_SECOND
        try:
            await self.django(scope, _capped(receive, self.idle_seconds, seconds, most), send)
        finally:
            if is_upload:
                self.uploads.give_back(1, sender)

    async def _sender(self, path: str, headers: dict[str, str], address: str) -> int | str:
        """Whose key or session it is that comes with a page; nothing for that of nobody."""
        if DJANGO_V1.match(path):
            holder = await self.proxy.holder_of(read_call_options(headers).gateway_key, address)
            return holder.id if holder else ""
        return await self.session_of(headers["cookie"]) if "cookie" in headers else ""

    async def _body_of_stranger(self, length: int, receive: _Counted) -> _Counted:
        """Read whole before anything of Django's is begun for it."""
        if length > STRANGER_BODY_BYTES:
            raise Unauthorized(
                f"Whoever is not logged in, or has no key that is known here, may send {STRANGER_BODY_BYTES >> 10} KiB. "
                "Log in again."
            )
        capped, pieces = _capped(receive, self.idle_seconds, STRANGER_BODY_SECONDS, STRANGER_BODY_BYTES), []
        while not receive.whole:
            pieces.append(await capped())
        return _Counted(_replayed(pieces, receive))

    async def _discard_rest(self, receive: _Counted, error: GatewayError) -> None:
        """Read on, so that whoever is still sending sees the answer and not a reset; not for too many, nor for long."""
        if self.discarding >= DISCARDS_AT_ONCE or receive.whole:
            return
        self.discarding += 1
        is_sending = isinstance(error, Overloaded | TooLarge)  # one that is late has stalled, a stranger gets less
        seconds = DISCARD_SECONDS if is_sending else SHORT_DISCARD_SECONDS
        try:
            await _discard(receive, seconds)
        finally:
            self.discarding -= 1

    def _most(self, path: str) -> int:
        if IMPORT.fullmatch(path):
            return self.import_bytes
        return self.picture_bytes if PICTURES.fullmatch(path) else PAGE_BODY_BYTES


def as_api(path: str, scope: Message) -> str:
    """The path below /v1 that is meant by those of well-known clients: with the base URL's /v1 twice, or Azure's own.

    Azure's classic client names the deployment in the path, which is noted in the scope, and a version in the query, which
    the virtual key knows for itself.
    """
    if match := AZURE_DEPLOYMENT.fullmatch(path):
        pairs = scope["query_string"].split(b"&")
        scope["query_string"] = b"&".join(pair for pair in pairs if not pair.startswith(b"api-version="))
        scope["deployment"] = unquote(match["name"])
        return f"/v1{match['endpoint']}"
    return GOOGLE_UPLOAD.sub(r"/\1/upload", AZURE_V1.sub("/v1", DOUBLED.sub("", path)))


def asks_as_client(headers: dict[str, str]) -> bool:
    """Whether the request comes from an SDK: no browser sends these."""
    return any(name in headers for name in CLIENT_HEADERS)


def _raw_path(scope: Message) -> str:
    """The path as it was written: what is escaped stays so, since the provider is to get the same."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _check_segments(path: str) -> None:
    """No dot segment in any spelling: it would lead out of the provider's base URL, with its key."""
    if any(
        unquote(unquote(segment)).strip() in (".", "..")
        for segment in re.split(r"/|%2f|%5c|\\", path, flags=re.IGNORECASE)
    ):
        raise BadRequest("The path holds '.' or '..' segments, which are not passed on.", code="bad_path")


def _take_key_of_query(scope: Message, headers: dict[str, str]) -> None:
    """Google's REST examples show the key as `?key=`; it counts as their header does."""
    query = scope["query_string"]
    if b"key=" in query and "x-goog-api-key" not in headers:
        given = parse_qs(query.decode("latin-1")).get("key")
        if given:
            headers["x-goog-api-key"] = given[0]
    if b"x-portkey-virtual-key=" in query:  # of an upload, see `inbound`
        named = parse_qs(query.decode("latin-1")).get("x-portkey-virtual-key", [""])
        headers.setdefault("x-portkey-virtual-key", named[0])


class _Counted:
    """`receive`, remembering whether the body is whole."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.begun = self.whole = False

    async def __call__(self) -> Message:
        self.begun = True
        message = await self.receive()
        self.whole = self.whole or not message.get("more_body")
        return message


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    """What was read, then whatever comes."""
    left = iter(messages)

    async def replay() -> Message:
        return next(left, None) or await receive()

    return replay


def _capped(receive: _Counted, idle_seconds: float, seconds: float, most: int) -> Receive:
    size, deadline = 0, time.monotonic() + seconds

    async def capped() -> Message:
        nonlocal size
        if receive.whole:
            return await receive()
        try:
            async with asyncio.timeout(min(idle_seconds, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise TooSlow("The request's body did not come in time.", code="body_timeout") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        size += len(message.get("body", b""))
        if size > most:
            raise TooLarge(f"This page takes at most {most >> 20} MiB.")
        return message

    return capped


async def _discard(receive: _Counted, seconds: float) -> None:
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while not receive.whole and size < DISCARD_BYTES:
                size += len((await receive()).get("body", b""))
    except TimeoutError:
        log.debug("a refused client was still sending after %g s", seconds)


def headers_of(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _own(headers: dict[str, str]) -> list[tuple[str, str]]:
    id = uuid7()
    trace = "".join(c for c in headers.get("x-portkey-trace-id", "") if " " < c <= "~")[:128]
    return own_headers(id, trace or str(id), "loupe")
