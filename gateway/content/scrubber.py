"""Takes a call's secrets out of bytes that leave: for the journal, the client, a log line.

A provider may quote the key it was given: plainly, with JSON's escapes, percent-encoded, any mixture of these, or inside of
base64. Whatever says a secret is starred out, byte for byte, so that lengths and offsets stay true.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

SHORTEST = 12  # shorter ones, as `none` or `ollama`, are words that any answer may hold
SHORTEST_IN_ERRORS = 4
SLASHES = rb"\\{1,8}"  # JSON in JSON in JSON doubles them each time
LONGEST_SPELLING = 14
ESCAPES = {0x22: SLASHES + b'"', 0x5C: SLASHES, 0x2F: SLASHES + b"/"}


@dataclass(frozen=True)
class _Secret:
    """One secret with all its spellings."""

    plain: bytes

    @cached_property
    def literals(self) -> list[bytes]:
        """Spellings that can be searched for as they are: plain, and what is the same in base64 wherever it stands."""
        return list(dict.fromkeys([self.plain, *_in_base64(self.plain)]))

    @cached_property
    def marks(self) -> list[bytes]:
        """One of these is in every other spelling."""
        return [b"%", b"\\u00", *(b"\\" for _ in range(any(byte in ESCAPES for byte in self.plain)))]

    @cached_property
    def steps(self) -> list[bytes]:
        """For each byte, a pattern of how it may be written."""
        return [_spellings(byte) for byte in self.plain]

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"".join(self.steps))

    @cached_property
    def compiled_steps(self) -> list[re.Pattern[bytes]]:
        return [re.compile(step) for step in self.steps]

    def without(self, data: bytes) -> bytes:
        for literal in self.literals:
            if literal in data:
                data = data.replace(literal, b"*" * len(literal))
        if any(mark in data for mark in self.marks):
            data = self.pattern.sub(lambda found: b"*" * len(found[0]), data)
        return data

    def begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a spelling."""
        longest = max(_begun(data, literal) for literal in self.literals)
        tail = data[-LONGEST_SPELLING * len(self.plain) :]
        if not any(mark[:1] in tail for mark in self.marks):
            return longest
        starts = (len(tail) - at for at in range(len(tail)) if self._goes_on(tail, at))
        return max(longest, next(starts, 0))

    def _goes_on(self, tail: bytes, at: int) -> bool:
        """Whether all that stands from here to the end is the beginning of a spelling."""
        for step in self.compiled_steps:
            found = step.match(tail, at)
            if HALF_ESCAPE.fullmatch(tail, at) or (found and found.end() == len(tail)):
                return True
            if found is None:
                return False
            at = found.end()
        return False


HALF_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?|\\{1,8}(?:u0{0,2}[0-9A-Fa-f]?)?")


@dataclass(frozen=True, slots=True)
class Scrubber:
    """The secrets of one call. Without any, everything passes as it is."""

    secrets: tuple[_Secret, ...] = field(repr=False)

    @classmethod
    def of(cls, secrets: Iterable[str], *, shortest: int = SHORTEST) -> Scrubber:
        plain = dict.fromkeys(one.encode("utf-8", "surrogateescape") for one in secrets if len(one) >= shortest)
        return cls(tuple(_known(one) for one in plain))

    def __call__(self, data: bytes) -> bytes:
        """The same bytes with every secret starred out."""
        for secret in self.secrets:
            data = secret.without(data)
        return data

    def text(self, text: str) -> str:
        """As for bytes; of text that a header or a log line holds."""
        return self(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace") if self.secrets else text

    def begun(self, data: bytes) -> int:
        """How many bytes at the end of `data` must wait for what follows, since they may begin a secret."""
        if not self.secrets or data.endswith(b"\n"):  # no secret goes over a line
            return 0
        return max(secret.begun(data) for secret in self.secrets)


@lru_cache(maxsize=1024)
def _known(plain: bytes) -> _Secret:
    """Its patterns are made once, when an answer first holds what may be an escape."""
    return _Secret(plain)


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """What each of the three ways to stand in groups of three bytes has in it, whatever stands before and after."""
    if len(plain) < SHORTEST:
        return
    for before in range(3):
        whole = base64.b64encode(bytes(before) + plain).rstrip(b"=")
        first, last = -(-before * 8 // 6), (before + len(plain)) * 8 // 6
        yield whole[first:last]
        yield whole[first:last].translate(URL_SAFE)


URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _spellings(byte: int) -> bytes:
    """Itself; as an escape of JSON, of JSON in JSON too; percent-encoded."""
    digits = b"".join(b"[%c%c]" % (digit, digit ^ 0x20) if digit > 0x39 else b"%c" % digit for digit in b"%02x" % byte)
    ways = [SLASHES + b"u00" + digits, b"%" + digits, re.escape(bytes([byte]))]
    return b"(?:" + b"|".join([*ways, *([ESCAPES[byte]] if byte in ESCAPES else [])]) + b")"


def _begun(data: bytes, literal: bytes) -> int:
    """How many bytes at the end of `data` are the beginning of a literal."""
    at = data.find(literal[:1], max(len(data) - len(literal) + 1, 0))
    while at >= 0 and not literal.startswith(data[at:]):
        at = data.find(literal[:1], at + 1)
    return len(data) - at if at >= 0 else 0
