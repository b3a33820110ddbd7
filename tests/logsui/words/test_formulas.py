"""Formulas are drawn as MathML that holds nothing else, whatever a model writes."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logsui.words.formulas import ATTRIBUTES, ELEMENTS, drawn
from logsui.words.markdown import rendered

PIECES = st.sampled_from(
    [
        "a", "1", "+", "_", "^", "{", "}", "\\frac", "\\sqrt", "\\text{<script>alert(1)</script>}", "\\href{javascript:x}{y}",
        "\\style{color:red}{z}", "&#x003c;b&#x3e;", "\\begin{matrix}", "\\end{matrix}", "\\sum", "\\left(", "<img src=x>", "'", "é",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join))
def test_nothing_but_formulas_is_drawn(latex: str) -> None:
    root = fromstring(f"<root>{drawn(latex, is_block=False)}</root>".replace("&nbsp;", " "))
    for element in list(root.iter())[1:]:
        tag = element.tag.rpartition("}")[2]
        assert tag in ELEMENTS | {"code"}
        assert set(element.attrib) <= ATTRIBUTES | {"xmlns"}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("*a* \\(x^2\\) b", 1),
        ("\\[\\sum_{i=1}^n i\\]", 1),
        ("*costs* $5.00 to $10.00", 0),
        ("`\\(x\\)` *is code*", 0),
        ("\\(never closed *a*", 0),
    ],
)
def test_formulas_begin_where_latex_says_and_not_at_dollars(text: str, count: int) -> None:
    assert rendered(text).count("<math ") == count
