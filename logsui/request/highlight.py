"""Code and JSON in colours: spans with Pygments' short class names, which the stylesheet colours in both themes."""

from __future__ import annotations

import json

from django.utils.html import escape
from django.utils.safestring import SafeString
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

LONGEST = 60_000
_formatter = HtmlFormatter(nowrap=True)


def highlighted(text: str, language: str) -> SafeString:
    """Safe HTML; without colours where the language is not known or there is too much text."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False) if len(text) <= LONGEST else None
    except ClassNotFound:
        lexer = None
    if lexer is None:
        return escape(text)
    html = highlight(text, lexer, _formatter)  # which escapes the text, and ends its last line
    return SafeString(html if text.endswith("\n") else html.removesuffix("\n"))


def pretty_json(text: str) -> str:
    """JSON objects and lists with their lines broken; empty for anything else."""
    if not text.lstrip().startswith(("{", "[")):
        return ""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""
