"""Mustache, by its specification (https://mustache.github.io/mustache.5.html), with what Portkey does where the two differ:

* nothing is escaped for HTML: what a value is escaped for is the caller's to say, and `{{{x}}}`, `{{&x}}` and `{{x}}` are alike;
* objects and lists are written as JSON, `true` and `false` as JSON writes them;
* a section is entered by JavaScript's idea of truth: `0` and `""` are false, the text `"false"` is true;
* `{{>>name}}` is a partial whose name is the value of `name`;
* what is not closed is no error: a tag stays as text, a section ends with the template;
* a section more than a hundred deep in others is left out.

A value is never looked at for tags of its own.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from prompts.language.budget import Budget
from prompts.language.json_text import written

LINE = re.compile(r"(?m)^(?!\Z)")
SIGIL = re.compile(r"[#^/!>&={]?")
DEEPEST, MOST_NESTED, MOST_SLIPS = 20, 100, 50
TEXT = "text"
STANDALONE = ("#", "^", "/", "!", ">", "=")

Partials = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of a template. `kind` is text, value, section, inverted, partial or named (`{{>>name}}`).

    `text` is literal text, or the name; `children` are those of a section; `indent` stands before each line of a partial.
    """

    kind: str
    text: str
    children: Sequence[Node] = ()
    indent: str = ""


@dataclass(slots=True)
class _Token:
    """A tag with its sigil, which is empty for `{{x}}`, or `TEXT` between tags."""

    sigil: str
    text: str
    start: int
    end: int
    is_alone: bool = False
    indent: str = ""


@dataclass(slots=True)
class Details:
    """The names that a template uses, in the order of their first use."""

    values: dict[str, None] = field(default_factory=dict)
    sections: dict[str, None] = field(default_factory=dict)
    partials: dict[str, None] = field(default_factory=dict)

    @property
    def variables(self) -> list[str]:
        return list(self.values | self.sections)


class TooDeep(Exception):
    """Partials that include each other; `str` is the path."""


@lru_cache(maxsize=4096)
def parse(template: str) -> Sequence[Node]:
    """The template as a tree. Takes any text."""
    return _nest(list(_tokens(template)), 0, ())[0]


def details(nodes: Sequence[Node]) -> Details:
    found = Details()
    _collect(nodes, found)
    return found


def slips(template: str) -> list[str]:
    """What renders, but hardly as it was meant: tags and sections that are not closed. Each in a sentence with its line."""
    found: list[tuple[int, str]] = []
    opened: list[_Token] = []
    names: Counter[str] = Counter()
    tokens = list(_tokens(template))
    has_own_braces = any(token.sigil == "=" for token in tokens)
    for token in tokens:
        if token.sigil == TEXT:
            if token is tokens[-1] and not has_own_braces and (at := token.text.find("{{")) >= 0:
                cut = token.text[at : at + 30].split("\n")[0]
                found.append((token.start + at, f"{cut} is not closed: write }}}} after it."))
        elif token.sigil in ("#", "^"):
            opened.append(token)
            names[token.text] += 1
            if len(opened) == MOST_NESTED + 1:
                found.append(
                    (token.start, f"Sections are nested more than {MOST_NESTED} deep; what is deeper is left out.")
                )
        elif token.sigil == "/" and names[token.text]:
            while (last := opened.pop()).text != token.text:
                names[last.text] -= 1
                found.append((last.start, _not_closed(last)))
            names[token.text] -= 1
        elif token.sigil == "/":
            found.append((token.start, f"{{{{/{token.text}}}}} closes nothing that is open."))
        elif not token.text and token.sigil not in ("!", "="):
            found.append((token.start, "A tag names nothing: write a variable's name between the braces."))
    found += [(one.start, _not_closed(one)) for one in opened]
    lines = template.count("\n")
    return [
        (f"Line {template.count(chr(10), 0, at) + 1}: " if lines else "") + said
        for at, said in sorted(found)[:MOST_SLIPS]
    ]


def _not_closed(token: _Token) -> str:
    return f"{{{{{token.sigil}{token.text}}}}} is never closed: write {{{{/{token.text}}}}} where it ends."


@dataclass(frozen=True, slots=True)
class Value:
    """A value where a tag stood, for whoever writes it to escape."""

    value: Any


def events(
    nodes: Sequence[Node], variables: Mapping[str, Any], partials: Partials, budget: Budget | None = None
) -> Iterator[str | Value]:
    """The template's own text and the values between, in order.

    Raises:
        TooDeep: partials include each other without end. TooMuch: the budget is spent.
    """
    return _events(nodes, [variables], (), partials, budget or Budget())


def render(
    nodes: Sequence[Node], variables: Mapping[str, Any], partials: Partials, budget: Budget | None = None
) -> str:
    """The text, for people to read. Raises TooDeep and TooMuch, see `events`."""
    budget, pieces = budget or Budget(), []
    for one in events(nodes, variables, partials, budget):
        pieces.append(plain(one.value) if isinstance(one, Value) else one)
        budget.write(len(pieces[-1]))
    return "".join(pieces)


def plain(value: Any) -> str:
    """A value as text: JSON for what is neither text nor missing."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))  # JavaScript knows one kind of number
    return written(value)


def is_true(value: Any) -> bool:
    """JavaScript's truth, but an empty list is false, as Mustache has it, and an object is true."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return isinstance(value, Mapping) or bool(value)


