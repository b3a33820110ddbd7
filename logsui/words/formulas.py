"""Formulas between \\( and \\) or \\[ and \\], drawn by the browser itself as MathML: no script, no font, no request to anybody.

Dollar signs begin no formula: they are money far more often.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

from django.utils.html import format_html
from django.utils.safestring import SafeString
from latex2mathml.converter import convert_to_element
from latex2mathml.exceptions import (
    DenominatorNotFoundError,
    DoubleSubscriptsError,
    DoubleSuperscriptsError,
    ExtraLeftOrMissingRightError,
    LimitsMustFollowMathOperatorError,
    MissingEndError,
    MissingSuperScriptOrSubscriptError,
    NoAvailableTokensError,
    NumeratorNotFoundError,
)
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

LONGEST = 1000
CLOSING = {"\\(": "\\)", "\\[": "\\]"}
ELEMENTS = frozenset(
    [
        "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot", "mstyle", "merror", "mpadded",
        "mphantom", "menclose", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mtable", "mtr",
        "mtd",
    ]
)  # fmt: skip
ATTRIBUTES = frozenset(
    [
        "display", "displaystyle", "scriptlevel", "stretchy", "fence", "form", "separator", "movablelimits", "symmetric",
        "lspace", "rspace", "minsize", "maxsize", "linethickness", "columnalign", "rowspacing", "columnspacing", "width",
        "height", "depth", "notation", "accent", "accentunder", "mathvariant",
    ]
)  # fmt: skip
NOT_LATEX = (
    DenominatorNotFoundError, DoubleSubscriptsError, DoubleSuperscriptsError, ExtraLeftOrMissingRightError,
    LimitsMustFollowMathOperatorError, MissingEndError, MissingSuperScriptOrSubscriptError, NoAvailableTokensError,
    NumeratorNotFoundError, RecursionError, ValueError, IndexError, KeyError, AttributeError, TypeError, StopIteration,
)  # fmt: skip


def add_formulas(reader: MarkdownIt) -> None:
    reader.inline.ruler.before("escape", "formula", _formula)
    reader.add_render_rule("formula", _render)


def drawn(latex: str, *, is_block: bool) -> SafeString:
    """MathML that holds nothing but formulas; the source as code, where it is no LaTeX."""
    try:
        element = convert_to_element(latex, display="block" if is_block else "inline")
    except NOT_LATEX:
        return format_html("<code>{}</code>", latex)
    _keep_formulas_only(element)
    return SafeString(tostring(element, encoding="unicode"))  # which escapes every text and attribute


def _keep_formulas_only(root: Element) -> None:
    """The library hands on what the source says: links, styles and texts of any kind."""
    for element in root.iter():
        if element.tag not in ELEMENTS:
            element.tag = "mrow"
        for name in [name for name in element.attrib if name not in ATTRIBUTES and element.tag != "math"]:
            del element.attrib[name]
        element.text = _characters(element.text)


def _characters(text: str | None) -> str | None:
    """The library writes characters as references, which would be escaped like any text."""
    if text is None or "&#x" not in text:
        return text
    head, *rest = text.split("&#x")
    return head + "".join(_character(piece) for piece in rest)


def _character(piece: str) -> str:
    code, semicolon, after = piece.partition(";")
    try:
        return chr(int(code, 16)) + after if semicolon else f"&#x{piece}"
    except (ValueError, OverflowError):
        return f"&#x{piece}"


def _formula(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (the shape of a rule of markdown-it)
    opening = state.src[state.pos : state.pos + 2]
    closing = CLOSING.get(opening, "")
    end = state.src.find(closing, state.pos + 2, state.pos + LONGEST) if closing else -1
    latex = state.src[state.pos + 2 : end].strip() if end >= 0 else ""
    if not latex:
        return False
    if not silent:
        token = state.push("formula", "math", 0)
        token.content, token.markup = latex, opening
    state.pos = end + 2
    return True


def _render(self: RendererHTML, tokens: list[Token], index: int, options: object, env: object) -> str:
    token = tokens[index]
    return drawn(token.content, is_block=token.markup == "\\[")
