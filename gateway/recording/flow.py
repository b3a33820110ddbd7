"""What the journal holds of one request."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from gateway.content.cutting import Cutter, Cutting
from gateway.content.json_edit import apply
from gateway.dialects.base import Question


@dataclass
class Flow:
    """One request; without `end` it is still under way, or was interrupted. What was read of it is read once."""

    id: bytes
    begin: bytes = b""
    request: bytes = b""
    sent: bytes = b""
    sent_pieces: bytes = b""
    parts: list[bytes] = field(default_factory=list)
    end: bytes | None = None
    announced: bool = False
    cutter: Cutter = field(default_factory=Cutter)
    request_cut: Cutting | None = None
    sent_cut: Cutting | None = None
    question: Question | None = None

    @cached_property
    def meta(self) -> dict[str, Any]:
        """What was known when it began."""
        known: dict[str, Any] = msgspec.json.decode(self.begin)
        return known

    @property
    def ending(self) -> dict[str, Any]:
        """How it ended; empty when it did not."""
        known: dict[str, Any] = msgspec.json.decode(self.end) if self.end else {}
        return known

    def outgoing(self) -> Outgoing:
        """What became of the body on its way out; all empty when it went as it came."""
        if not self.sent:
            return Outgoing()
        meta = msgspec.json.decode(self.sent)
        return Outgoing(meta["url"], meta["inlined"], meta["warnings"])

    def sent_body(self) -> bytes:
        """The body that the provider got, where that is more than the caller's with a few edits."""
        if not (self.sent and self.request):
            return b""
        edits, at = [], 0
        for start, end, length in msgspec.json.decode(self.sent)["edits"]:
            edits.append((start, end, self.sent_pieces[at : at + length]))
            at += length
        begun = [(start, end, text) for start, end, text in self.meta["edits"]]
        return apply(apply(self.request, begun), edits) if edits else b""

    @property
    def response(self) -> bytes:
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)

    @property
    def size(self) -> int:
        """In bytes, of its bodies."""
        return len(self.request) + len(self.sent_pieces) + sum(map(len, self.parts))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How a call went out. `inlined` tells which pictures were put in the place of links, by their position."""

    url: str = ""
    inlined: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
