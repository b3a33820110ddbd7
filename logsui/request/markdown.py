"""Answers as they are meant to be read: JSON with its lines broken, or Markdown without HTML, without pictures from elsewhere,
with links only to the web.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from logsui.request.highlight import highlighted, pretty_json

LONGEST = 60_000
MARKED = re.compile(r"(^\s*([#>|]|[-*+] |\d+[.)] |```))|[*_`]\S|\]\(", re.MULTILINE)


def rendered(text: str) -> SafeString:
    """HTML that is safe to put into a page; empty where plain text says the same, or there is too much of it."""
    if len(text) > LONGEST:
        return SafeString("")
    if broken := pretty_json(text):
        return format_html('<pre class="code">{}</pre>', highlighted(broken, "json"))
    if not MARKED.search(text):
        return SafeString("")
    return SafeString(_reader.render(text))  # the reader knows no HTML, and escapes all text


def _highlight(code: str, language: str, attributes: str) -> str:
    return highlighted(code, language)


def _open_link(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    return self.renderToken(tokens, index, options, env)


def _is_web_address(url: str) -> bool:
    return url.startswith(("https://", "http://", "mailto:"))


_reader = MarkdownIt("js-default", {"highlight": _highlight}).disable("image")
_reader.validateLink = _is_web_address  # type: ignore[method-assign]
_reader.add_render_rule("link_open", _open_link)
