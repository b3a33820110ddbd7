"""/v1 on the fast path: read one call, decide where it goes, hand it to the relay. Knows no Django and no database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gateway.content.encodings import KNOWN, Damaged, Unpacker, unpack_whole
from gateway.errors import (
    BadRequest,
    Forbidden,
    GatewayError,
    NotFound,
    Overloaded,
    TooLarge,
    TooSlow,
    Unauthorized,
    UnsupportedType,
    unexpected,
)
from gateway.ids import uuid7
from gateway.keys.in_memory import KeyHolder, KeysInMemory
from gateway.proxy.admission import Strangers, Traces
from gateway.proxy.answer_headers import own_headers
from gateway.proxy.call_options import CallOptions, read_call_options
from gateway.proxy.exchange import Exchange
from gateway.proxy.inbound import LOUPE, Inbound
from gateway.proxy.model_list import ModelList
from gateway.proxy.prompt_calls import PromptCall, PromptCalls
from gateway.proxy.refusal import note, refuse, send_json
from gateway.proxy.relay import Relay, Upstream
from gateway.recording.journal import Journal
from gateway.shares import Shares
from gateway.upstream.call import Call, Message, Receive, Send
from gateway.upstream.outbound import Outbound

log = logging.getLogger(__name__)

BODY_SECONDS = 60.0
BYTES_A_SECOND = 256 * 1024
READERS = 2
TOO_MUCH = "The gateway, or this key's share of it, has too much in flight. Try again in a second."
Sharing = tuple[Hashable, ...]


@dataclass(slots=True)
class Limits:
    """What one process takes at once."""

    body_bytes: int
    bytes_in_flight: int
    calls_in_flight: int
    body_idle_seconds: float
    custom_hosts: Collection[str]
    recording_required: bool
    pass_redirects: bool = False


class Proxy:
    """One a process. `pool` reaches providers over the network; `sandbox` and Loupe itself are answered for in here."""

    def __init__(
        self,
        *,
        keys: KeysInMemory,
        journal: Journal,
        pool: Upstream,
        sandbox: Upstream,
        outbound: Outbound,
        prompts: PromptCalls,
        limits: Limits,
    ) -> None:
        self.keys, self.journal, self.pool, self.limits = keys, journal, pool, limits
        self.outbound, self.prompts = outbound, prompts
        self.built_in: dict[str, Upstream] = {"sandbox": sandbox, "loupe": ModelList(keys)}
        self.loop = asyncio.get_running_loop()  # asked once: on Linux each asking is a system call
        self.bytes, self.calls = Shares(limits.bytes_in_flight), Shares(limits.calls_in_flight)
        self.strangers, self.traces = Strangers(), Traces()
        self.readers = ThreadPoolExecutor(READERS, "bodies")
        self.next_look: asyncio.Future[None] = self.loop.create_future()
        self.reading: dict[asyncio.Task[Any], _BodyClock] = {}

    async def __call__(self, path: str, scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> None:
        """Answer one request below /v1.

        Raises:
            GatewayError: before anything was sent; the front gate tells it to the client.
        """
        arrived = time.perf_counter()
        options = read_call_options(headers)
        prompt_call = PromptCall.of(path) if scope["method"] == "POST" else None
        scope_needed = "prompts.use" if prompt_call else "completions.write"
        try:
            holder = await self._authenticate(options, scope_needed, scope["client"][0])
        except (Unauthorized, Forbidden) as error:
            if self.keys.workspaces and self.traces.may_leave():  # a client that is set up wrongly is looked for there
                stranger = Inbound(uuid7(), path, scope, headers, options, self._stranger(options), b"", arrived)
                await note(self._exchange(stranger.refused(), required=False), error)
            raise
        draft = Inbound(uuid7(), path, scope, headers, options, holder, b"", arrived)
        try:
            await self._take(draft, prompt_call, receive, send)
        except TooLarge as error:
            await note(self._exchange(draft.refused(), required=False), error)
            raise

    async def _take(self, draft: Inbound, prompt_call: PromptCall | None, receive: Receive, send: Send) -> None:
        """With a place and room for its body, until it is answered."""
        sharing, headers = (draft.holder.id, f"workspace {draft.holder.workspace}"), draft.headers
        clock = _BodyClock(self._admit(headers.get("content-length", ""), sharing), self.limits.body_idle_seconds)
        try:
            draft.body = await self._read_body(receive, clock, sharing)
            if headers.get("content-encoding") and (draft.dialect or prompt_call):
                draft.body = await self._unpacked(headers.pop("content-encoding"), draft.body)
                self._reserve(len(draft.body), clock, sharing)
            if prompt_call:
                await self._call_prompt(prompt_call, draft, receive, send)
            else:
                await self._relay(draft, receive, send)
        finally:
            self.calls.give_back(1, *sharing)
            self.bytes.give_back(clock.reserved, *sharing)

    def _stranger(self, options: CallOptions) -> KeyHolder:
        """Whose key was refused; of one that nobody holds, nobody in the first workspace that there is."""
        nobody = KeyHolder(0, min(self.keys.workspaces), frozenset(), None)
        return self.keys.known.holder(options.gateway_key) or nobody

    async def _call_prompt(self, call: PromptCall, draft: Inbound, receive: Receive, send: Send) -> None:
        """Rendered, a prompt is a chat call like any other; `render` answers with what that would be."""
        try:
            made = await self.prompts.make(call, draft.body, draft.holder.workspace, self._next_look)
            body = self.prompts.encoded(made)
        except GatewayError as error:
            await refuse(self._exchange(draft.refused()), error, send)
            return
        if call.verb == "render":
            own = own_headers(draft.id, draft.trace_id, "loupe")
            await send_json(send, {"success": True, "data": made.document}, own=own)
            return
        await self._relay(draft.of_prompt(body, made.about), receive, send)

    async def _relay(self, draft: Inbound, receive: Receive, send: Send) -> None:
        try:
            try:
                call = await self._read(draft)
            except NotFound:
                await self._next_look()  # a virtual key made a moment ago
                call = await self._read(draft)
        except GatewayError as error:
            await refuse(self._exchange(draft.refused()), error, send)
            return
        except Exception as error:
            log.exception("call %s could not be read", draft.id)
            await refuse(self._exchange(draft.refused()), unexpected(error), send)
            return
        upstream = self.built_in.get(call.route.provider.name, self.pool)
        prepare = None if self.outbound.is_ready(call) else self.outbound.prepare
        relay = Relay(self._exchange(call), receive, send, self.loop, pass_redirects=self.limits.pass_redirects)
        await relay.run(upstream, prepare)

    async def _read(self, draft: Inbound) -> Call:
        """The call that a request is, its pictures looked at; in a thread where reading takes long."""
        if not draft.takes_long:
            return self._looked_at(draft)
        return await self.loop.run_in_executor(self.readers, self._looked_at, draft)

    def _looked_at(self, draft: Inbound) -> Call:
        call = draft.call(self.keys, self.limits.custom_hosts)
        if draft.holder.allowance and call.route.provider is not LOUPE:
            called = [call.route.model, *draft.fallbacks] if call.method == "POST" else []  # the rest only reads
            draft.holder.allowance.check(self._slug_of(draft.holder, call), called)
        self.outbound.look_at_pictures(call)
        return call

    def _slug_of(self, holder: KeyHolder, call: Call) -> str:
        """Of the virtual key that a call goes through; empty for a provider's key that the caller brought."""
        targets = self.keys.targets_of(holder.workspace)
        return next((slug for slug, target in targets.items() if target.id == call.route.virtual_key), "")

    async def _authenticate(self, options: CallOptions, scope: str, address: str) -> KeyHolder:
        """A key that is not known waits for the next look into the database: it may have been made a moment ago."""
        try:
            return self.keys.authenticate(options.gateway_key, scope)
        except Unauthorized:
            await self.holder_of(options.gateway_key, address)
        return self.keys.authenticate(options.gateway_key, scope)

    async def holder_of(self, key: str, address: str) -> KeyHolder | None:
        """Who holds a key, whatever it may do; of one that is not known, after the next look. Raises Overloaded."""
        if not key:
            return None
        if self.keys.known.holder(key) is None:
            with self.strangers.place(address):
                await self._next_look()
        return self.keys.known.holder(key)

    async def _next_look(self) -> None:
        await asyncio.shield(self.next_look)

    async def look(self) -> None:
        """Let the keys in memory follow the database. Who waits for it gets a look that began after they came."""
        waited, self.next_look = self.next_look, self.loop.create_future()
        try:
            await self.keys.follow()
        finally:
            waited.set_result(None)

    def _exchange(self, call: Call, *, required: bool = True) -> Exchange:
        return Exchange(call, self.journal, required=required and self.limits.recording_required)

    def _admit(self, declared: str, sharing: Sharing) -> int:
        """Take a place for this request and room for its bytes, judged by its headers alone; answers how many bytes."""
        length = int(declared) if declared.isdigit() else 0
        if length > self.limits.body_bytes:
            raise _too_large(self.limits.body_bytes)
        if not self.calls.take(1, *sharing):
            raise Overloaded(TOO_MUCH)
        if not self.bytes.take(length, *sharing):
            self.calls.give_back(1, *sharing)
            raise Overloaded(TOO_MUCH)
        return length

    async def _read_body(self, receive: Receive, clock: _BodyClock, sharing: Sharing) -> bytes:
        """The whole body, within the limits of size, of silence between its pieces, and of time in all."""
        task = asyncio.current_task(self.loop)
        assert task is not None
        self.reading[task] = clock
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
                self._reserve(clock.size, clock, sharing)
                if not message.get("more_body"):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        except asyncio.CancelledError:
            if not clock.late:
                raise
            task.uncancel()
            raise TooSlow(
                f"The request's body did not come in time: {clock.size} of {clock.length or 'unknown'} bytes arrived.",
                code="body_timeout",
            ) from None
        finally:
            del self.reading[task]

    async def _unpacked(self, encoding: str, body: bytes) -> bytes:
        """A body that is read here and came compressed. Raises GatewayError."""
        if not Unpacker.knows(encoding):
            raise UnsupportedType(
                f"The body comes in content-encoding {encoding[:80]!r}. Known are {', '.join(KNOWN)}; or send it as it is."
            )
        most = self.limits.body_bytes
        try:
            return await self.loop.run_in_executor(self.readers, unpack_whole, body, encoding, most)
        except Damaged as error:
            raise BadRequest(
                f"The body cannot be unpacked from {encoding}: {error}. The limit is {most >> 20} MiB.",
                code="invalid_encoding",
            ) from None

    def _reserve(self, size: int, clock: _BodyClock, sharing: Sharing) -> None:
        """Room for a body that turns out larger than it was said to be: it is counted as it comes, or as it is unpacked."""
        more = size - clock.reserved
        if more <= 0:
            return
        if not self.bytes.take(more, *sharing, alone=self.calls.used == 1):
            raise Overloaded(TOO_MUCH)
        clock.reserved += more

    async def stop_slow_bodies(self) -> None:
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
        self.length = self.reserved = length
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


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit >> 20} MiB, the limit of this gateway. "
        "Whoever runs Loupe can raise it with LOUPE_MAX_BODY_MB."
    )
