"""Calls from pages of other origins, for those that the operator lists (WHATWG Fetch, 3.2). Off unless there is a list.

Keys come in headers, never in cookies, so that no page can call with a key that its user did not give it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
METHODS = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
AGE_SECONDS = b"600"
# What a page may read beside the few headers that every page may.
EXPOSED = b"x-portkey-trace-id, x-portkey-request-id, x-loupe-warnings, retry-after, x-request-id"


def allowed_origin(scope: Message, origins: Sequence[str]) -> str:
    """The origin of the page that calls, if it is on the list; `*` is every one."""
    if not origins:
        return ""
    origin = next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"origin"), "")
    return origin if origin and ("*" in origins or origin.lower() in origins) else ""


def with_origin(send: Send, origin: str) -> Send:
    """The same answer, which pages of this origin may read."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(b"access-control-allow-origin", origin.encode()), (b"access-control-expose-headers", EXPOSED)]
            kept = [
                (name, value) for name, value in message["headers"] if not name.lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": [*kept, *own, (b"vary", b"Origin")]}
        await send(message)

    return sending


async def preflight(send: Send) -> None:
    """What a browser asks before such a call."""
    headers = [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", b"*, authorization"),
        (b"access-control-max-age", AGE_SECONDS),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
