"""Server-sent events, read after the fact (WHATWG HTML, 9.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gateway.content.json_text import parse

DONE = b"[DONE]"
MOST_LINES = 2_000_000


class Event(NamedTuple):
    """One event's data: its offsets in the stream, so that pictures in it can be placed."""

    start: int
    end: int
    data: bytes


def events(stream: bytes) -> Iterator[Event]:
    """Each `data:` line of the stream, up to a number. Providers of this dialect send one JSON object a line."""
    at = lines = 0
    while at < len(stream) and lines < MOST_LINES:
        lines += 1
        line_end = stream.find(b"\n", at)
        line_end = len(stream) if line_end < 0 else line_end
        if stream.startswith(b"data:", at):
            start = at + 5 + (stream[at + 5 : at + 6] == b" ")
            data = stream[start:line_end].rstrip(b"\r")
            yield Event(start, start + len(data), data)
        at = line_end + 1


def documents(stream: bytes) -> tuple[list[Any], int]:
    """The parsed events, and how many could not be parsed."""
    found, bad = [], 0
    for event in events(stream):
        if event.data.strip() in (DONE, b""):
            continue
        try:
            found.append(parse(event.data))
        except ValueError:
            bad += 1
    return found, bad
