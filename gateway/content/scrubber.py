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
ESCAPES = {'"': SLASHES + b'"', "\\": SLASHES, "/": SLASHES + b"/"}


@dataclass(frozen=True)
class _Secret:
    """One secret with all its spellings."""

    text: str

    @cached_property
    def plain(self) -> bytes:
        return self.text.encode("utf-8", "surrogateescape")

    @cached_property
    def literals(self) -> list[bytes]:
        """Spellings that can be searched for as they are: plain, and what is the same in base64 wherever it stands."""
        return list(dict.fromkeys([self.plain, *_in_base64(self.plain)]))

    @cached_property
    def marks(self) -> list[bytes]:
        """One of these is in every other spelling; the empty one where there are too many spellings to tell."""
        if not self.text.isascii():
            return [b""]
        return [b"%", b"\\" if any(character in ESCAPES for character in self.text) else b"\\u00"]

    @cached_property
    def steps(self) -> list[bytes]:
        """For each character, a pattern of how it may be written."""
        return [_spellings(character) for character in self.text]

    @cached_property
    def heads(self) -> frozenset[int]:
        """The bytes that a spelling begins with."""
        first = self.text[:1]
        return frozenset([*b"%\\", *first.encode("utf-8", "surrogateescape")[:1], *first.encode("latin-1", "replace")])

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
        starts = (len(tail) - at for at in range(len(tail)) if tail[at] in self.heads and self._goes_on(tail, at))
        return max(longest, next(starts, 0))

    def _goes_on(self, tail: bytes, at: int) -> bool:
        """Whether all that stands from here to the end is the beginning of a spelling."""
        reached = {at}
        for number in range(len(self.text)):
            if any(HALF_ESCAPE.fullmatch(tail, at) for at in reached):
                return True
            reached = {end for at in reached for end in self._ends(number, tail, at)}
            if not reached or len(tail) in reached:
                return bool(reached)
        return False

    def _ends(self, number: int, tail: bytes, at: int) -> set[int]:
        """Where a character that is written here may end; of a backslash, how many are its own cannot be told yet."""
        found = self.compiled_steps[number].match(tail, at)
        ends = {found.end()} if found else set()
        run = len(tail) - at - len(tail[at:].lstrip(b"\\"))
        return ends | set(range(at + 1, at + min(run, 8) + 1)) if self.text[number] == "\\" else ends


HALF_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?|\\{1,8}(?:u[0-9A-Fa-f]{0,3})?")


@dataclass(frozen=True, slots=True)
class Scrubber:
    """The secrets of one call. Without any, everything passes as it is."""

    secrets: tuple[_Secret, ...] = field(repr=False)

    @classmethod
    def of(cls, secrets: Iterable[str], *, shortest: int = SHORTEST) -> Scrubber:
        return cls(tuple(_known(one) for one in dict.fromkeys(secrets) if len(one) >= shortest))

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
def _known(text: str) -> _Secret:
    """Its patterns are made once, when an answer first holds what may be an escape."""
    return _Secret(text)


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


def _spellings(character: str) -> bytes:
    """Itself; as an escape of JSON, of JSON in JSON too; percent-encoded; beyond ASCII as the byte of a header, too."""
    plain, units = character.encode("utf-8", "surrogateescape"), character.encode("utf-16-be", "surrogatepass")
    escape = b"".join(SLASHES + b"u" + _hex(units[at : at + 2]) for at in range(0, len(units), 2))
    ways = [escape, b"".join(b"%" + _hex(bytes([byte])) for byte in plain), re.escape(plain)]
    if "\x7f" < character <= "\xff":
        ways.append(re.escape(character.encode("latin-1")))
    if character in ESCAPES:  # before itself: a backslash alone is the beginning of several
        ways.insert(2, ESCAPES[character])
    return b"(?:" + b"|".join(ways) + b")"


def _hex(data: bytes) -> bytes:
    """A pattern of its hexadecimal digits, large or small."""
    return b"".join(
        b"[%c%c]" % (digit, digit ^ 0x20) if digit > 0x39 else b"%c" % digit for digit in data.hex().encode()
    )


def _begun(data: bytes, literal: bytes) -> int:
    """How many bytes at the end of `data` are the beginning of a literal."""
    at = data.find(literal[:1], max(len(data) - len(literal) + 1, 0))
    while at >= 0 and not literal.startswith(data[at:]):
        at = data.find(literal[:1], at + 1)
    return len(data) - at if at >= 0 else 0
