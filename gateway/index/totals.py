"""What a block adds up to, kept beside it: a question that takes it whole does not look into it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import msgspec

from gateway.index.bitmaps import Block, Choices, Numbers, Tally

LEAST = 4096  # a smaller block is as soon counted when it is asked
MOST_VALUES = 300
SUMMED, TALLIED = "cost", "latency"


class Kept(msgspec.Struct, array_like=True):
    """How totals are stored. A tally is two arrays of 8 and 4 bytes a number, in the order of this machine."""

    counts: dict[str, dict[str, int]]
    distinct: dict[str, int]
    sums: dict[str, int]
    tallies: dict[str, tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Totals:
    """`counts` by facet and value, of facets with no more values than are listed; `distinct` how many each facet has."""

    counts: dict[str, dict[str, int]]
    distinct: dict[str, int]
    sums: dict[str, int]
    tallies: dict[str, Tally]

    @classmethod
    def of(cls, block: Block) -> Totals:
        choices = {name: one for name, one in block.columns.items() if isinstance(one, Choices)}
        numbers = {name: one for name, one in block.columns.items() if isinstance(one, Numbers)}
        few = {name: one.values.items() for name, one in choices.items() if len(one.values) <= MOST_VALUES}
        return cls(
            {name: {value: len(bits) for value, bits in values} for name, values in few.items()},
            {name: len(one.values) for name, one in choices.items()},
            {name: one.total(one.has) for name, one in numbers.items() if name == SUMMED},
            {name: one.tally() for name, one in numbers.items() if name == TALLIED},
        )

    def packed(self) -> bytes:
        tallies = {name: (one.numbers.tobytes(), one.upto.tobytes()) for name, one in self.tallies.items()}
        return msgspec.msgpack.encode(Kept(self.counts, self.distinct, self.sums, tallies))

    @classmethod
    def unpacked(cls, data: bytes) -> Totals:
        kept = msgspec.msgpack.decode(data, type=Kept)
        tallies = {name: Tally(array("Q", first), array("I", second)) for name, (first, second) in kept.tallies.items()}
        return cls(kept.counts, kept.distinct, kept.sums, tallies)
