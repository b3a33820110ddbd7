"""Where files stand in a text: behind links at the paths where the providers' formats keep them, in data URLs, and as base64 that
begins as the files of known types do.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.content.base64_text import BACKSLASH, end_of_run
from gateway.content.json_text import Text, long_strings, parsed_or_none, parsed_words, strings_at

SPELLED_CODE = b"\\u00"
MEDIA = ("image/", "audio/", "video/", "application/pdf")


def _letter(char: str) -> bytes:
    codes = b"|".join(sorted({b"%02x" % ord(one) for one in (char.lower(), char.upper())}))
    return rb"(?:%b|%bu00(?:%b))" % (re.escape(char).encode(), BACKSLASH, codes)


def _spelled(text: str) -> bytes:
    """A pattern for this text in every spelling of JSON."""
    return b"".join(map(_letter, text))


# What follows `data:` in a stream of events is a blank or an object, which no media type begins with.
SCHEME = re.compile(rb"data:(?![\s\"'{\[])", re.IGNORECASE)
SPELLED_SCHEME = re.compile(_spelled("data:"), re.IGNORECASE)
# RFC 2397 lets parameters be quoted, and in a quoted one a comma is a comma.
TO_BASE64 = re.compile(
    rb"((?:[^\"'\s<>\\]|%b(?:[\"/]|u00[0-9a-f]{2})){0,300}?)%b" % (BACKSLASH, _spelled(";base64,")), re.IGNORECASE
)
TO_TEXT = re.compile(rb"([^,\"'\s]{0,200}?),", re.IGNORECASE)
TO_TEXT_BASE64 = b";base64,"
URL_TEXT = re.compile(rb"[^\"'\s\\)]*")
QUOTE_BEFORE = re.compile(rb"(\\*)\"\s*\Z")
# First characters of the base64 of PNG, JPEG, GIF, RIFF, BMP, TIFF, PDF and the ISO media formats.
MAGIC = (
    rb"iVBORw0KGg|(?:\\*/|_)9j(?:\\*/|_)|R0lGOD|UklGR|Qk[0-9A-Za-z+/_-]{3}|SUkqA|TU0AK|JVBERi0"
    rb"|AAAA[A-Za-z0-9+/]{1,2}[A-Za-z0-9+/]?Z0eX|AAAA..Zn"
)
# Or one of its first letters is spelled as a code: what it is shows when it is read.
SPELLED_MAGIC = rb"%b|(?:[A-Za-z0-9+/_-]|\\+/){0,11}%bu00[2-7]" % (MAGIC, BACKSLASH)
BARE, SPELLED_BARE = re.compile(rb"[\"'](?=%b)" % MAGIC), re.compile(rb"[\"'](?=%b)" % SPELLED_MAGIC)
BEGINNING = re.compile(rb"\"\s*(?:(?i:(%b))|(?=%b))" % (_spelled("data:"), SPELLED_MAGIC))
LONGEST_HEAD = 400


# A file is a data URL, or base64 without one; what begins an event of a stream is neither.
EVENT_STARTS = (b"data: ", b"data:{")
BASE64_OR_NOT = bytes(ord("a") if re.match(rb"[A-Za-z0-9+/_\\%-]", bytes([code])) else ord(" ") for code in range(256))
SHORTEST_FILE = b"a" * 48
QUICKLY_READ = 256 * 1024


def may_hold_files(body: bytes) -> bool:
    """A quick look at a text: whether it is worth a search. Most answers hold no file, and of them this takes a tenth."""
    if len(body) > QUICKLY_READ or is_spelled(body) or SHORTEST_FILE in body.translate(BASE64_OR_NOT):
        return True
    folded = body.lower()
    return (urls := folded.count(b"data:")) > 0 and urls > sum(map(folded.count, EVENT_STARTS))


def is_spelled(body: bytes) -> bool:
    """Whether any letter is written as a code. Looking for one byte first takes a tenth of the time."""
    return b"\\" in body and SPELLED_CODE in body


class Place(NamedTuple):
    """The content of an encoded file begins at byte `start`, behind a data URL that begins at `url_at`, or -1 without one.

    `declared` is the media type in front of it; `is_base64` is false for a data URL that is percent-encoded, or as it is.
    """

    start: int
    declared: str = ""
    url_at: int = -1
    is_base64: bool = True

    @property
    def claims_media(self) -> bool:
        return self.declared.startswith(MEDIA)


class Scanner:
    """Finds the encoded files of one text, one after the other."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.spelled = is_spelled(body)
        self.bare = SPELLED_BARE if self.spelled else BARE
        self.scheme = SPELLED_SCHEME if self.spelled else SCHEME
        self.opaque = [(start, end) for start, end in long_strings(body) if not self._has_comma(start, end)]
        self.url: Place | None = None
        self.begun = False

    def next(self, at: int, end: int) -> Place | None:
        """The next one from byte `at` on, which only grows."""
        if not self.begun or (self.url and self.url.url_at < at):
            self.begun, self.url = True, self._next_url(at, end)
        bare = self.bare.search(self.body, at, self.url.url_at if self.url else end)
        return Place(bare.end()) if bare else self.url

    def all(self) -> Iterator[Place]:
        """Each, with what it holds passed over."""
        at = 0
        while place := self.next(at, len(self.body)):
            yield place
            at = max(end_of_run(self.body, place.start, len(self.body)), place.start)

    def restart(self) -> None:
        """For another part of the same body."""
        self.begun = False

    def _has_comma(self, start: int, end: int) -> bool:
        """Each data URL has one, and base64 has none."""
        found = self.body.find(b",", start, end) >= 0
        return found or (self.spelled and self.body.find(SPELLED_CODE, start, end) >= 0)

    def _next_url(self, at: int, end: int) -> Place | None:
        for start, stop in self.opaque[bisect_left(self.opaque, (at, 0)) :]:
            if start >= end:
                break
            if found := self._url_between(at, start):
                return found
            at = stop
        return self._url_between(at, end)

    def _url_between(self, at: int, end: int) -> Place | None:
        while at < end and (scheme := self.scheme.search(self.body, at, end)):
            place = _of_url(self.body, scheme, end)
            if place:
                return place
            at = scheme.end()
        return None


