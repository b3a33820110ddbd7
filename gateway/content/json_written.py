"""JSON as it was written: the digits of its numbers, the order of its members, and those that stand there twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Never

import msgspec

from gateway.content.json_text import TooManyValues, is_too_much, parse

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
OPENING, CLOSING = ("{", "["), ("}", "]")
DEEPEST_INDENT = 100


class Number(str):
    """A number, as its digits were written."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object: its members in their order, with those of one name that stand there again."""

    __slots__ = ()


class WrittenFloat(float):
    """A float that remembers its digits."""

    text: str


def written(text: bytes | str) -> Any:
    """The document, of `Members`, lists, strings, `Number`s, booleans and None.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if is_too_much(data):
        raise TooManyValues
    try:
        return json.loads(
            text, object_pairs_hook=Members, parse_float=Number, parse_int=Number, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parsed_as_written(text: bytes) -> Any:
    """The document in usual types, but for floats that remember their digits; None for what is no JSON."""
    if is_too_much(text):
        return None
    try:
        return DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return parse(text)
    except ValueError:
        return None


def _written_float(text: str) -> WrittenFloat:
    number = WrittenFloat(text)
    number.text = text
    return number


DECODER = msgspec.json.Decoder(float_hook=_written_float)


def compact(value: Any) -> str:
    """On one line, the digits of numbers as they were written."""
    try:
        return _compact(value)
    except RecursionError:  # of what is that deep, Python's own writer goes deeper
        return json.dumps(value, ensure_ascii=False)


def _compact(value: Any) -> str:
    if isinstance(value, Members):
        return "{" + ", ".join(f"{_quoted(name)}: {_compact(one)}" for name, one in value) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(str(name))}: {_compact(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_compact, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    return value.text if isinstance(value, WrittenFloat) else _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def broken_into_lines(text: str) -> str:
    """An object or a list with its lines broken and its tokens untouched; empty for anything else."""
    if not text.lstrip().startswith(("{", "[")):
        return ""
    try:
        json.loads(text)
    except ValueError:
        return ""
    except RecursionError:
        pass  # deep, and its tokens can be told apart all the same
    return "".join(_lines(text))


def _lines(text: str) -> Iterator[str]:
    depth, opened = 0, False
    for match in TOKEN.finditer(text):
        piece = match[0]
        if piece in CLOSING:
            depth -= 1
            yield piece if opened else _line(depth) + piece
            opened = False
            continue
        if opened:
            yield _line(depth)
        opened = piece in OPENING
        depth += opened
        yield {",": "," + _line(depth), ":": ": "}.get(piece, piece)


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, DEEPEST_INDENT)


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
