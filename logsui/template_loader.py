"""Reads templates without the line breaks that only make them readable, so that what goes out is no larger for them.

As in JSX, a line break with its indentation is nothing beside a template tag, between two elements, after an opening tag and
before a closing one; between words, and between a word and an element, it is one space. A space that must stand between two
elements is written on one line. `<pre>`, `<textarea>`, scripts and styles stay as they are.
"""

from __future__ import annotations

import re

from django.template.base import Origin
from django.template.loaders import app_directories

Token = tuple[str, str]
TOKEN = re.compile(
    r"""(?P<verbatim><(?:pre\b.*?</pre|textarea\b.*?</textarea|script\b.*?</script|style\b.*?</style)>)
    | (?P<tag></?[a-zA-Z!](?:\{%.*?%\}|\{\{.*?\}\}|"(?:\{%.*?%\}|\{\{.*?\}\}|[^"])*"|'[^']*'|[^'">])*>)
    | (?P<comment>\{\#.*?\#\})
    | (?P<block>\{%.*?%\})
    | (?P<words>(?:\{\{.*?\}\}|[^<{]|<(?![a-zA-Z/!])|\{(?![{%\#]))+)""",
    re.VERBOSE | re.DOTALL,
)
BREAK = re.compile(r"[ \t]*\n\s*")
# After these a page goes on: what follows is not inside of them.
CLOSED = re.compile(r"</|<(?:area|br|col|hr|img|input|link|meta|source|wbr)\b|.*/>$", re.DOTALL)


class Loader(app_directories.Loader):
    def get_contents(self, origin: Origin) -> str:
        return without_breaks(super().get_contents(origin))


def without_breaks(source: str) -> str:
    """The template that renders the same page in fewer bytes."""
    tokens = [(match.lastgroup or "", match[0]) for match in TOKEN.finditer(source) if match.lastgroup != "comment"]
    around = [("block", ""), *tokens, ("block", "")]
    return "".join(_written(*around[at : at + 3]) for at in range(len(tokens)))


def _written(before: Token, token: Token, after: Token) -> str:
    kind, text = token
    if kind == "verbatim":
        opening, end, rest = text.partition(">")
        return _in_a_line(opening + end) + rest
    if kind != "words":
        return _in_a_line(text) if kind == "tag" else text
    words = text.strip()
    if not words:
        return "" if "\n" in text else text
    start, end = text[: text.index(words)], text[text.index(words) + len(words) :]
    goes_on = before[0] in ("tag", "verbatim") and CLOSED.match(before[1])
    comes = after[0] in ("tag", "verbatim") and not after[1].startswith("</")
    if "\n" in start:
        start = " " if goes_on else ""
    if "\n" in end:
        end = " " if comes else ""
    return start + BREAK.sub(" ", words) + end


def _in_a_line(tag: str) -> str:
    return re.sub(r" (/?>)$", r"\1", BREAK.sub(" ", tag))
