"""What a block adds up to, kept beside it: a question that takes it whole does not look into it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from gateway.bounded_cache import BoundedCache
from gateway.index.bitmaps import Block, Choices, Numbers, Tally
from gateway.index.facets import METADATA

LEAST = 4096  # a smaller block is as soon counted when it is asked
MOST_VALUES = 300
SUMMED, TALLIED = ("cost", "tokens", "size"), "latency"


Version = tuple[int, int]
"""A block and its version."""
Counts = Mapping[str, Mapping[str, int]]
RUN, MOST_RUNS = 32, 256
runs: BoundedCache[tuple[Version, ...], dict[str, Counter[str]]] = BoundedCache(MOST_RUNS)


class Kept(msgspec.Struct, array_like=True):
    """How totals are stored. A tally is two arrays of 8 and 4 bytes a number, in the order of this machine."""

    counts: dict[str, dict[str, int]]
    distinct: dict[str, int]
    sums: dict[str, int]
    tallies: dict[str, tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Totals:
    """`counts` by facet and value, of facets that are listed; `distinct` how many values each has."""

    counts: dict[str, dict[str, int]]
    distinct: dict[str, int]
    sums: dict[str, int]
    tallies: dict[str, Tally]

    @classmethod
    def of(cls, block: Block) -> Totals:
        choices = {name: one for name, one in block.columns.items() if isinstance(one, Choices)}
        numbers = {name: one for name, one in block.columns.items() if isinstance(one, Numbers)}
        listed = {name: one.values.items() for name, one in choices.items() if is_listed(name, len(one.values))}
        return cls(
            {name: {value: len(bits) for value, bits in values} for name, values in listed.items()},
            {name: len(one.values) for name, one in choices.items()},
            {name: one.total(one.has) if (one := numbers.get(name)) else 0 for name in SUMMED},
            {name: one.tally() for name, one in numbers.items() if name == TALLIED},
        )

    @property
    def is_full(self) -> bool:
        """Whether it has every sum: a release that knew of fewer may have written it."""
        return all(name in self.sums for name in SUMMED)

    def packed(self) -> bytes:
        tallies = {name: (one.numbers.tobytes(), one.upto.tobytes()) for name, one in self.tallies.items()}
        return msgspec.msgpack.encode(Kept(self.counts, self.distinct, self.sums, tallies))

    @classmethod
    def unpacked(cls, data: bytes) -> Totals:
        kept = msgspec.msgpack.decode(data, type=Kept)
        tallies = {name: Tally(array("Q", first), array("I", second)) for name, (first, second) in kept.tallies.items()}
        return cls(kept.counts, kept.distinct, kept.sums, tallies)


def is_listed(name: str, values: int) -> bool:
    """Metadata may have a value of its own in every log."""
    return values <= MOST_VALUES or not name.startswith(METADATA)


def added_up(blocks: Sequence[tuple[Version, Counts]]) -> dict[str, Counter[str]]:
    """The counts of many blocks, oldest first; those of a run of blocks are added once."""
    return _added(_run(blocks[start : start + RUN]) for start in range(0, len(blocks), RUN))


def _run(blocks: Sequence[tuple[Version, Counts]]) -> Counts:
    key = tuple(block for block, _ in blocks)
    known = runs.get(key)
    if known is None:
        runs.put(key, known := _added(counts for _, counts in blocks), 1)
    return known


def _added(counts: Iterable[Counts]) -> dict[str, Counter[str]]:
    total: dict[str, Counter[str]] = {}
    for one in counts:
        for name, values in one.items():
            total.setdefault(name, Counter()).update(values)
    return total
