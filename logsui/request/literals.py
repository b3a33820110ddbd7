"""Values as literals of the languages that code is copied in: nothing that came over the wire is code in any of them.

Each language's own function quotes: shlex for the shell, `repr` for Python, JSON for JavaScript. All three write invisible
characters and those that turn the direction of text as escapes, but for the shell, which has none inside its quotes.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.content.json_written import WrittenFloat

DEEPEST = 64
EXACT_INTEGER = 2**53  # what a JavaScript number holds without rounding


@dataclass(frozen=True, slots=True)
class Variable:
    """Read from the environment when the code runs, with a text before it."""

    name: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """`text` quotes a string; `environment` reads a variable; `words` are its true, false and null."""

    text: Callable[[str], str]
    environment: Callable[[str], str]
    words: Mapping[bool | None, str]

    def value(self, value: str | Variable) -> str:
        if isinstance(value, str):
            return self.text(value)
        return (f"{self.text(value.before)} + " if value.before else "") + self.environment(value.name)

    def pairs(self, values: Mapping[str, str | Variable]) -> str:
        """The inside of a dict or an object."""
        return ", ".join(f"{self.text(name)}: {self.value(value)}" for name, value in values.items())

    def plain(self, value: Any) -> str:
        """A boolean, null, a number, or an empty list or object."""
        return self.words[value] if isinstance(value, bool) or value is None else json.dumps(value)


PYTHON = Language(repr, lambda name: f'os.environ["{name}"]', {True: "True", False: "False", None: "None"})
JAVASCRIPT = Language(json.dumps, lambda name: f"process.env.{name}", {True: "true", False: "false", None: "null"})


def shell_word(text: str) -> str:
    """One argument. Always in quotes, which is what readers of copied commands expect of an address or a body."""
    quoted = shlex.quote(text)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def shell_header(name: str, value: str | Variable) -> str:
    """The argument of curl's `-H`."""
    if isinstance(value, str):
        return shell_word(f"{name}: {value}")
    return shell_word(f"{name}: {value.before}") + f'"${value.name}"'


def means_the_same_everywhere(value: Any, depth: int = 0) -> bool:
    """Whether a parsed JSON value, written as a literal, is the same value in Python and in JavaScript.

    Half surrogates cannot be sent, infinities, large integers and digits that a number does not need are not kept, `__proto__`
    is no ordinary key.
    """
    if depth > DEEPEST:
        return False
    if isinstance(value, dict):
        named = all(name != "__proto__" and _is_whole(name) for name in value)
        return named and all(means_the_same_everywhere(one, depth + 1) for one in value.values())
    if isinstance(value, list):
        return all(means_the_same_everywhere(one, depth + 1) for one in value)
    if isinstance(value, str):
        return _is_whole(value)
    if isinstance(value, WrittenFloat) and value.text != repr(float(value)):
        return False
    return value is None or (math.isfinite(value) and abs(value) <= EXACT_INTEGER)


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
