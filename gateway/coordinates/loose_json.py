"""JSON as models write it inside their words, with the place of each value: single quotes, tuples, a comma too many, an end that
is missing. Reading is total: what is no value is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

DEEPEST, MOST_TOKENS = 40, 150_000  # what begins again and again, and never ends, is left at some time
NUMBER = r"-?\d{1,15}(?:\.\d{1,20})?(?:[eE][-+]?\d{1,2})?"  # never infinite
OPENING = re.compile(r"[\[{]")
TOKEN = re.compile(
    rf'\s*(?:"(?P<double>(?:[^"\\\n]|\\.)*)"|\'(?P<single>(?:[^\'\\\n]|\\.)*)\'|(?P<number>{NUMBER})(?![\w.])'
    r"|(?P<word>[A-Za-z_]\w*)|(?P<sign>[\[\]{}(),:=])|(?P<end>\Z))"
)


@dataclass(frozen=True, slots=True)
class Value:
    """A dict or list of values, a number, or a text (words such as `true`, too), from `start` to `end` of the text."""

    of: dict[str, Value] | list[Value] | float | str
    start: int
    end: int

    @property
    def number(self) -> float | None:
        return self.of if isinstance(self.of, float) else None


class _NoValue(Exception):
    pass


def values_in(text: str) -> Iterator[Value]:
    """Each object and list that stands in the text and in no other."""
    at, left = 0, MOST_TOKENS
    while left > 0 and (match := OPENING.search(text, at)):
        reader = _Reader(text, match.start())
        try:
            yield (found := reader.value())
            at = max(found.end, match.end())
        except _NoValue:
            at = match.end()
        left -= reader.tokens


@dataclass(slots=True)
class _Reader:
    text: str
    at: int
    depth: int = 0
    tokens: int = 0

    def value(self) -> Value:
        kind, said, start = self._next()
        if kind == "number":
            return Value(float(said), start, self.at)
        if kind != "sign":
            return Value(said, start, self.at)
        if said not in ("[", "(", "{") or self.depth == DEEPEST:
            raise _NoValue
        self.depth += 1
        inside = self._object() if said == "{" else self._list()
        self.depth -= 1
        return Value(inside, start, self.at)

    def _list(self) -> list[Value]:
        found: list[Value] = []
        while not self._closes("])"):
            found.append(self.value())
        return found

    def _object(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while not self._closes("}"):
            kind, name, _ = self._next()
            if kind == "sign" or self._next()[1] not in (":", "="):
                raise _NoValue
            found[name] = self.value()
        return found

    def _closes(self, signs: str) -> bool:
        """Whether the list ends here, or the text does; commas are passed over."""
        while True:
            before = self.at
            kind, said, _ = self._next()
            if kind == "end" or (kind == "sign" and said in signs):
                return True
            if said != "," or kind != "sign":
                self.at = before
                return False

    def _next(self) -> tuple[str, str, int]:
        self.tokens += 1
        match = TOKEN.match(self.text, self.at)
        if match is None or match.lastgroup is None:
            raise _NoValue
        self.at = match.end()
        return match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)
