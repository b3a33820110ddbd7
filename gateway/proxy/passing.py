"""What of a provider's answer may leave: not the key that it was given, not a redirect, nothing that hides either."""

from __future__ import annotations

import logging

import httpx2

from gateway.content.encodings import Damaged, Unpacker
from gateway.content.scrubber import SHORTEST, SHORTEST_IN_ERRORS, Scrubber
from gateway.network.guard import parsed_url
from gateway.network.http_client import Reply
from gateway.upstream.call import Call

log = logging.getLogger(__name__)

UPLOAD_ADDRESSES = ("x-goog-upload-url", "x-goog-upload-control-url")
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NotPassedOn(httpx2.RemoteProtocolError):
    """An answer that would do harm to the client, or to whoever runs Loupe."""


class Passing:
    """The bytes of one answer on their way to journal and client. Scrubs the answer's headers when it is made.

    Raises:
        NotPassedOn: the answer is a redirect.
    """

    def __init__(self, call: Call, reply: Reply, *, pass_redirects: bool) -> None:
        failed = reply.status >= 400
        self.reply, self.held = reply, b""
        self.scrubber = Scrubber.of(call.secrets, shortest=SHORTEST_IN_ERRORS if failed else SHORTEST)
        self.unpacker: Unpacker | None = None
        self.passes_packed = not failed and call.translator is None
        self.unpacked_tail = b""
        headers = dict(reply.headers)
        if reply.status in REDIRECTS and "location" in headers and not pass_redirects:
            raise NotPassedOn(_redirect(self.scrubber.text(headers["location"])))
        self._note_encoding(headers.get("content-encoding", ""))
        if call.own_upload:
            self._keep_uploads_here(call.own_upload)
        self._scrub_headers()

    def __call__(self, chunk: bytes) -> bytes:
        """What of the bytes that came may go on now; a piece that may begin a secret waits for the rest.

        Raises:
            NotPassedOn, httpx2.ReadError: nothing of the rest may.
        """
        if self.unpacker is not None and self.passes_packed:
            self._look_through(self.unpacker, chunk)
            return chunk
        if self.unpacker is not None:
            chunk = self._unpacked(self.unpacker, chunk)
        data = self.scrubber(self.held + chunk)
        kept = 0 if self.reply.finished else self.scrubber.begun(data)
        self.held = data[len(data) - kept :]
        return data[: len(data) - kept]

    def _keep_uploads_here(self, own: str) -> None:
        """Google names where the bytes are to go, and its SDK would send them there with the gateway's key."""
        self.reply.headers = [
            (name, own.replace("{}", value.partition("?")[2]) if name in UPLOAD_ADDRESSES else value)
            for name, value in self.reply.headers
        ]

    def _scrub_headers(self) -> None:
        """All at once, as nearly always there is nothing to be starred out."""
        joined = "\n".join(value for _, value in self.reply.headers)
        clean = self.scrubber.text(joined)
        if clean != joined:
            names = [name for name, _ in self.reply.headers]
            self.reply.headers = list(zip(names, clean.split("\n"), strict=True))

    def _note_encoding(self, encoding: str) -> None:
        """An error, or what is to be translated, is read, and so goes on unpacked; any other answer goes on as it came."""
        if not Unpacker.knows(encoding) or (self.passes_packed and not self.scrubber.secrets):
            return
        self.unpacker = Unpacker(encoding)
        if not self.passes_packed:
            own = ("content-encoding", "content-length")
            self.reply.headers = [(name, value) for name, value in self.reply.headers if name not in own]

    def _unpacked(self, unpacker: Unpacker, chunk: bytes) -> bytes:
        try:
            return unpacker.feed(chunk)
        except Damaged as error:
            raise httpx2.ReadError(f"its compressed answer cannot be read: {error}") from None

    def _look_through(self, unpacker: Unpacker, chunk: bytes) -> None:
        """Nothing can be starred out of packed bytes. What cannot be unpacked, or not for so long, goes on as it came."""
        try:
            data = self.unpacked_tail + unpacker.feed(chunk)
        except Damaged as error:
            log.info("a compressed answer is not looked through any further: %s", error)
            self.unpacker = None
            return
        if self.scrubber(data) != data:
            raise NotPassedOn("its compressed answer quotes the key that it was given")
        self.unpacked_tail = data[len(data) - self.scrubber.begun(data) :]


def _redirect(location: str) -> str:
    address = parsed_url(location)
    host = address.host if address else ""
    return (
        f"it answered with a redirect to {host[:200] or 'a path of its own'}, which is not passed on: an SDK would send "
        "its gateway key there. Correct the base URL of the virtual key, or set LOUPE_PASS_REDIRECTS=on"
    )