def look_up(name: str, context: Sequence[Any]) -> Any:
    """The value of a name, `None` when there is none; `a.b` is looked for whole first, then step by step, `.a` only here."""
    if name == ".":
        return context[-1]
    if name.startswith("."):
        return _step(context[-1], name[1:].split("."))
    for scope in reversed(context):
        if isinstance(scope, Mapping) and name in scope:
            return scope[name]
    first, *rest = name.split(".")
    for scope in reversed(context):
        if isinstance(scope, Mapping) and first in scope:
            return _step(scope[first], rest)
    return None


def _step(value: Any, names: Sequence[str]) -> Any:
    for name in names:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _events(
    nodes: Sequence[Node], context: list[Any], path: tuple[str, ...], partials: Partials, budget: Budget
) -> Iterator[str | Value]:
    effort = 1 + len(context) // 8  # a name is looked for in one scope after the other
    for node in nodes:
        budget.step(effort + len(node.text) // 32 if node.kind != TEXT else 1)
        match node.kind:
            case "text":
                yield node.text
            case "value":
                yield Value(look_up(node.text, context))
            case "section":
                around = budget.section
                for scope in _scopes(look_up(node.text, context)):
                    budget.section = node.text
                    budget.step(effort)
                    yield from _events(node.children, [*context, scope], path, partials, budget)
                budget.section = around
            case "inverted":
                if not is_true(look_up(node.text, context)):
                    yield from _events(node.children, context, path, partials, budget)
            case _:
                yield from _partial(node, context, path, partials, budget)


def _partial(
    node: Node, context: list[Any], path: tuple[str, ...], partials: Partials, budget: Budget
) -> Iterator[str | Value]:
    name = node.text if node.kind == "partial" else plain(look_up(node.text, context))
    if len(path) >= DEEPEST:
        raise TooDeep(" > ".join([*path, name]))
    source = partials(name) or ""
    if node.indent:
        budget.write(len(node.indent) * (source.count("\n") + 1))
        source = LINE.sub(node.indent, source)
    yield from _events(parse(source), context, (*path, name), partials, budget)


def _scopes(value: Any) -> Sequence[Any]:
    """What a section is rendered with, once for each."""
    if isinstance(value, list):
        return value
    return [value] if is_true(value) else []


def _tokens(template: str) -> Iterator[_Token]:
    """Tags and the text between them, delimiters followed, lines that hold nothing but one tag taken away."""
    opening, closing, at = "{{", "}}", 0
    while True:
        start = template.find(opening, at)
        token = _tag(template, start, opening, closing) if start >= 0 else None
        if token is None:
            yield _Token(TEXT, template[at:], at, len(template))
            return
        if token.sigil in STANDALONE:
            _stand_alone(template, token, at)
        yield _Token(TEXT, template[at : token.start], at, token.start)
        yield token
        at = token.end
        if token.sigil == "=" and len(parts := token.text.split()) == 2:
            opening, closing = parts


def _tag(template: str, start: int, opening: str, closing: str) -> _Token | None:
    """None when it is not closed."""
    inside = start + len(opening)
    match = SIGIL.match(template, inside)
    sigil = match[0] if match else ""
    close = {"{": "}" + closing, "=": "=" + closing}.get(sigil, closing)
    end = template.find(close, inside + len(sigil))
    if end < 0:
        return None
    return _Token(sigil, template[inside + len(sigil) : end].strip(), start, end + len(close))


def _stand_alone(template: str, token: _Token, after_last: int) -> None:
    """A tag that is alone on its line takes the line with it (specification, "standalone")."""
    begin = template.rfind("\n", after_last, token.start) + 1 or after_last
    if begin == after_last and begin > 0 and template[begin - 1] != "\n":
        return  # another tag is on this line
    before = template[begin : token.start]
    after = re.compile(r"[ \t]*(\r?\n|\Z)").match(template, token.end)
    if before.strip(" \t") or after is None or (token.end == len(template) and begin == 0):
        return
    token.is_alone, token.indent = True, before
    token.start, token.end = begin, after.end()


def _nest(tokens: Sequence[_Token], at: int, opened: tuple[str, ...]) -> tuple[list[Node], int]:
    """The nodes up to the tag that closes the last of `opened`, and where the rest begins."""
    nodes: list[Node] = []
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token.sigil in ("#", "^"):
            children, at = _nest(tokens, at, (*opened, token.text)) if len(opened) < MOST_NESTED else ([], at)
            nodes.append(Node("section" if token.sigil == "#" else "inverted", token.text, children))
        elif token.sigil == "/":
            if opened and token.text == opened[-1]:
                return nodes, at
        elif token.sigil == ">":
            kind = "named" if token.text.startswith(">") else "partial"
            nodes.append(Node(kind, token.text.lstrip("> "), indent=token.indent if token.is_alone else ""))
        elif token.sigil in ("", "{", "&"):
            nodes.append(Node("value", token.text))
        elif token.sigil == TEXT and token.text:
            nodes.append(Node("text", token.text))
    return nodes, at


def _collect(nodes: Sequence[Node], found: Details) -> None:
    for node in nodes:
        match node.kind:
            case "value" if node.text != ".":
                found.values[node.text] = None
            case "section" | "inverted":
                found.sections[node.text] = None
                _collect(node.children, found)
            case "partial":
                found.partials[node.text] = None
            case "named":
                found.values[node.text] = None
