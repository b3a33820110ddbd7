"""Answers as Markdown run and load nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from logsui.words.markdown import rendered

ATTACKS = "<script>x</script> <img src=x> ![i](http://t.example) [j](javascript:x) [d](data:text/html,x) [f](file:///e) <b>*a*</b> `c` | - # > http://u.example"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@given(
    st.lists(st.sampled_from(ATTACKS.split(" ")) | st.text(max_size=6) | st.sampled_from(["\n", "\n\n", "```", "|"]))
)
def test_markdown_never_runs_or_loads_anything(parts: list[str]) -> None:
    tags = Tags()
    tags.feed(rendered(" ".join(parts)))
    for name, attributes in tags.found:
        assert name not in ("script", "img", "iframe", "style", "b", "object")
        assert not [key for key in attributes if key.startswith("on") or key == "src"]
        assert not attributes.get("href") or re.match(r"(https?|mailto):", attributes["href"] or "")
