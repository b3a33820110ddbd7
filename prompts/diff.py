"""Two texts, told apart by words."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MOST_WORDS, MOST_PAIRS = 20_000, 1_000_000
WORD = re.compile(r"\w+ ?|[^\w\s] ?|\s+")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words on both sides, on the left only (`del`) or on the right only (`ins`)."""

    kind: str
    text: str


def words_between(left: str, right: str) -> list[Stretch]:
    """What stays, goes and comes, by words; texts that would take long are told apart as wholes.

    A matcher looks at each pair of equal words again and again: those are many where texts are long or say little.
    """
    old, new = WORD.findall(left), WORD.findall(right)
    if left == right:
        return [Stretch("both", left)]
    if len(old) + len(new) > MOST_WORDS or _pairs(old, new) > MOST_PAIRS:
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


def _pairs(old: Sequence[str], new: Sequence[str]) -> int:
    counts = Counter(new)
    return sum(counts[word] for word in old)
