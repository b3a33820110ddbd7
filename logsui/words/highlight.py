"""Code and JSON in colours: spans with Pygments' short class names, which the stylesheet colours in both themes."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString
from pygments import format
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound

LONGEST, SECONDS = 60_000, 0.3
_formatter = HtmlFormatter(nowrap=True)


def highlighted(text: str, language: str) -> SafeString:
    """Safe HTML; without colours where the language is not known or there is too much text."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False) if len(text) <= LONGEST else None
    except ClassNotFound:
        lexer = None
    if lexer is None:
        return escape(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    html = format(_coloured(lexer, text), _formatter)  # which escapes the text, and ends its last line
    return SafeString(html if text.endswith("\n") else html.removesuffix("\n"))


def _coloured(lexer: Lexer, text: str) -> Iterator[tuple[_TokenType, str]]:
    """The tokens; what is not read in time stays plain. Some lexers take the square of what they cannot read."""
    deadline, done = time.monotonic() + SECONDS, 0
    for kind, piece in lexer.get_tokens(text):
        yield kind, piece
        done += len(piece)
        if time.monotonic() > deadline:
            yield Token.Text, text[done:]
            return
