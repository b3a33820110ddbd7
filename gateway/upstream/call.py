"""One request, read and routed, on its way to a provider."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from gateway.content.json_edit import Edit
from gateway.network.request_head import HeaderList
from gateway.providers.base import Headers
from gateway.translation.neutral import Request
from gateway.translation.translator import Translator
from gateway.upstream.route import Route

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(slots=True)
class Call:
    """What the caller sent, and what goes out.

    `edits` turn `body` into the body that goes out when nothing more is to be done. When something is, `outbound` sets
    the fields from `sent_edits` on: those edits come on top, `request` is what the body means, `translator` turns the
    answer back. `credential` is None until it is signed or bought.
    """

    id: uuid.UUID
    arrived: float
    created: int
    method: str
    endpoint: str
    url: str
    headers: HeaderList
    body: bytes = field(repr=False)
    edits: list[Edit]
    sent_body: bytes = field(repr=False)
    route: Route
    stream: bool
    end_marks: tuple[bytes, ...]
    timeout: float | None
    keep_bodies: bool
    trace_id: str
    begin_meta: dict[str, Any]
    credential: Headers | None = field(default_factory=list, repr=False)
    request: Request | None = None
    inline: bool = False
    always_inline: bool = False
    strict: bool = True
    lint_refuses: bool = False
    native: bool = False
    hides_usage: bool = False
    own_upload: str = ""
    sent_edits: list[Edit] = field(default_factory=list, repr=False)
    inlined: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    translator: Translator | None = None

    @property
    def secrets(self) -> list[str]:
        """What no log and no error text may show: the caller's or the virtual key's, and a token that was bought."""
        bought = ("authorization", "x-amz-security-token")
        shown = [value.removeprefix("Bearer ") for name, value in self.credential or () if name in bought]
        return [*self.route.secrets, *shown]
