"""A block as one search sees it, and what the search looks for among its logs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pyroaring import BitMap

from gateway.index.bitmaps import Choices, Column, Ids, Numbers
from gateway.index.search_language import Choice, Condition


@dataclass(slots=True)
class Part:
    """A block as this search sees it: `seen` are its positions inside the window that no newer state hides."""

    ids: Ids
    columns: dict[str, Column]
    seen: BitMap

    def meeting(self, condition: Condition) -> BitMap:
        column = self.columns.get(condition.facet)
        if isinstance(condition, Choice):
            found = _matching(column, condition) if isinstance(column, Choices) else BitMap()
        else:
            found = column.between(condition.low, condition.high) if isinstance(column, Numbers) else BitMap()
        return self.seen - found if condition.negated else self.seen & found

    def meeting_all(self, conditions: Iterable[Condition]) -> BitMap:
        return BitMap.intersection(self.seen, *(self.meeting(one) for one in conditions))

    def positions(self, sorted_ids: Sequence[bytes]) -> BitMap:
        """Where these stand here, those of other parts left out."""
        if not len(self.ids):
            return BitMap()
        first, last = bisect_left(sorted_ids, self.ids[0]), bisect_right(sorted_ids, self.ids[len(self.ids) - 1])
        return self.ids.positions(sorted_ids[first:last])

    def newest(self, within: BitMap, before: bytes | None, most: int) -> list[bytes]:
        """The ids at the last positions of `within`, newest first."""
        end = len(within) if before is None else within.rank(rank - 1) if (rank := self.ids.rank(before)) else 0
        return [self.ids[within[i]] for i in range(end - 1, max(end - most, 0) - 1, -1)]

    def after(self, within: BitMap, id: bytes) -> bytes | None:
        """The first id of `within` that is newer than `id`."""
        rank = self.ids.rank(id + b"\0")
        place = within.rank(rank - 1) if rank else 0
        return self.ids[within[place]] if place < len(within) else None


@dataclass(frozen=True, slots=True)
class Among:
    """The logs that a text, a trace or a picture leaves to look at, by id, oldest first; `ids` is None when all.

    Such a list has a bound: what is older than `floor`, if there is one, was not looked for. `without` are left out.
    """

    ids: list[bytes] | None = None
    without: list[bytes] = field(default_factory=list)
    floor: bytes | None = None

    def restrict(self, part: Part, bits: BitMap) -> BitMap:
        if self.ids is not None:
            bits = bits & part.positions(self.ids)
        if self.without:
            bits = bits - part.positions(self.without)
        return bits & BitMap(range(part.ids.rank(self.floor), len(part.ids))) if self.floor else bits


def _matching(column: Choices, condition: Choice) -> BitMap:
    """A value that is there as it was written is that one; for others all values are looked through."""
    exact = [column.values[value] for value in condition.values if value in column.values]
    if len(exact) == len(condition.values):
        return BitMap.union(*exact)
    return column.matching(condition.wants)
