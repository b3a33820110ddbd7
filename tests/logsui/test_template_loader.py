"""Line breaks of a template that cost nothing, and those that are a space."""

from __future__ import annotations

import pytest

from logsui.template_loader import without_breaks


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<ul>\n  <li>a</li>\n  <li>b</li>\n</ul>\n", "<ul><li>a</li><li>b</li></ul>"),
        ("<p>\n  two\n  words\n</p>", "<p>two words</p>"),
        (
            "<p>\n  a <b>bold</b>\n  word\n  <i>and</i> <b>two</b>\n</p>",
            "<p>a <b>bold</b> word <i>and</i> <b>two</b></p>",
        ),
        (
            "{% if x %}\n  {{ x }}\n  {% if y %}, {{ y }}{% endif %}\n{% endif %}",
            "{% if x %}{{ x }}{% if y %}, {{ y }}{% endif %}{% endif %}",
        ),
        ("<br>\n  after", "<br> after"),
        ('<img\n  src="{{ x }}"\n  alt="a > b"\n>\n<b>c</b>', '<img src="{{ x }}" alt="a > b"><b>c</b>'),
        ('<path\n  d="M0"\n/>', '<path d="M0"/>'),
        ('<pre\n  class="code"\n>a\n  b\n</pre>\n<p>c</p>', '<pre class="code">a\n  b\n</pre><p>c</p>'),
        ('<textarea name="x">\n {{ x }}\n</textarea>', '<textarea name="x">\n {{ x }}\n</textarea>'),
        ("{# why #}\n<p>1 < 2 {not a tag}</p>", "<p>1 < 2 {not a tag}</p>"),
        ('{{ " " }}<b>a</b>\n{{ b }}\n{{ c }}', '{{ " " }}<b>a</b> {{ b }} {{ c }}'),
    ],
)
def test_a_break_is_nothing_between_tags_and_a_space_between_words(written: str, read: str) -> None:
    assert without_breaks(written) == read
    assert without_breaks(read) == read
