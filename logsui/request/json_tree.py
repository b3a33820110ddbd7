"""A stored body as a tree that unfolds branch by branch, its pictures as chips. Base64 never reaches a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Never

from gateway.content.json_written import Members, Number, compact, written
from gateway.models import LogImage

TOKEN = re.compile(r"sha256:[0-9a-f]{64}")
LONG_RUN = re.compile(r"[A-Za-z0-9+/_=-]{1000,}")
SHOWN_TEXT = 2000
SHOWN_CHILDREN = 500
OPEN_DEPTH = 7
OPEN_CHILDREN = 30


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, or a picture in its place."""

    text: str
    image: LogImage | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One value. A branch that is not open has a `pointer` to ask for its children by (RFC 6901), and none here."""

    name: str
    kind: str
    pointer: str
    pieces: list[Piece] = field(default_factory=list)
    count: int = 0
    children: list[Node] = field(default_factory=list)
    is_open: bool = False
    cut: int = 0

    @property
    def is_branch(self) -> bool:
        return self.kind in ("object", "array")

    @property
    def size(self) -> str:
        """How many children a branch has, in its brackets."""
        return f"{{ {self.count:,} }}" if self.kind == "object" else f"[ {self.count:,} ]"


class Tree:
    """Reads nodes of one body. `images` are those of its direction.

    Raises:
        ValueError: the body is not JSON.
    """

    def __init__(self, body: bytes, images: list[LogImage]) -> None:
        self.document = written(body)
        self.images = {f"sha256:{one.image_id}": one for one in images}

    def root(self) -> Node:
        return self._node("", self.document, "", OPEN_DEPTH, asked=True)

    def at(self, pointer: str) -> Node:
        """One node with its children, or with all of its text. Raises LookupError."""
        value: Any = self.document
        name = ""
        for step in pointer.split("/")[1:]:
            name, value = _child(value, step)
        return self._node(name, value, pointer, 1, asked=True)

    def _node(self, name: str, value: Any, pointer: str, depth: int, *, asked: bool = False) -> Node:
        """`depth` levels are open, as far as they are short; what was asked for is open and whole."""
        if isinstance(value, list):
            opens = asked or (depth > 0 and len(value) <= OPEN_CHILDREN)
            children = list(self._children(value, pointer, depth - 1)) if opens else []
            kind = "object" if isinstance(value, Members) else "array"
            return Node(name, kind, pointer, [], len(value), children, is_open=bool(children))
        if isinstance(value, Number):
            return Node(name, "number", pointer, [Piece(value)])
        if isinstance(value, str):
            shown = value if asked else value[:SHOWN_TEXT]
            return Node(name, "text", pointer, list(self.pieces(shown)), cut=len(value) - len(shown))
        return Node(name, "word", pointer, [Piece(compact(value))])

    def _children(self, value: list[Any], pointer: str, depth: int) -> Iterator[Node]:
        items = value if isinstance(value, Members) else ((str(i), one) for i, one in enumerate(value))
        seen: dict[str, int] = {}
        for number, (name, one) in enumerate(items):
            if number == SHOWN_CHILDREN:
                yield Node("", "rest", "", [Piece(f"{len(value) - number:,} more; the download has all")])
                return
            again = seen[name] = seen.get(name, -1) + 1
            yield self._node(_printable(name), one, f"{pointer}/{_step(_printable(name), again)}", depth)

    def pieces(self, text: str) -> Iterator[Piece]:
        done = 0
        for match in TOKEN.finditer(text):
            if image := self.images.get(match[0]):
                yield Piece(_printable(text[done : match.start()]))
                yield Piece(match[0][:19], image)
                done = match.end()
        yield Piece(_printable(text[done:]))


def _step(name: str, again: int) -> str:
    """RFC 6901, and for a member whose name stood there before, the number of times, behind `~2`."""
    return name.replace("~", "~0").replace("/", "~1") + (f"~2{again}" if again else "")


def _child(value: Any, step: str) -> tuple[str, Any]:
    """Raises LookupError."""
    if isinstance(value, list) and not isinstance(value, Members):
        return step, value[int(step)] if step.isdecimal() else _missing(step)
    named, _, again = step.partition("~2")
    name = named.replace("~1", "/").replace("~0", "~")
    found = [one for key, one in value if key == name] if isinstance(value, Members) else []
    return name, found[int(again or 0)] if again.isdecimal() or not again else _missing(step)


def _missing(step: str) -> Never:
    raise LookupError(step)


def _printable(text: str) -> str:
    """With runs of what may be base64 cut short."""
    return LONG_RUN.sub(lambda run: f"{run[0][:40]}… ({len(run[0]):,} characters)", text)
