"""How figures are written on pages."""

from __future__ import annotations

from logsui.logs.sidebar import Value
from logsui.templatetags.figures import facet_value


def test_a_value_of_the_sidebar_has_its_count_as_people_write_it_and_harms_no_page() -> None:
    html = facet_value(Value("<b>gpt", 188889, "?q=a&w=all", "?q=-a", chosen=True))
    assert "<b>188,889</b>" in html
    assert "<b>gpt" not in html
    assert html.count("&lt;b&gt;gpt") == 2
    assert 'href="?q=a&amp;w=all"' in html
    assert 'aria-checked="true"' in html
