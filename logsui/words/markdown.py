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

from gateway.content.json_written import broken_into_lines
from logsui.words.formulas import add_formulas
from logsui.words.highlight import highlighted

LONGEST = 60_000
MARKED = re.compile(r"(^\s*([#>|]|[-*+] |\d+[.)] |```))|[*_`]\S|\]\(|\\[(\[]", re.MULTILINE)


def rendered(text: str) -> SafeString:
    """HTML that is safe to put into a page; empty where plain text says the same, or there is too much of it."""
    if len(text) > LONGEST:
        return SafeString("")
    if broken := broken_into_lines(text):
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


def _align(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A column's side as a class: the page's own policy forbids styles in elements."""
    side = str(tokens[index].attrs.pop("style", "")).rpartition(":")[2]
    if side in ("right", "center"):
        tokens[index].attrSet("class", f"align-{side}")
    return self.renderToken(tokens, index, options, env)


# Models break lines where they mean to: in receipts, addresses, verse.
_reader = MarkdownIt("js-default", {"highlight": _highlight, "breaks": True}).disable("image")
add_formulas(_reader)
_reader.validateLink = _is_web_address  # type: ignore[method-assign]
_reader.add_render_rule("link_open", _open_link)
_reader.add_render_rule("th_open", _align)
_reader.add_render_rule("td_open", _align)
