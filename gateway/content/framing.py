"""Cuts a stream of bytes into its messages: however the bytes are split on the way, or whole, after the fact."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from gateway.content.json_text import MOST_VALUES, parse

LONGEST_MESSAGE = 256 * 1024 * 1024
DONE = b"[DONE]"
MOST_LINES = 2_000_000
LINES = msgspec.json.Decoder()
NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


class BadStream(Exception):
    """Bytes that are no message of this framing; the text says what they are."""


class ServerSentEvents:
    """`text/event-stream`: the JSON of every event's data (WHATWG HTML, 9.2). `[DONE]` and comments are passed over."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.searched = 0
        self.data: list[bytes] = []
        self.size = 0
        self.done = False

    def feed(self, data: bytes) -> Iterator[Any]:
        self.buffer += data
        while True:
            end = self.buffer.find(b"\n", self.searched)
            if end < 0:
                self.searched = len(self.buffer)
                if self.searched > LONGEST_MESSAGE:
                    raise BadStream("a line of the stream does not end")
                return
            line = bytes(self.buffer[:end]).rstrip(b"\r")
            del self.buffer[: end + 1]
            self.searched = 0
            yield from self._line(line)

    def rest(self) -> bool:
        return bool(self.buffer.strip()) or bool(self.data)

    def finish(self) -> Iterator[Any]:
        """A last event whose blank line was left out."""
        if self.buffer:
            yield from self._line(bytes(self.buffer))
            self.buffer.clear()
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[Any]:
        if line.startswith(b"data:"):
            self.data.append(line[5:].removeprefix(b" "))
            self.size += len(line)
            if self.size > LONGEST_MESSAGE:
                raise BadStream("an event of the stream does not end")
        elif not line and self.data:
            text = b"\n".join(self.data)
            self.data, self.size = [], 0
            self.done = self.done or text.strip() == DONE
            if text.strip() not in (DONE, b""):
                yield _parsed(text)


class AwsEventStream:
    """`application/vnd.amazon.eventstream`: binary frames, each checked; an event is `{<event type>: payload}`."""

    def __init__(self) -> None:
        from botocore.eventstream import EventStreamBuffer

        self.buffer: Any = EventStreamBuffer()
        self.fed = self.taken = 0
        self.done = False

    def feed(self, data: bytes) -> Iterator[Any]:
        from botocore.eventstream import EventStreamError, ParserError

        self.buffer.add_data(data)
        self.fed += len(data)
        try:
            for message in self.buffer:
                self.taken += message.prelude.total_length
                headers = message.headers
                kind = headers.get(":exception-type") or headers.get(":event-type") or headers.get(":error-code", "")
                told = {"message": headers[":error-message"]} if ":error-message" in headers else {}
                yield {kind: _parsed(message.payload) if message.payload else told}
        except (EventStreamError, ParserError, ValueError) as error:
            raise BadStream(f"a frame of the event stream is damaged: {error}") from None

    def rest(self) -> bool:
        return self.fed > self.taken

    def finish(self) -> Iterator[Any]:
        return iter(())


def _parsed(text: bytes) -> Any:
    try:
        return parse(text)
    except ValueError:
        raise BadStream(f"an event of the stream is no JSON: {text[:100].decode('utf-8', 'replace')!r}") from None


class WithoutUsage:
    """Takes the event out of a chat stream that only counts tokens, for a caller who did not ask for it. Fed whole lines."""

    def __init__(self) -> None:
        self.skips_blank = False

    def __call__(self, lines: bytes) -> bytes:
        return b"".join(line for line in lines.splitlines(keepends=True) if self._stays(line))

    def _stays(self, line: bytes) -> bool:
        if self.skips_blank and not line.strip():
            self.skips_blank = False
            return False
        counts = line.startswith(b"data:") and NO_CHOICES.search(line) is not None and b'"usage"' in line
        self.skips_blank = counts
        return not counts


class Event(NamedTuple):
    """One event's data: its offsets in the stream, so that pictures in it can be placed."""

    start: int
    end: int
    data: bytes


def events(stream: bytes) -> Iterator[Event]:
    """Each `data:` line of a stream of server-sent events, up to a number. Providers of this dialect send one JSON object a line."""
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
    lines = stream.split(b"\n", MOST_LINES)[:MOST_LINES]
    data = [text for line in lines if line.startswith(b"data:") and (text := line[5:].strip()) not in (DONE, b"")]
    if len(stream) <= MOST_VALUES:
        with contextlib.suppress(msgspec.DecodeError, RecursionError):  # one by one, those are told apart
            return LINES.decode_lines(b"\n".join(data)), 0
    return _one_by_one(data)


def _one_by_one(data: list[bytes]) -> tuple[list[Any], int]:
    found, bad = [], 0
    for text in data:
        try:
            found.append(parse(text))
        except ValueError:
            bad += 1
    return found, bad
