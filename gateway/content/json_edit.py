"""Small changes to a JSON text that leave every other byte as it was.

An edit is `(start, end, replacement)` in byte offsets of the original. Edits are kept with the log, so that both the
caller's body and the one the provider got can be shown from one stored copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from gateway.content.json_text import Outline

Edit = tuple[int, int, str | bytes]
Path = tuple[str | int, ...]
WHITE = re.compile(rb"[ \t\r\n]*")
MOST_PLACES, MOST_MISSES = 200, 100
PATH_STEPS = 16
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def apply(body: bytes, edits: Sequence[Edit]) -> bytes:
    if not edits:
        return body
    pieces, done = [], 0
    for start, end, text in sorted(edits):
        pieces += [body[done:start], text.encode() if isinstance(text, str) else text]
        done = end
    pieces.append(body[done:])
    return b"".join(pieces)


def difference(body: bytes, sent: bytes, shared: Sequence[bytes]) -> list[Edit]:
    """Edits that turn `body` into `sent`, where the long pieces in `shared` stand in both, in the order of `sent`.

    So a picture that only changed its place in another format need not be written down twice.
    """
    edits: list[Edit] = []
    done_body = done_sent = misses = 0
    for piece in shared:
        at_body, at_sent = _place(body, piece, done_body), _place(sent, piece, done_sent)
        if at_body < 0 or at_sent < 0:
            misses += 1
            if misses > MOST_MISSES:
                break
            continue
        edits.append((done_body, at_body, sent[done_sent:at_sent]))
        done_body, done_sent = at_body + len(piece), at_sent + len(piece)
    return [*edits, (done_body, len(body), sent[done_sent:])]


def _place(text: bytes, piece: bytes, start: int) -> int:
    """Where the piece stands. Searching for its beginning and comparing is quicker than searching for megabytes.

    Only few places are compared: text made to look alike everywhere would take hours.
    """
    head = piece[:64]
    at = start - 1
    for _ in range(MOST_PLACES):
        at = text.find(head, at + 1)
        if at < 0 or text.startswith(piece, at):
            return at
    return -1


def has_string_value(outline: Outline, key: str) -> bool:
    """Whether `key` stands anywhere with a string as its value. Costs one search; parses nothing."""
    text = outline.text
    return any(text[start : start + 1] == b'"' for start in _value_starts(text, key))


def edit_of_only(outline: Outline, key: str, change: Callable[[str], str]) -> Edit | None:
    """The edit of the string under `key` in a body that holds the key once; None when that is not plain.

    Nothing is parsed: a key that is written with escapes might be another one, so a body with such is left alone.
    """
    starts = list(islice(_value_starts(outline.text, key), 2))
    match = STRING.match(outline.text, starts[0]) if len(starts) == 1 and b"\\u" not in outline.text else None
    if match is None:
        return None
    at = outline.place_in_whole(match.start())
    return at, at + len(match[0]), change(match[0].decode())


def edits_for(
    body: bytes, doc: Any, key: str, change: Callable[[Path, str], Callable[[str], str] | None]
) -> list[Edit]:
    """Edits of the string values that stand under `key`.

    Args:
        body: the JSON text; `doc` is the same, parsed.
        change: given the path of the object that holds the key (its first steps) and the value, answers how to turn the value's JSON
            text (quotes included) into the new one, or None to leave it.

    Raises:
        ValueError: the text and the parsed document cannot be matched (a key written with escapes, or given twice).
    """
    starts = list(_value_starts(body, key))
    values = list(_values(doc, key))
    if len(starts) != len(values):
        raise ValueError(f"the key {key!r} is written in a way that cannot be changed in place")
    edits: list[Edit] = []
    for start, (path, value) in zip(starts, values, strict=True):
        turn = change(path, value) if isinstance(value, str) else None
        match = STRING.match(body, start) if turn else None
        if turn and match:
            edits.append((start, match.end(), turn(match[0].decode())))
    return edits


def _value_starts(body: bytes, key: str) -> Iterator[int]:
    """Where the value of each `"key":` begins. A quote inside a JSON string is escaped, so a match is a real key."""
    needle = f'"{key}"'.encode()
    at = body.find(needle)
    while at >= 0:
        after = _skip_white(body, at + len(needle))
        escaped = body[at - 1 : at] == b"\\"
        if not escaped and body[after : after + 1] == b":":
            yield _skip_white(body, after + 1)
        at = body.find(needle, at + len(needle))


def _skip_white(body: bytes, at: int) -> int:
    match = WHITE.match(body, at)
    return match.end() if match else at


def _values(doc: Any, key: str) -> Iterator[tuple[Path, Any]]:
    """Every value under `key`, in the order of the text. Without recursion or whole paths, slow where nesting is deep."""
    path: list[str | int] = []
    levels = [_members(doc)]
    while levels:
        name, value = next(levels[-1], (None, None))
        if name is None:
            levels.pop()
            if path:
                path.pop()
            continue
        if name == key:
            yield tuple(path[:PATH_STEPS]), value
        if isinstance(value, dict | list):
            path.append(name)
            levels.append(_members(value))


def _members(node: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(node, dict):
        return iter(node.items())
    return iter(enumerate(node)) if isinstance(node, list) else iter(())
