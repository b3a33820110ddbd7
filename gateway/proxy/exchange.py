"""The record of one call while it is under way, and its stopwatch."""

from __future__ import annotations

import logging
import time

import msgspec

from gateway import metrics
from gateway.content import redaction
from gateway.errors import NotRecorded
from gateway.recording.journal import Journal, JournalUnavailable, Kind
from gateway.upstream.call import Call

log = logging.getLogger(__name__)


class Exchange:
    """The record of one call while it is under way, and its stopwatch."""

    def __init__(self, call: Call, journal: Journal, *, required: bool) -> None:
        self.call, self.journal, self.required = call, journal, required
        self.recording = True
        self.begun = self.ended = False
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.bytes = 0
        self.sent_at = self.upstream_done_at = self.first_byte_at = 0.0

    def begin(self) -> None:
        """Raises NotRecorded when the journal cannot take it and the settings say that it must."""
        if self.begun:
            return
        body = redaction.masked_fields(self.call.body) if self.call.keep_bodies else b""
        try:
            self._write(Kind.BEGIN, msgspec.json.encode(self.call.begin_meta), body)
        except JournalUnavailable as error:
            raise NotRecorded(f"The call was not sent because it could not be recorded: {error}.") from error

    def sent(self) -> None:
        """What became of the body on its way out, where it did not simply go on. Raises NotRecorded, as `begin` does."""
        call = self.call
        pieces = [text.encode() if isinstance(text, str) else text for _, _, text in call.sent_edits]
        edits = [(start, end, len(piece)) for (start, end, _), piece in zip(call.sent_edits, pieces, strict=True)]
        meta = {"url": redaction.safe_url(call.url), "edits": edits, "inlined": call.inlined, "warnings": call.warnings}
        data = redaction.masked_fields(b"".join(pieces)) if call.keep_bodies else b""
        try:
            self._write(Kind.SENT, msgspec.json.encode(meta), data)
        except JournalUnavailable as error:
            raise NotRecorded(f"The call was not sent because it could not be recorded: {error}.") from error

    def part(self, data: bytes) -> None:
        if not data:
            return
        self.bytes += len(data)
        self._write(Kind.PART, b"", data)

    def end(self, state: str, data: bytes = b"", *, failure: str = "", message: str = "") -> None:
        """Write how the call ended; `data` is the last of the answer's bytes. The first word on it counts."""
        if self.ended:
            return
        self.ended = True
        self.bytes += len(data)
        now = time.perf_counter()
        call = self.call
        upstream = (self.upstream_done_at or now) - self.sent_at if self.sent_at else 0.0
        total = now - call.arrived
        meta = {
            "state": state,
            "status": self.status,
            "failure": failure,
            "message": redaction.without_secrets(message, call.secrets)[:1000],
            "headers": redaction.kept_headers(self.headers, redaction.KEPT_RESPONSE_HEADERS),
            "total_ms": total * 1000,
            "upstream_ms": upstream * 1000,
            "gateway_ms": max(0.0, total - upstream) * 1000,
            "first_byte_ms": (self.first_byte_at - call.arrived) * 1000 if self.first_byte_at else None,
            "bytes": self.bytes,
        }
        self._write(Kind.END, msgspec.json.encode(meta), data)
        self._count(state, total, max(0.0, total - upstream))

    def _count(self, state: str, total: float, added: float) -> None:
        call = self.call
        first = self.first_byte_at - call.arrived if self.first_byte_at else None
        metrics.call_ended(
            state, call.route.provider.name, call.route.model, seconds=total, added=added, first_byte=first
        )

    def _write(self, kind: Kind, meta: bytes, data: bytes) -> None:
        if not (self.recording or (kind is Kind.END and self.begun)):
            return
        try:
            self.journal.append(kind, self.call.id.bytes, meta, data)
            self.begun = True
        except JournalUnavailable as error:
            if kind is Kind.END and self.begun:
                self.journal.owe(self.call.id.bytes, meta, data)
            if self.required:
                raise
            self.recording = False
            log.error("call %s goes on unrecorded: %s", self.call.id, error)

    async def commit(self) -> None:
        if not self.recording:
            return
        try:
            await self.journal.commit()
        except JournalUnavailable as error:
            if self.required:
                raise
            log.error("call %s is not on the disk yet: %s", self.call.id, error)
