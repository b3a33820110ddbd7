"""Colours change nothing of what is written, and let no markup through."""

from __future__ import annotations

import json
import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from logsui.request.highlight import highlighted, pretty_json
from logsui.request.markdown import rendered

printable = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"))


def words_of(html: str) -> str:
    return unescape(re.sub(r"</?span[^>]*>", "", html))


@given(printable, st.sampled_from(["json", "python", "html", "javascript", "no-such-language", "<b>"]))
def test_the_text_stays_the_same(text: str, language: str) -> None:
    html = highlighted(text, language)
    assert words_of(html) == text
    assert re.fullmatch(r'(?:[^<>]|<span class="[\w ]+">|</span>)*', html)


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=9), st.none()), min_size=1))
def test_an_answer_in_json_is_shown_with_its_lines_broken(document: dict[str, object]) -> None:
    assert json.loads(words_of(rendered(json.dumps(document)).split('<pre class="code">')[1].split("</pre>")[0])) == (
        json.loads(pretty_json(json.dumps(document)))
    )


def test_fenced_code_is_coloured_by_its_language() -> None:
    assert '<span class="k">def</span>' in rendered("Try this:\n\n```python\ndef f(): pass\n```\n")
    assert "<script>" not in rendered("```html\n<script>alert(1)</script>\n```")


def test_what_is_not_json_is_not_broken() -> None:
    assert [pretty_json(text) for text in ("12", '"text"', "{half", "[" * 100_000)] == [""] * 4
