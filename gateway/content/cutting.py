"""Cut the pictures out of a body, and put them back to the byte.

A cut body is the original in which each encoded file is replaced by `sha256:<hex>` of its decoded bytes, so a JSON body
stays JSON. `Cut` says where and how it was written; `rebuild` is the inverse of `cut` for every body. A run that
cannot be written again exactly (line breaks in base64, mixed alphabets, stray bits) is noted as a find and left in place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.content import multipart
from gateway.content.json_text import long_strings
from gateway.content.sniff import Sniffed, sniff

MOST_FILES = 1000
SHORTEST_BARE = 64
LONG_RUN = 65_536
DATA_URL = re.compile(rb"data:([^,\"'\s]{0,200}?),", re.IGNORECASE)
# First characters of the base64 of PNG, JPEG, GIF, RIFF, BMP, TIFF, PDF and the ISO media formats.
BARE = re.compile(
    rb"[\"'](?=iVBORw0KGg|(?:\\*/|_)9j(?:\\*/|_)|R0lGOD|UklGR|Qk[0-9A-Za-z+/_-]{3}|SUkqA|TU0AK|JVBERi0|AAAA[A-Za-z0-9+/]{1,2}[A-Za-z0-9+/]?Z0eX|AAAA..Zn)"
)
PLAIN_RUN = re.compile(rb"[A-Za-z0-9+/_-]*={0,2}")
ESCAPED_RUN = re.compile(rb"(?:[A-Za-z0-9+/_-]|\\+/|\\+[nr]|[ \t\r\n])*={0,2}")
URL_TEXT = re.compile(rb"[^\"'\s\\)]*")
ESCAPED_SLASH = re.compile(rb"\\+(?=/)")
FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")
NOISE = re.compile(rb"\\+[nr]|[ \t\r\n]|\\+(?=/)")


class Cut(NamedTuple):
    """`sha256:<hex>` stands at byte `at` of the cut body, for the file with that hash written as `encoding`."""

    at: int
    sha256: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Find:
    """A file in a body. `at` is its byte offset in the cut body; `data` is empty when `problem` says why."""

    at: int
    data: bytes
    sniffed: Sniffed | None
    declared: str
    cut: bool
    problem: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Cutting:
    """`is_whole` is false when there were more files than are looked for; the rest stands in the text as it came."""

    text: bytes
    cuts: list[Cut]
    finds: list[Find]
    is_whole: bool = True


class _Run(NamedTuple):
    """Bytes start:end of the body say `data`; `encoding` is empty when they cannot be written again exactly."""

    start: int
    end: int
    data: bytes
    declared: str
    encoding: str
    problem: str


class Cutter:
    """Cuts the bodies of one call. A long run that stands in several of them is decoded and hashed once."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, bytes, bytes], tuple[bytes, bytes, str]] = {}
        self.mixed = -1
        self.digests: list[tuple[bytes, str]] = []

    def cut(self, body: bytes, content_type: str = "") -> Cutting:
        """Replace every file in the body by its hash."""
        text: list[bytes] = []
        cuts: list[Cut] = []
        finds: list[Find] = []
        done = length = 0
        self.mixed = -1
        runs = self._runs(body, content_type)
        for run in islice(runs, MOST_FILES):
            text.append(body[done : run.start])
            length += run.start - done
            digest = self._digest(run.data) if run.data else ""
            finds.append(Find(length, run.data, sniff(run.data), run.declared, bool(run.encoding), run.problem, digest))
            token = body[run.start : run.end]
            if run.encoding:
                token = f"sha256:{digest}".encode()
                cuts.append(Cut(length, digest, run.encoding))
            text.append(token)
            length += len(token)
            done = run.end
        text.append(body[done:])
        return Cutting(b"".join(text), cuts, finds, is_whole=next(runs, None) is None)

    def _runs(self, body: bytes, content_type: str) -> Iterator[_Run]:
        boundary = multipart.boundary_of(content_type)
        if boundary:
            for part in multipart.parts(body, boundary):
                content = body[part.start : part.end]
                if content and (part.filename is not None or sniff(content)):
                    yield _Run(part.start, part.end, content, part.content_type, "raw", "")
                else:
                    yield from self._text_runs(body, part.start, part.end)
        elif body and (found := sniff(body)) and found.media_type != "image/svg+xml":
            yield _Run(0, len(body), body, content_type.partition(";")[0], "raw", "")
        else:
            yield from self._text_runs(body, 0, len(body))

    def _text_runs(self, body: bytes, at: int, end: int) -> Iterator[_Run]:
        opaque = _without_commas(body)
        url = _next_url(body, at, end, opaque)
        while True:
            if url and url.start() < at:
                url = _next_url(body, at, end, opaque)
            bare = BARE.search(body, at, url.start() if url else end)
            if bare:
                run = self._bare(body, bare.end(), end)
            elif url:
                run = self._data_url(body, url, end)
            else:
                return
            if run.data or run.problem:
                yield run
            at = max(run.end, run.start + 1)

    def _bare(self, body: bytes, start: int, end: int) -> _Run:
        stop, data, encoding = self._read_run(body, start, end)
        known = stop - start >= SHORTEST_BARE and data and sniff(data)
        return _Run(start, stop, data if known else b"", "", encoding, "")

    def _data_url(self, body: bytes, url: re.Match[bytes], end: int) -> _Run:
        head = url[1].decode("latin-1").lower()
        declared = head.partition(";")[0].strip().replace("\\/", "/")
        media = declared.startswith(("image/", "audio/", "video/", "application/pdf"))
        start = url.end()
        if not head.endswith(";base64"):
            match = URL_TEXT.match(body, start, end)
            stop = match.end() if match else start
            return _Run(start, stop, unquote_to_bytes(body[start:stop]) if media else b"", declared, "", "")
        stop, data, encoding = self._read_run(body, start, end)
        if not data and media:
            problem = "the data URL is empty" if start == stop else "the data URL does not hold base64"
            return _Run(start, stop, b"", declared, "", problem)
        keep = media or (data and sniff(data))
        return _Run(start, stop, data if keep else b"", declared, encoding, "")

    def _read_run(self, body: bytes, start: int, end: int) -> tuple[int, bytes, str]:
        """Where the base64 that starts here ends, its bytes, and its encoding ("" when it cannot be written again exactly).

        A long one nearly always fills a JSON string, and decoding up to the quote proves that sooner than a pattern would.
        `mixed` is the quote of a string for which it did not: trying again at each run in it would take for ever.
        """
        match = PLAIN_RUN.match(body, start, min(end, start + LONG_RUN))
        if match and match.end() == start + LONG_RUN:
            quote = body.find(b'"', start, end)
            data, encoding = self._decoded(body[start:quote]) if quote not in (-1, self.mixed) else (b"", "")
            if encoding:
                return quote, data, encoding
            self.mixed = quote
            match = PLAIN_RUN.match(body, start, end)
        stop = match.end() if match else start
        if body[stop : stop + 1] in b"\\ \t\r\n" and stop < end:
            escaped = ESCAPED_RUN.match(body, start, end)
            stop = escaped.end() if escaped else stop
        return stop, *self._decoded(body[start:stop])

    def _decoded(self, run: bytes) -> tuple[bytes, str]:
        if len(run) < LONG_RUN:
            return _decode(run)
        key = len(run), run[:64], run[-64:]
        known, data, encoding = self.seen.get(key, (b"", b"", ""))
        if known != run:
            data, encoding = _decode(run)
            if encoding:
                self.seen[key] = run, data, encoding
        return data, encoding

    def _digest(self, data: bytes) -> str:
        found = next((digest for kept, digest in self.digests if kept is data), "")
        if not found:
            found = hashlib.sha256(data).hexdigest()
            self.digests.append((data, found))
        return found


