"""JSON texts as they come: parsed as far as JSON goes, and where their strings stand (path and byte offsets)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Never

import msgspec

# A string, with the colon that makes a key of it; or what stands around strings.
TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)(?:"(\s*:)?)?|([{}\[\],])', re.DOTALL)

DEEPEST = 512
LONGEST_PATH = 300
MOST_VALUES = 1_000_000
MOST_TOKENS = 2 * MOST_VALUES
LONG_BODY, LONG_STRING, MANY_QUOTES = 16_384, 1_024, 20_000


class TooManyValues(ValueError):
    """A JSON text that would take many times its size, and far too long, to be read."""

    def __init__(self) -> None:
        super().__init__(f"it holds more than {MOST_VALUES:,} values")


def parse(text: bytes) -> Any:
    """The document. Strict JSON, but for lone surrogates, which RFC 8259 allows and msgspec does not.

    Raises:
        ValueError: it is not JSON, or nested too deeply. TooManyValues: what it would take has no bound.
    """
    if is_too_much(text):
        raise TooManyValues
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except msgspec.DecodeError as error:
        if b"\\u" not in text:
            raise ValueError(str(error)) from None
    return parsed_words(text)


def parsed_words(text: str | bytes) -> Any:
    """The document of a JSON text that stood in a string. Raises ValueError as `parse` does."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


@dataclass(frozen=True, slots=True)
class Outline:
    """A JSON text without the insides of its long strings, for a quick look at its keys. `strings` are where those lay."""

    text: bytes
    strings: list[tuple[int, int]]

    @classmethod
    def of(cls, body: bytes) -> Outline:
        pieces, done, strings = [], 0, long_strings(body)
        for start, end in strings:
            pieces.append(body[done:start])
            done = end
        return cls(b"".join([*pieces, body[done:]]) if pieces else body, strings)

    @property
    def values(self) -> int:
        """About how many values there are: what separates and opens them is counted."""
        return self.text.count(b",") + self.text.count(b"[") + self.text.count(b"{")

    def place_in_whole(self, at: int) -> int:
        """Where in the whole text a place of the outline is."""
        for start, end in self.strings:
            if at <= start:
                break
            at += end - start
        return at


def is_too_much(text: bytes) -> bool:
    """Whether a JSON text would take many times its size, and far too long, to be read."""
    return len(text) > MOST_VALUES and Outline.of(text).values > MOST_VALUES


def long_strings(body: bytes) -> list[tuple[int, int]]:
    """Where the insides of the long strings of a JSON text lie; none for a small text or one with very many quotes.

    Searching a picture's base64 for a word takes longer than all else that is done to a call. Hopping from quote to quote
    does not.
    """
    found: list[tuple[int, int]] = []
    at = hops = 0
    if len(body) < LONG_BODY:
        return found
    while (quote := body.find(b'"', at)) >= 0:
        hops += 1
        if hops > MANY_QUOTES:
            return []
        if quote - at > LONG_STRING:
            found.append((at, quote))
        at = quote + 1
    return found


def encoded(doc: Any) -> bytes:
    """The JSON text, of lone surrogates too: half an emoji is JSON as an escape, but not as UTF-8."""
    try:
        return msgspec.json.encode(doc)
    except UnicodeEncodeError:
        return json.dumps(doc, separators=(",", ":")).encode()


def parsed_or_none(text: bytes) -> Any:
    try:
        return parse(text)
    except ValueError:
        return None


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True, slots=True)
class Text:
    """A string value; `path` reads like `messages[0].content[1].image_url.url`; the quotes are outside start and end."""

    path: str
    start: int
    end: int


@dataclass(slots=True)
class _Level:
    """An object (index None) or an array, the path that leads to it, and the member at hand."""

    path: str
    index: int | None
    key: bytes = b""

    def member(self) -> str:
        step = f".{self.key[:LONGEST_PATH].decode('utf-8', 'replace')}" if self.index is None else f"[{self.index}]"
        return (self.path + step)[:LONGEST_PATH]


def strings(body: bytes, start: int = 0, end: int | None = None) -> Iterator[Text]:
    """Every string value between the offsets, keys left out. Stops where no real request goes: deep down, or far on."""
    for level, (at, stop) in _string_spans(body, start, len(body) if end is None else end):
        yield Text(level.member().lstrip(".") if level else "", at, stop)


def strings_at(body: bytes, offsets: Iterable[int]) -> Iterator[Text]:
    """Those of them that hold one of the offsets: nothing is read behind the last, and no other path is written out."""
    wanted = sorted(offsets, reverse=True)
    if not wanted:
        return
    for level, (at, stop) in _string_spans(body, 0, len(body)):
        if wanted[-1] <= stop:
            held = False
            while wanted and wanted[-1] <= stop:
                held = wanted.pop() >= at or held
            if held:
                yield Text(level.member().lstrip(".") if level else "", at, stop)
            if not wanted:
                return


def _string_spans(body: bytes, start: int, end: int) -> Iterator[tuple[_Level | None, tuple[int, int]]]:
    levels: list[_Level] = []
    top: _Level | None = None
    for token in islice(TOKEN.finditer(body, start, end), MOST_TOKENS):
        mark = token[3]
        if mark is None:
            if token[2] is None or top is None or top.index is not None:
                yield top, token.span(1)
            else:
                top.key = token[1]
        elif mark == b",":
            if top is not None and top.index is not None:
                top.index += 1
        elif mark in b"{[":
            top = _Level(top.member() if top else "", None if mark == b"{" else 0)
            levels.append(top)
            if len(levels) > DEEPEST:
                return
        elif levels:
            levels.pop()
            top = levels[-1] if levels else None


def obj(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def words(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    """A token count; anything else, a boolean or a negative number, is unknown."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None
