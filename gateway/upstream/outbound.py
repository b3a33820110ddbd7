"""Makes a routed call ready to be sent: its body in the provider's format, pictures behind links, warnings, its credential.

Everything here happens after `begin` is in the journal and before the provider gets a byte; what came of it is recorded.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from gateway.content import multipart
from gateway.content.file_places import linked_images
from gateway.content.json_edit import Edit, apply, difference
from gateway.content.json_text import encoded
from gateway.dialects.kept_turns import HeardTurn
from gateway.errors import BadRequest, TooLarge
from gateway.network.fetch import Fetcher, FetchFailed
from gateway.network.guard import Guard
from gateway.providers.base import WEB, Wire
from gateway.translation.media import from_bytes, type_by_ending
from gateway.translation.neutral import Media, Message, Request, ToolResult
from gateway.translation.translator import WRITE, Translator
from gateway.upstream import lint
from gateway.upstream.call import Call
from gateway.upstream.credentials import Credentials, plain_headers
from gateway.upstream.turn_memory import TurnMemory

FETCHES_AT_ONCE, FETCHES_A_REQUEST = 32, 8
MOST_LINKS = 100
LONG_PIECE = 1024
READERS = 2


@dataclass(slots=True)
class Fetching:
    """How pictures behind links are fetched: limits as for the copies in the log, and `total_bytes` for one request."""

    max_bytes: int
    seconds: float
    guard: Guard
    total_bytes: int
    pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(FETCHES_AT_ONCE, thread_name_prefix="fetch")
    )

    async def all(self, links: dict[str, str]) -> dict[str, bytes]:
        """The bytes behind links that stand at positions; each address is fetched once.

        Raises:
            BadRequest: one was not got; names its position and why.
        """
        loop = asyncio.get_running_loop()
        urls = list(dict.fromkeys(links.values()))
        if len(urls) > MOST_LINKS:
            raise BadRequest(
                f"{len(urls)} links to pictures; the gateway opens {MOST_LINKS} a request. Send the rest as data URLs.",
                code="too_many_links",
            )
        sizes: list[int] = []
        share = asyncio.Semaphore(FETCHES_A_REQUEST)  # or one request's slow links would keep all others waiting

        async def get(url: str) -> bytes | FetchFailed:
            async with share:
                return await loop.run_in_executor(self.pool, self._one, url, sizes)

        got = await asyncio.gather(*(get(url) for url in urls))
        if sum(sizes) > self.total_bytes:
            raise TooLarge(f"The pictures behind the links are more than {self.total_bytes >> 20} MiB, the limit.")
        found = dict(zip(urls, got, strict=True))
        for position, url in links.items():
            problem = found[url]
            if isinstance(problem, FetchFailed):
                raise BadRequest(
                    f"{position}: the picture behind the link was not fetched: {problem}. "
                    "Send the picture as a data URL, or a link that anyone can open.",
                    code="image_not_fetched",
                    param=position,
                )
        return {position: found[url] for position, url in links.items()}  # type: ignore[misc]

    def _one(self, url: str, sizes: list[int]) -> bytes | FetchFailed:
        """`sizes` are those of the pictures that came so far: once they are too many, no more are held in memory."""
        if sum(sizes) > self.total_bytes:
            return FetchFailed("those before it are too large together")
        fetcher = Fetcher(max_bytes=self.max_bytes, seconds=self.seconds, guard=self.guard)
        try:
            data = fetcher.get(url)
            sizes.append(len(data))
            return data
        except FetchFailed as error:
            return error


class Outbound:
    """One a process."""

    def __init__(self, fetching: Fetching, credentials: Credentials, turns: TurnMemory) -> None:
        self.fetching, self.credentials, self.turns = fetching, credentials, turns
        self.readers = ThreadPoolExecutor(READERS, "links")

    def look_at_pictures(self, call: Call) -> None:
        """Warn of the pictures of a body that goes out in the caller's own format. Raises BadRequest, see `lint`."""
        if call.request is None and not call.native:
            lint.check_size(len(call.sent_body), call)
            boundary = multipart.boundary_of(call.begin_meta["content_type"])
            call.warnings += lint.check(lint.pictures_in(call.sent_body, boundary), call)
            call.begin_meta["warnings"] = call.warnings

    def is_ready(self, call: Call) -> bool:
        """Whether nothing is left to do: the usual call, whose body goes out as it came."""
        return call.request is None and not call.inline and call.credential is not None

    async def prepare(self, call: Call) -> None:
        """Do what is left.

        Raises:
            GatewayError: it cannot be sent; names the part, the rule and the cure.
        """
        if call.request is not None:
            await self._translate(call, call.request)
        elif call.inline:
            await self._inline(call)
        if call.credential is None:
            call.credential = plain_headers(call.route)
        if call.credential is None:
            call.credential = await self.credentials.headers(
                call.route, call.method, call.url, call.headers, call.sent_body
            )

    async def _translate(self, call: Call, request: Request) -> None:
        wire = call.route.wire
        call.warnings += request.warnings
        request = replace(request, reasoning_as=wire.reasoning_as)
        workspace: int = call.begin_meta["workspace"]
        request = await self.turns.restored(workspace, request, ask_log=_needs_turns(request, wire))
        fetchable = links_to_fetch(request, wire, always=call.always_inline)
        if fetchable:
            fetched = await self.fetching.all(fetchable)
            request = _with_bytes(request, fetched)
            call.inlined = {position: hashlib.sha256(data).hexdigest() for position, data in fetched.items()}
        call.warnings += lint.check(
            [lint.picture_of(media) for media in request.media() if media.kind == "image"], call
        )
        call.warnings += lint.texts_in(list(request.texts()))
        written = WRITE[wire.dialect](request)
        body = _final(written.body, call)
        call.warnings += written.warnings
        call.sent_body = encoded(body)
        call.sent_edits = difference(call.body, call.sent_body, _long_pieces(request))
        lint.check_size(len(call.sent_body), call)
        call.translator = Translator(
            endpoint=call.endpoint,
            wire=wire.dialect,
            id=call.id.hex,
            created=call.created,
            model=call.route.model,
            include_usage=request.include_usage,
            strict=call.strict,
            heard=HeardTurn(partial(self.turns.keep, workspace)).hear,
        )

    async def _inline(self, call: Call) -> None:
        """The same body with the bytes in the place of each link."""
        loop = asyncio.get_running_loop()  # megabytes of quotes take seconds
        places = await loop.run_in_executor(self.readers, linked_images, call.sent_body)
        places = [place for place in places if place.path.startswith(("messages[", "input["))]
        if not places:
            return
        links = {f"{place.path} (byte {place.start})": place.url for place in places}  # a long path is cut short
        fetched = await self.fetching.all(links)
        datas = [fetched[name] for name in links]
        opened = [
            from_bytes(data, Media("image", place.path, url=place.url))
            for place, data in zip(places, datas, strict=True)
        ]
        call.warnings += lint.check([lint.picture_of(media) for media in opened], call)
        edits: list[Edit] = [
            (place.start, place.end, media.data_url) for place, media in zip(places, opened, strict=True)
        ]
        call.inlined = {place.path: hashlib.sha256(data).hexdigest() for place, data in zip(places, datas, strict=True)}
        call.sent_edits = edits
        call.sent_body = apply(call.sent_body, edits)
        lint.check_size(len(call.sent_body), call)


