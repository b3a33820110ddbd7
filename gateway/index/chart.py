"""The chart of what a search found: equal stretches of time, and what the logs in each add up to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from pyroaring import BitMap

from gateway.index.bitmaps import Choices, Column, Ids, Numbers, quantile
from gateway.index.facets import SCALE
from gateway.index.totals import Totals

ERRORS = ("error", "failed")


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of the chart. `cost` in US dollars, latencies in milliseconds, None where nothing was measured or asked."""

    since: datetime
    until: datetime
    count: int
    errors: int
    cost: float
    p50: int | None
    p95: int | None


class Sums(NamedTuple):
    """Of how many logs, how many of them failed, and their cost in the index's units."""

    logs: int = 0
    errors: int = 0
    cost: int = 0

    @classmethod
    def of(cls, totals: Totals, size: int) -> Sums:
        """Of a whole block."""
        states = totals.counts.get("state", {})
        return cls(size, sum(states.get(state, 0) for state in ERRORS), totals.sums["cost"])


Timed = tuple[Numbers, BitMap]


class Cut:
    """A part of what was found, cut at times (Unix milliseconds): piece 0 ends at the first of them."""

    def __init__(self, of: Ids, bits: BitMap, columns: Mapping[str, Column], times: Sequence[int]) -> None:
        self.bits, self.columns = bits, columns
        self.ranks = [0, *(of.rank_of_time(time) for time in times), len(of)]
        state, cost = columns.get("state"), columns.get("cost")
        self.errors = bits & state.matching(lambda value: value in ERRORS) if isinstance(state, Choices) else BitMap()
        self.cost = [digit & bits for digit in cost.digits] if isinstance(cost, Numbers) else []

    def sums(self) -> list[Sums]:
        return [self._sums(first, last) for first, last in self._pieces()]

    def timed(self) -> Iterator[Timed | None]:
        """For each piece the latencies, with the positions that count."""
        latency = self.columns.get("latency")
        for first, last in self._pieces():
            here = self.bits & BitMap(range(first, last))
            yield (latency, here) if isinstance(latency, Numbers) and here else None

    def _pieces(self) -> Iterator[tuple[int, int]]:
        return zip(self.ranks, self.ranks[1:], strict=False)

    def _sums(self, first: int, last: int) -> Sums:
        count = self.bits.range_cardinality(first, last) if last > first else 0
        if not count:
            return Sums()
        cost = sum(bits.range_cardinality(first, last) << i for i, bits in enumerate(self.cost))
        return Sums(count, self.errors.range_cardinality(first, last), cost)


def between(edges: Sequence[int], first: int, last: int) -> tuple[int, Sequence[int]]:
    """The bar of the first of two times (-1: before all bars), and the edges after it up to the last."""
    start, end = bisect_right(edges, first), bisect_right(edges, last)
    return start - 1, edges[start:end]


class Bars:
    """Collects pieces of parts into the bars that `edges` bound."""

    def __init__(self, edges: Sequence[int]) -> None:
        self.edges = edges
        self.sums = [Sums() for _ in edges[1:]]
        self.latencies: list[list[Timed]] = [[] for _ in edges[1:]]

    def add(self, bar: int, pieces: Iterable[Sums]) -> None:
        """Pieces one after the other, from this bar on; what lies outside of all bars is not drawn."""
        for at, more in enumerate(pieces, bar):
            if 0 <= at < len(self.sums):
                self.sums[at] = Sums(*(a + b for a, b in zip(self.sums[at], more, strict=True)))

    def time(self, bar: int, pieces: Iterable[Timed | None]) -> None:
        for at, more in enumerate(pieces, bar):
            if more and 0 <= at < len(self.sums):
                self.latencies[at].append(more)

    def drawn(self) -> list[Bar]:
        times = [datetime.fromtimestamp(edge / 1000, tz=UTC) for edge in self.edges]
        figures = [(quantile(found, 0.5), quantile(found, 0.95)) for found in self.latencies]
        return [
            Bar(times[i], times[i + 1], logs, errors, cost / SCALE["money"], *figures[i])
            for i, (logs, errors, cost) in enumerate(self.sums)
        ]
