"""Cut the pictures out of a body, and put them back to the byte.

A cut body is the original in which each encoded file is replaced by `sha256:<hex>` of its decoded bytes, so a JSON body
stays JSON. `Cut` says where and how it was written; `rebuild` is the inverse of `cut` for every body. A run that
cannot be written again exactly (line breaks in base64, mixed alphabets, stray bits) is noted as a find and left in place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from gateway.content import base64_text, multipart
from gateway.content.base64_text import PLAIN_RUN, end_of_run
from gateway.content.file_places import Place, Scanner, may_hold_files, text_of_url
from gateway.content.sniff import Sniffed, sniff

MOST_FILES = 1000
SHORTEST_BARE = 64
LONG_RUN = 65_536
PROBE = 512


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
            scanner = Scanner(body)
            for part in multipart.parts(body, boundary):
                content = body[part.start : part.end]
                if content and (part.filename is not None or sniff(content)):
                    yield _Run(part.start, part.end, content, part.content_type, "raw", "")
                else:
                    yield from self._text_runs(scanner, part.start, part.end)
        elif body and (found := sniff(body)) and found.media_type != "image/svg+xml":
            yield _Run(0, len(body), body, content_type.partition(";")[0], "raw", "")
        elif may_hold_files(body):
            yield from self._text_runs(Scanner(body), 0, len(body))

    def _text_runs(self, scanner: Scanner, at: int, end: int) -> Iterator[_Run]:
        scanner.restart()
        while place := scanner.next(at, end):
            run = self._run_of(scanner.body, place, end)
            if run.data or run.problem:
                yield run
            at = max(run.end, run.start + 1)

    def _run_of(self, body: bytes, place: Place, end: int) -> _Run:
        start, declared = place.start, place.declared
        if not place.is_base64:
            stop, data = text_of_url(body, place, end)
            return _Run(start, stop, data if place.claims_media else b"", declared, "", "")
        stop, data, encoding = self._read_run(body, start, end)
        if place.url_at < 0:
            known = stop - start >= SHORTEST_BARE and data and sniff(data)
            return _Run(start, stop, data if known else b"", "", encoding, "")
        if not data and place.claims_media:
            problem = "the data URL is empty" if start == stop else "the data URL does not hold base64"
            return _Run(start, stop, b"", declared, "", problem)
        keep = place.claims_media or (data and sniff(data))
        return _Run(start, stop, data if keep else b"", declared, encoding, "")

    def _read_run(self, body: bytes, start: int, end: int) -> tuple[int, bytes, str]:
        """Where the base64 that starts here ends, its bytes, and its encoding ("" when it cannot be written again exactly).

        A long one nearly always fills a JSON string, and decoding up to the quote proves that sooner than a pattern would.
        `mixed` is the quote of a string for which it did not: trying again at each run in it would take for ever.
        """
        match = PLAIN_RUN.match(body, start, min(end, start + PROBE))
        if match and match.end() == start + PROBE:
            quote = body.find(b'"', start, end)
            data, encoding = self._decoded(body[start:quote]) if quote not in (-1, self.mixed) else (b"", "")
            if encoding:
                return quote, data, encoding
            self.mixed = quote
        stop = end_of_run(body, start, end)
        return stop, *self._decoded(body[start:stop])

    def _decoded(self, run: bytes) -> tuple[bytes, str]:
        if len(run) < LONG_RUN:
            return base64_text.decode(run)
        key = len(run), run[:64], run[-64:]
        known, data, encoding = self.seen.get(key, (b"", b"", ""))
        if known != run:
            data, encoding = base64_text.decode(run)
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
        data = load(digest)
        pieces += [text[done:at], data if encoding == "raw" else base64_text.encode(data, encoding)]
        done = at + len("sha256:") + len(digest)
    return b"".join([*pieces, text[done:]])
