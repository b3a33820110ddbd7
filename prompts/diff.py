"""Two texts, told apart by words."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

MOST_WORDS = 20_000
WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words on both sides, on the left only (`del`) or on the right only (`ins`)."""

    kind: str
    text: str


def words_between(left: str, right: str) -> list[Stretch]:
    """What stays, goes and comes, by words; texts of tens of thousands of words are told apart as wholes."""
    old, new = WORD.findall(left), WORD.findall(right)
    if left == right:
        return [Stretch("both", left)]
    if len(old) + len(new) > MOST_WORDS:
        return [Stretch("del", left), Stretch("ins", right)]
    found = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(Stretch("both", "".join(old[a:b])))
        if kind in ("delete", "replace"):
            found.append(Stretch("del", "".join(old[a:b])))
        if kind in ("insert", "replace"):
            found.append(Stretch("ins", "".join(new[c:d])))
    return found