def at_a_glance(body: bytes) -> Iterator[Place]:
    """The files that fill a JSON string, and those behind a `;base64,`: all of them but in the oddest texts.

    For a body that is on its way: to hop from quote to quote takes a tenth of the time of a search.
    """
    at, in_text = 0, body.find(TO_TEXT_BASE64)
    while found := BEGINNING.search(body, at):
        place = _of_url(body, found, len(body)) if found[1] else Place(found.end())
        if place:
            yield from _in_texts(body, in_text, found.start())
            yield place
        closing = body.find(b'"', place.start if place else found.end())
        at = closing if closing >= 0 else len(body)
        in_text = body.find(TO_TEXT_BASE64, at) if 0 <= in_text < at else in_text
    yield from _in_texts(body, in_text, len(body))


def _in_texts(body: bytes, at: int, end: int) -> Iterator[Place]:
    """The data URLs in texts whose `;base64,` stands between the offsets, the first of them at the first."""
    while 0 <= at < end:
        scheme = body.rfind(b"data:", max(0, at - LONGEST_HEAD), at)
        if scheme >= 0:
            yield Place(at + len(TO_TEXT_BASE64), _declared(body[scheme + 5 : at]), scheme)
        at = body.find(TO_TEXT_BASE64, at + 1, end)


def _of_url(body: bytes, scheme: re.Match[bytes], end: int) -> Place | None:
    to_base64 = TO_BASE64.match(body, scheme.end(), end)
    head = to_base64 or TO_TEXT.match(body, scheme.end(), end)
    at = scheme.end() - len(scheme[0].lstrip(b'" \t\r\n'))
    return Place(head.end(), _declared(head[1]), at, to_base64 is not None) if head else None


def _declared(head: bytes) -> str:
    return unescaped(head, 4).decode("utf-8", "replace").lower().partition(";")[0].strip()


def unescaped(text: bytes, times: int) -> bytes:
    """The inside of a JSON string without its escapes, as often as JSON was put into JSON."""
    for _ in range(times):
        try:
            text = str(parsed_words(b'"' + text + b'"')).encode("utf-8", "surrogatepass") if b"\\" in text else text
        except ValueError:
            return text.replace(b"\\", b"")
    return text


def text_of_url(body: bytes, place: Place, end: int) -> tuple[int, bytes]:
    """Where a data URL that is not base64 ends, and its bytes. It fills its JSON string, or ends at the first white space."""
    quote = QUOTE_BEFORE.search(body, max(0, place.url_at - 64), place.url_at)
    closing = re.compile(rb"(?<!\\)%b\"" % re.escape(quote[1])).search(body, place.start, end) if quote else None
    if quote is None or closing is None:
        match = URL_TEXT.match(body, place.start, end)
        stop = match.end() if match else place.start
        return stop, unquote_to_bytes(body[place.start : stop])
    text = unescaped(body[place.start : closing.start()], (len(quote[1]) + 1).bit_length())
    return closing.start(), unquote_to_bytes(text)


IMAGE_LINK = re.compile(
    r"(?:^|\.)(?:image_url(?:\.url)?|source\.url|file_?[dD]ata\.file_?[uU]ri|images\[\d+\](?:\.url)?|image(?:\[\d+\])?|data\[\d+\]\.url)$"
)
LINK = re.compile(rb"https?:(?:\\?/){2}", re.IGNORECASE)
LINK_STRING = re.compile(rb"\"https?:(?:\\?/){2}", re.IGNORECASE)


class LinkedImage(NamedTuple):
    """A link's path, its text as it was meant, and the offsets of the text inside its quotes."""

    path: str
    url: str
    start: int
    end: int


def linked_images(text: bytes, places: Sequence[Text] | None = None) -> list[LinkedImage]:
    """The links of a JSON body, or of the strings in it that are known already."""
    return list(_links(text, strings_at(text, link_offsets(text)) if places is None else places))


def link_offsets(text: bytes) -> list[int]:
    """Where strings of a JSON body begin that are links."""
    if b":/" not in text and b":\\/" not in text:
        return []
    return [match.start() + 1 for match in LINK_STRING.finditer(text)]


def _links(text: bytes, places: Iterator[Text] | Sequence[Text]) -> Iterator[LinkedImage]:
    for place in places:
        if LINK.match(text, place.start, place.end) and IMAGE_LINK.search(place.path):
            url = parsed_or_none(b'"' + text[place.start : place.end] + b'"')
            if isinstance(url, str):
                yield LinkedImage(place.path, url, place.start, place.end)