def cut(body: bytes, content_type: str = "") -> Cutting:
    """Replace every file in the body by its hash."""
    return Cutter().cut(body, content_type)


def rebuild(text: bytes, cuts: Sequence[Cut], load: Callable[[str], bytes]) -> bytes:
    """The original body. `load` answers the bytes of a hash."""
    pieces, done = [], 0
    for at, digest, encoding in cuts:
        pieces += [text[done:at], _encode(load(digest), encoding)]
        done = at + len("sha256:") + len(digest)
    return b"".join([*pieces, text[done:]])


def _without_commas(body: bytes) -> list[tuple[int, int]]:
    """The long strings in which no data URL can be, since each has a comma. Base64 has none."""
    return [(start, end) for start, end in long_strings(body) if body.find(b",", start, end) < 0]


def _next_url(body: bytes, at: int, end: int, opaque: list[tuple[int, int]]) -> re.Match[bytes] | None:
    for start, stop in opaque[bisect_left(opaque, (at, 0)) :]:
        if start >= end:
            break
        found = DATA_URL.search(body, at, start)
        if found:
            return found
        at = stop
    return DATA_URL.search(body, at, end) if at < end else None


def _decode(run: bytes) -> tuple[bytes, str]:
    """The bytes, and the encoding that writes exactly this run again ("" when none does)."""
    noisy = any(mark in run for mark in (b"\\", b" ", b"\n", b"\t", b"\r"))
    plain = NOISE.sub(b"", run) if noisy else run
    url_safe = b"-" in run or b"_" in run
    standard = (plain.translate(FROM_URL_SAFE) if url_safe else plain).rstrip(b"=")
    try:
        data = binascii.a2b_base64(standard + b"=" * (-len(standard) % 4), strict_mode=True)
    except binascii.Error:
        return b"", ""
    slash = ESCAPED_SLASH.search(run) if noisy else None
    padded = run.endswith(b"=") or len(plain) % 4 == 0
    encoding = ":".join(
        (
            "base64url" if url_safe else "base64",
            "padded" if padded else "bare",
            str(len(slash[0]) if slash else 0),
        )
    )
    return data, encoding if _says_exactly(run, data, encoding, noisy=noisy) else ""


def _says_exactly(run: bytes, data: bytes, encoding: str, *, noisy: bool) -> bool:
    """Whether encoding the data gives the run. Without noise, only the alphabet and the last, padded group can differ."""
    if noisy:
        return _encode(data, encoding) == run
    mixed = encoding.startswith("base64url") and (b"+" in run or b"/" in run)
    last = len(data) // 3 * 3
    return not mixed and _encode(data[last:], encoding) == run[last // 3 * 4 :]


def _encode(data: bytes, encoding: str) -> bytes:
    if encoding == "raw":
        return data
    alphabet, padding, escapes = encoding.split(":")
    run = base64.urlsafe_b64encode(data) if alphabet == "base64url" else base64.b64encode(data)
    if padding == "bare":
        run = run.rstrip(b"=")
    return run.replace(b"/", b"\\" * int(escapes) + b"/") if int(escapes) else run
