"""The fenced blocks of README and docs, as a reader would copy them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from tests.loupe import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def read_blocks() -> list[Block]:
    return [
        Block(page.stem, number, match["language"], textwrap.dedent(match["text"]))
        for page in PAGES
        for number, match in enumerate(FENCE.finditer(page.read_text()), 1)
    ]


def blocks_of(*languages: str) -> list[Block]:
    """Those of all pages but `architecture`, whose blocks are the steps of recipes."""
    return [block for block in read_blocks() if block.language in languages and block.page != "architecture"]
