"""What a search found, added up by the values of a facet, and put in the order of a number."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyroaring import BitMap

from gateway.index.bitmaps import Choices, Numbers, quantile
from gateway.index.chart import ERRORS
from gateway.index.facets import SCALE
from gateway.index.search import Held, Search
from gateway.timings import spending

MOST_GROUPS = 200


@dataclass(slots=True)
class Group:
    """The logs with one value of a facet. `cost` is in US dollars; latencies are in milliseconds, None where none was measured."""

    value: str
    count: int = 0
    errors: int = 0
    tokens: int = 0
    units: int = 0
    latencies: list[tuple[Numbers, BitMap]] = field(default_factory=list)

    @property
    def cost(self) -> float:
        return self.units / SCALE["money"]

    @property
    def p50(self) -> int | None:
        return quantile(self.latencies, 0.5)

    @property
    def p95(self) -> int | None:
        return quantile(self.latencies, 0.95)

    def add(self, held: Held, here: BitMap, errors: BitMap) -> None:
        self.count += len(here)
        self.errors += errors.intersection_cardinality(here)
        self.tokens += _total(held, "tokens", here)
        self.units += _total(held, "cost", here)
        latency = held.columns.get("latency")
        if isinstance(latency, Numbers):
            self.latencies.append((latency, here))


@spending("index")
def grouped(search: Search, facet: str) -> list[Group]:
    """By the values of a facet of choices, what costs most first, then what came most. Values without number are the last."""
    found: dict[str, Group] = {}
    for held in search.all_with({facet, "state", "tokens", "cost", "latency"}):
        values, state = held.columns.get(facet), held.columns.get("state")
        errors = state.matching(lambda value: value in ERRORS) if isinstance(state, Choices) else BitMap()
        for value, at in values.values.items() if isinstance(values, Choices) else ():
            if here := held.bits & at:
                found.setdefault(value, Group(value)).add(held, here, errors)
    return sorted(found.values(), key=lambda one: (-one.units, -one.count, one.value))[:MOST_GROUPS]


@spending("index")
def sums(search: Search, facet: str, number: str) -> Counter[str]:
    """What a facet of numbers adds up to, in the index's units, by the values of another facet."""
    total: Counter[str] = Counter()
    for held in search.all_with({facet, number}):
        values = held.columns.get(facet)
        for value, at in values.values.items() if isinstance(values, Choices) else ():
            total[value] += _total(held, number, held.bits & at)
    return +total


@spending("index")
def highest(search: Search, number: str, most: int) -> Sequence[uuid.UUID]:
    """The logs with the highest numbers, of equal ones the newest first; those without number are left out."""
    found: list[tuple[int, bytes]] = []
    for held in search.all_with({number}):
        numbers = held.columns.get(number)
        if isinstance(numbers, Numbers):
            places = numbers.highest(held.bits, most)
            found += ((numbers.number_at(place) or 0, held.id_at(place)) for place in places)
    return [uuid.UUID(bytes=id) for _, id in sorted(found, reverse=True)[:most]]


def _total(held: Held, number: str, here: BitMap) -> int:
    numbers = held.columns.get(number)
    return numbers.total(here) if isinstance(numbers, Numbers) else 0