def _needs_turns(request: Request, wire: Wire) -> bool:
    """Whether the vendor refuses a turn of its model's that came back without its signatures or its reasoning."""
    if wire.dialect in ("anthropic", "converse"):
        asked = (request.settings.get("thinking"), request.settings.get("reasoning_effort"))
        return any(one and one != "none" for one in asked)
    return wire.dialect == "gemini" or bool(wire.reasoning_as)


def links_to_fetch(request: Request, wire: Wire, *, always: bool) -> dict[str, str]:
    """Positions and links of what the provider does not open itself, or may not since the caller wants it inline."""
    links = [media for media in request.media() if media.url.partition("://")[0].lower() in WEB]
    return {media.position: media.url for media in links if not _opens(wire, media, always=always)}


def _opens(wire: Wire, media: Media, *, always: bool) -> bool:
    scheme, _, rest = media.url.partition("://")
    if rest.partition("/")[0].lower() in wire.own_hosts:
        return True  # nobody else can
    told = media.media_type or type_by_ending(media.url)
    return not always and scheme.lower() in wire.opens and bool(told or not wire.asks_type)


def _with_bytes(request: Request, fetched: dict[str, bytes]) -> Request:
    return replace(request, messages=tuple(_message_with_bytes(message, fetched) for message in request.messages))


def _message_with_bytes(message: Message, fetched: dict[str, bytes]) -> Message:
    def filled(part: Any) -> Any:
        if isinstance(part, ToolResult):
            return replace(part, parts=tuple(filled(inner) for inner in part.parts))
        if isinstance(part, Media) and part.position in fetched:
            return from_bytes(fetched[part.position], part)
        return part

    return replace(message, parts=tuple(filled(part) for part in message.parts))


def _final(body: dict[str, Any], call: Call) -> dict[str, Any]:
    wire = call.route.wire
    if not wire.names_model:
        body.pop("model", None)
    return {**wire.constants, **body}


def _long_pieces(request: Request) -> list[bytes]:
    return [media.base64.encode() for media in request.media() if len(media.base64) > LONG_PIECE]
