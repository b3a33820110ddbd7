"""Code in colours, whatever it is."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logsui.words.highlight import highlighted
from logsui.words.markdown import rendered
from tests.patience import soon

LANGUAGES = ["json", "python", "javascript", "html", "yaml", "css", "xml", "bash", "sql", "diff", "nothing"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("piece", ["&", "a.", "*", "`", '\\"', "<?", "["])
def test_text_that_a_lexer_cannot_read_takes_no_time(language: str, piece: str) -> None:
    with soon():
        html = highlighted(piece * 20_000, language)
    assert unescape(re.sub("<[^>]*>", "", html)) == piece * 20_000


@pytest.mark.parametrize("piece", ["[", "![", "*a", "`", "> ", "<![CDATA["])
def test_markdown_that_never_ends_takes_no_time(piece: str) -> None:
    with soon():
        rendered("# a\n" + piece * (59_000 // len(piece)))


@given(st.text(max_size=200).map(lambda text: text.replace("\r", "")), st.sampled_from(LANGUAGES))
def test_nothing_of_the_text_is_lost(text: str, language: str) -> None:
    assert unescape(re.sub("<[^>]*>", "", highlighted(text, language))) == text
