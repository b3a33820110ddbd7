"""/v1 on the fast path: read one call, decide where it goes, hand it to the relay. Knows no Django and no database."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway import dialects, multipart, redaction
from gateway.catalog import Catalog
from gateway.claims import Claims, read_claims
from gateway.directory import Directory, KeyHolder
from gateway.errors import BadRequest, GatewayError, Overloaded, TooLarge, TooSlow, UnsupportedType
from gateway.ids import uuid7
from gateway.journal import Journal
from gateway.jsonedit import Edit, Path, apply, edits_for, has_string_value
from gateway.jsontext import parse
from gateway.providers.base import Provider
from gateway.relay import Call, Exchange, Message, Receive, Relay, Send, Upstream, own_headers
from gateway.routing import Route, check_model, route
from gateway.wire import HeaderList

log = logging.getLogger(__name__)

FORWARDED = frozenset(
    ["content-type", "accept", "openai-organization", "openai-project", "openai-beta", "idempotency-key"]
)
NEVER_FORWARDED = frozenset(
    [
        "authorization",
        "x-api-key",
        "host",
        "content-length",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "cookie",
        "proxy-authorization",
        "proxy-authenticate",
        "expect",
        "accept-encoding",
    ]
)
MULTIPART_ENDPOINTS = frozenset({"/images/edits", "/images/variations"})
BODY_SECONDS = 60.0
BYTES_A_SECOND = 256 * 1024
USER_AGENT = "loupe/0.1"
LOUPE = Provider(name="loupe", title="Loupe", needs_secret=False, built_in=True)


class Head(msgspec.Struct):
    """The few fields of a JSON body that the gateway acts on; msgspec passes over the rest without building it."""

    model: str | None = None
    stream: bool | None = None
    user: Any = None


@dataclass(slots=True)
class Limits:
    """What one process takes at once."""

    body_bytes: int
    bytes_in_flight: int
    calls_in_flight: int
    body_idle_seconds: float
    custom_hosts: Collection[str]
    recording_required: bool


class Proxy:
    """One a process. `upstreams` maps a built-in provider's name to who answers for it; others go by `pool`."""

    def __init__(
        self,
        *,
        directory: Directory,
        journal: Journal,
        pool: Upstream,
        sandbox: Upstream,
        limits: Limits,
    ) -> None:
        self.directory, self.journal, self.pool, self.limits = directory, journal, pool, limits
        self.built_in: dict[str, Upstream] = {"sandbox": sandbox, "loupe": Catalog(directory)}
        self.loop = asyncio.get_running_loop()  # asked once: on Linux each asking is a system call
        self.bytes = self.calls = 0
        self.reading: dict[asyncio.Task[Any], _BodyClock] = {}

    async def __call__(self, path: str, scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> None:
        """Answer one request below /v1.

        Raises:
            GatewayError: before anything was sent; the front gate tells it to the client.
        """
        arrived = time.perf_counter()
        claims = read_claims(headers)
        holder = self.directory.authenticate(claims.gateway_key, "completions.write")
        cost = self._admit(headers.get("content-length", ""))
        self.calls += 1
        self.bytes += cost
        try:
            body = await self._read_body(receive, cost)
            await self._relay(path, scope, headers, claims, holder, body, arrived, receive, send)
        finally:
            self.calls -= 1
            self.bytes -= cost

    async def _relay(
        self,
        endpoint: str,
        scope: Message,
        headers: dict[str, str],
        claims: Claims,
        holder: KeyHolder,
        body: bytes,
        arrived: float,
        receive: Receive,
        send: Send,
    ) -> None:
        id = uuid7()
        draft = _Draft(id, endpoint, scope, headers, claims, holder, body, arrived)
        try:
            call = draft.call(self.directory, self.limits.custom_hosts)
        except GatewayError as error:
            await self._refuse(draft, error, send)
            return
        exchange = Exchange(call, self.journal, required=self.limits.recording_required)
        upstream = self.built_in.get(call.route.provider.name, self.pool)
        await Relay(exchange, receive, send, self.loop).run(upstream)

    async def _refuse(self, draft: _Draft, error: GatewayError, send: Send) -> None:
        """A request that cannot be sent on is in the log too, with what it got for an answer."""
        call = draft.refused()
        exchange = Exchange(call, self.journal, required=self.limits.recording_required)
        exchange.begin()
        exchange.status = error.status
        exchange.headers = {"content-type": "application/json"}
        body = error.body()
        exchange.end("refused", body, failure=error.error_code, message=error.message)
        await exchange.commit()
        await send_error(send, error, own=own_headers(call.id, call.trace_id, "loupe"))

    def _admit(self, declared: str) -> int:
        """Bytes to reserve for this request, from its headers alone."""
        length = int(declared) if declared.isdigit() else 0
        if length > self.limits.body_bytes:
            raise _too_large(self.limits.body_bytes)
        full = self.bytes + length > self.limits.bytes_in_flight and self.calls > 0
        if full or self.calls >= self.limits.calls_in_flight:
            raise Overloaded("The gateway has too much in flight. Try again in a second.")
        return length

    async def _read_body(self, receive: Receive, length: int) -> bytes:
        """The whole body, within the limits of size, of silence between its pieces, and of time in all."""
        task = asyncio.current_task(self.loop)
        assert task is not None
        clock = self.reading[task] = _BodyClock(length, self.limits.body_idle_seconds)
        pieces: list[bytes] = []
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                pieces.append(message.get("body", b""))
                clock.heard(len(pieces[-1]))
                if clock.size > self.limits.body_bytes:
                    raise _too_large(self.limits.body_bytes)
                if not message.get("more_body"):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        except asyncio.CancelledError:
            if not clock.late:
                raise
            task.uncancel()
            raise TooSlow(
                f"The request's body did not come in time: {clock.size} of {length or 'unknown'} bytes arrived.",
                code="body_timeout",
            ) from None
        finally:
            del self.reading[task]

    def stop_slow_bodies(self) -> None:
        """End the reading of bodies that are over their time. A timer for each request would cost more than its auth."""
        now = time.monotonic()
        for task, clock in list(self.reading.items()):
            if clock.over(now):
                clock.late = True
                task.cancel()


class _BodyClock:
    """How much of a body came, and when it must go on and be whole."""

    def __init__(self, length: int, idle_seconds: float) -> None:
        self.size, self.late = 0, False
        self.idle_seconds = idle_seconds
        self.last = time.monotonic()
        self.deadline = self.last + BODY_SECONDS + length / BYTES_A_SECOND

    def heard(self, count: int) -> None:
        self.size += count
        self.last = time.monotonic()

    def over(self, now: float) -> bool:
        return now > self.deadline or now - self.last > self.idle_seconds


class ClientGone(Exception):
    """The client left before its request was whole; nobody is there to be told and nothing was sent on."""


class _Draft:
    """A request that is read, on its way to becoming a call."""

    def __init__(
        self,
        id: uuid.UUID,
        endpoint: str,
        scope: Message,
        headers: dict[str, str],
        claims: Claims,
        holder: KeyHolder,
        body: bytes,
        arrived: float,
    ) -> None:
        self.id, self.endpoint, self.headers, self.claims, self.holder = id, endpoint, headers, claims, holder
        self.body, self.arrived = body, arrived
        self.method: str = scope["method"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.dialect = dialects.for_endpoint(endpoint) if self.method == "POST" else None
        self.trace_id = claims.trace_id or str(id)
        self.model, self.stream, self.user = "", False, ""
        self.boundary: bytes | None = None

    def call(self, directory: Directory, custom_hosts: Collection[str]) -> Call:
        """Raises GatewayError when it cannot be sent on."""
        self._read_head()
        if self.dialect and self.endpoint not in MULTIPART_ENDPOINTS | {"/images/generations"}:
            check_model(self.model, self.endpoint)
        way = self._route(directory, custom_hosts)
        edits = self._edits(way)
        return self._call(way, edits, apply(self.body, edits), self._headers(way))

    def refused(self) -> Call:
        return self._call(Route(LOUPE, "", self.model, []), [], b"", [])

    def _route(self, directory: Directory, custom_hosts: Collection[str]) -> Route:
        claims = self.claims
        names_provider = claims.provider or claims.virtual_key or self.model.startswith("@")
        if self.endpoint.startswith("/models") and self.method == "GET" and not names_provider:
            return Route(LOUPE, f"/{self.holder.workspace}", "", [])
        return route(claims, self.model, directory.targets_of(self.holder.workspace), custom_hosts)

    def _read_head(self) -> None:
        content_type = self.headers.get("content-type", "")
        self.boundary = multipart.boundary_of(content_type)
        if self.boundary:
            self._read_form(self.boundary)
        elif self.dialect:
            if "json" not in content_type.lower():
                raise UnsupportedType(
                    f"POST /v1{self.endpoint} takes content-type application/json"
                    f"{' or multipart/form-data' if self.endpoint in MULTIPART_ENDPOINTS else ''}, not {content_type[:80]!r}."
                )
            self._read_json()
        elif self.body and "json" in content_type.lower():
            try:
                self._read_json()
            except BadRequest as error:
                log.debug("passed on as it is: %s", error)

    def _read_json(self) -> None:
        try:
            head = msgspec.json.decode(self.body, type=Head)
        except msgspec.ValidationError as error:
            raise BadRequest(f"The body is JSON, but {_lower_first(str(error))}.", code="invalid_body") from None
        except (msgspec.DecodeError, RecursionError):
            head = self._read_slowly()
        self.model, self.stream = head.model or "", head.stream is True
        self.user = head.user if isinstance(head.user, str) else ""

    def _read_slowly(self) -> Head:
        """For what msgspec does not take: odd but valid JSON passes, everything else is refused with the reason."""
        try:
            return msgspec.convert({k: v for k, v in parse(self.body).items() if k in Head.__struct_fields__}, Head)
        except (ValueError, AttributeError) as error:
            raise BadRequest(f"The body is not a JSON object: {str(error).rstrip('.')}.", code="invalid_json") from None

    def _read_form(self, boundary: bytes) -> None:
        fields = {
            part.name: self.body[part.start : part.end]
            for part in multipart.parts(self.body, boundary)
            if part.filename is None and part.end - part.start < 1000
        }
        self.model = fields.get("model", b"").decode("utf-8", "replace")
        self.stream = fields.get("stream") == b"true"

    def _edits(self, way: Route) -> list[Edit]:
        """The two changes that are ever made to a body: our slug leaves the model, a bare image link becomes an object."""
        if self.boundary:
            return [
                (part.start, part.end, way.model)
                for part in multipart.parts(self.body, self.boundary)
                if part.name == "model" and way.model != self.model
            ]
        rename = bool(self.model) and way.model != self.model
        wrap = (
            self.endpoint == "/chat/completions"
            and self.dialect is not None
            and has_string_value(self.body, "image_url")
        )
        if not rename and not wrap:
            return []
        doc = parse(self.body)
        try:
            edits = edits_for(self.body, doc, "model", lambda path, _: _renamed(path, way.model)) if rename else []
            return edits + (edits_for(self.body, doc, "image_url", _wrapped) if wrap else [])
        except ValueError as error:
            raise BadRequest(
                f"The body cannot be sent on: {error}. Write each key once, without escapes.",
                code="ambiguous_body",
            ) from None

    def _headers(self, way: Route) -> HeaderList:
        """Nothing of the caller's but what is listed; the route's own credential."""
        wanted = FORWARDED | (set(self.claims.forward_headers) - NEVER_FORWARDED)
        kept = {
            name: value for name, value in self.headers.items() if name in wanted and not name.startswith("x-portkey-")
        }
        for name in ("openai-organization", "openai-project", "openai-beta"):
            if value := self.headers.get(f"x-portkey-{name}"):
                kept[name] = value
        return [*kept.items(), ("user-agent", USER_AGENT), ("accept-encoding", "identity"), *way.auth]

    def _call(self, way: Route, edits: list[Edit], sent_body: bytes, headers: HeaderList) -> Call:
        return Call(
            id=self.id,
            arrived=self.arrived,
            method=self.method,
            endpoint=self.endpoint,
            query=self.query,
            headers=headers,
            body=self.body,
            edits=edits,
            sent_body=sent_body,
            route=way,
            stream=self.stream,
            end_marks=self.dialect.end_marks if self.dialect else dialects.CHAT.end_marks,
            timeout=self.claims.timeout,
            keep_bodies=self.claims.keep_bodies,
            trace_id=self.trace_id,
            begin_meta=self._meta(way, edits),
        )

    def _meta(self, way: Route, edits: list[Edit]) -> dict[str, Any]:
        """What the journal says of the request, beside its body. No secret is in here."""
        claims = self.claims
        metadata = {"_user": self.user, **claims.metadata} if self.user else claims.metadata
        query = redaction.safe_query(self.query)
        return {
            "workspace": self.holder.workspace,
            "api_key": self.holder.id,
            "virtual_key": way.virtual_key,
            "provider": way.provider.name,
            "model": way.model or self.model,
            "method": self.method,
            "endpoint": self.endpoint,
            "path": f"/v1{self.endpoint}" + (f"?{query}" if query else ""),
            "url": way.url(self.endpoint, query) if way.base_url.startswith("http") else "",
            "content_type": self.headers.get("content-type", ""),
            "headers": redaction.kept_headers(self.headers, redaction.KEPT_REQUEST_HEADERS),
            "edits": edits,
            "stream": self.stream,
            "bytes": len(self.body),
            "keep_bodies": claims.keep_bodies,
            "trace_id": self.trace_id,
            "span_id": claims.span_id,
            "span_name": claims.span_name,
            "parent_span_id": claims.parent_span_id,
            "metadata": {key: redaction.mask_keys(value) for key, value in metadata.items()},
            "sdk": claims.sdk,
        }


async def send_error(send: Send, error: GatewayError, *, own: HeaderList, close: bool = False) -> None:
    """Loupe's own refusal, in the shape that every SDK reads."""
    body = error.body()
    headers = [("content-type", "application/json"), ("content-length", str(len(body))), *own]
    if error.retry_after is not None:
        headers.append(("retry-after", str(error.retry_after)))
    else:
        headers.append(("x-should-retry", "false"))
    if close:
        headers.append(("connection", "close"))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _renamed(path: Path, model: str) -> Any:
    return (lambda _: msgspec.json.encode(model).decode()) if path == () else None


def _wrapped(path: Path, _: str) -> Any:
    match path:
        case ("messages", int(), "content", int()):
            return lambda text: f'{{"url":{text}}}'
    return None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit >> 20} MiB, the limit of this gateway. "
        "Whoever runs Loupe can raise it with LOUPE_MAX_BODY_MB."
    )


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
