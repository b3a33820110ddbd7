"""A bitmap index over up to 65,536 logs in the order of their ids: any filter, count, sum or quantile, exact, without the rows.

A column of choices holds one bitmap a value; a column of numbers holds one bitmap a binary digit (a bit-sliced index:
P. O'Neil and D. Quass, "Improved query performance with variant indexes", SIGMOD 1997). Positions are ranks of the id.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Self

import msgspec
from pyroaring import BitMap

MOST = 65_536
ID_BYTES = 16

Value = int | Iterable[str] | None
"""What one log has in a column: a number, any number of words, or nothing."""


@dataclass(slots=True)
class Choices:
    """The positions at which each value stands. A log may have several values, or none."""

    values: dict[str, BitMap] = field(default_factory=dict)

    def matching(self, wanted: Callable[[str], bool]) -> BitMap:
        return BitMap.union(BitMap(), *(bits for value, bits in self.values.items() if wanted(value)))

    def counts(self, within: BitMap) -> dict[str, int]:
        found = {value: bits.intersection_cardinality(within) for value, bits in self.values.items()}
        return {value: count for value, count in found.items() if count}

    def moved(self, move: Move, forget: BitMap) -> Self:
        moved = {value: move(bits - forget) for value, bits in self.values.items()}
        return type(self)({value: bits for value, bits in moved.items() if bits})

    def joined(self, other: Choices) -> Self:
        both = dict(self.values)
        for value, bits in other.values.items():
            both[value] = both[value] | bits if value in both else bits
        return type(self)(both)

    def packed(self) -> bytes:
        return msgspec.msgpack.encode({value: bits.serialize() for value, bits in self.values.items()})

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        raw = msgspec.msgpack.decode(data, type=dict[str, bytes])
        return cls({value: BitMap.deserialize(bits) for value, bits in raw.items()})


@dataclass(slots=True)
class Numbers:
    """A whole number from 0 for each position in `has`; `digits[i]` are the positions whose number has the bit 2**i."""

    has: BitMap = field(default_factory=BitMap)
    digits: list[BitMap] = field(default_factory=list)

    def at_least(self, low: int) -> BitMap:
        """Positions with a number of `low` or more."""
        if low <= 0:
            return self.has
        if low.bit_length() > len(self.digits):
            return BitMap()
        above, equal = BitMap(), self.has
        for i in reversed(range(len(self.digits))):
            if low >> i & 1:
                equal = equal & self.digits[i]
            else:
                above = above | (equal & self.digits[i])
                equal = equal - self.digits[i]
        return above | equal

    def between(self, low: int | None, high: int | None) -> BitMap:
        """Positions with a number from `low` to `high`, both included; None is no bound."""
        found = self.at_least(low or 0)
        return found if high is None else found - self.at_least(high + 1)

    def total(self, within: BitMap) -> int:
        return sum(bits.intersection_cardinality(within) << i for i, bits in enumerate(self.digits))

    def highest(self, within: BitMap, most: int) -> BitMap:
        """The positions with the highest numbers; of equal ones the last."""
        found, equal = BitMap(), within & self.has
        for bits in reversed(self.digits):
            above = equal & bits
            if len(found) + len(above) > most:
                equal = above
            else:
                found, equal = found | above, equal - bits
        left = min(most - len(found), len(equal))
        return found | equal[len(equal) - left :] if left else found

    def number_at(self, position: int) -> int | None:
        if position not in self.has:
            return None
        return sum(1 << i for i, bits in enumerate(self.digits) if position in bits)

    def tally(self) -> Tally:
        found = [0] * (self.has.max() + 1 if self.has else 0)
        for i, bits in enumerate(self.digits):
            weight = 1 << i
            for position in bits.to_array():
                found[position] += weight
        counts = sorted(Counter(found[position] for position in self.has).items())
        numbers = array("Q", [number for number, _ in counts])
        return Tally(numbers, array("I", accumulate((count for _, count in counts), initial=0)))

    def moved(self, move: Move, forget: BitMap) -> Self:
        return type(self)(move(self.has - forget), [move(bits - forget) for bits in self.digits])

    def joined(self, other: Numbers) -> Self:
        longest = max(len(self.digits), len(other.digits))
        return type(self)(self.has | other.has, [self.digit(i) | other.digit(i) for i in range(longest)])

    def digit(self, i: int) -> BitMap:
        return self.digits[i] if i < len(self.digits) else BitMap()

    def packed(self) -> bytes:
        return msgspec.msgpack.encode([self.has.serialize(), *(bits.serialize() for bits in self.digits)])

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        has, *digits = (BitMap.deserialize(bits) for bits in msgspec.msgpack.decode(data, type=list[bytes]))
        return cls(has, digits)


Column = Choices | Numbers


@dataclass(slots=True)
class Tally:
    """The numbers of a whole column, without their positions: `upto[i]` of them are smaller than `numbers[i]`."""

    numbers: array[int]
    upto: array[int]

    @property
    def count(self) -> int:
        return self.upto[-1]

    @property
    def digits(self) -> int:
        return self.numbers[-1].bit_length() if self.numbers else 0

    def below(self, number: int) -> int:
        """How many are smaller."""
        return self.upto[bisect_left(self.numbers, number)]


def quantile(parts: Sequence[tuple[Numbers, BitMap]], share: float, tallies: Sequence[Tally] = ()) -> int | None:
    """The smallest number that at least `share` of all numbers do not exceed; None when there are none.

    Each part is a column with the positions that count in it; tallies count whole. Found digit by digit from the
    highest: nothing is sorted.
    """
    left = [(numbers, numbers.has & within) for numbers, within in parts]
    count = sum(len(bits) for _, bits in left) + sum(one.count for one in tallies)
    if not count:
        return None
    rank = min(max(-int(-share * count // 1), 1), count)  # 1 is the smallest
    found = below = 0  # numbers of the tallies that are smaller than what is found
    digits = max([*(len(numbers.digits) for numbers, _ in left), *(one.digits for one in tallies)])
    for i in reversed(range(digits)):
        low = [(numbers, bits - numbers.digit(i)) for numbers, bits in left]
        below_half = sum(one.below(found | 1 << i) for one in tallies)
        smaller = sum(len(bits) for _, bits in low) + below_half - below
        if rank <= smaller:
            left = low
        else:
            rank -= smaller
            found |= 1 << i
            below = below_half
            left = [(numbers, bits & numbers.digit(i)) for numbers, bits in left]
    return found


class Move:
    """Where positions go when blocks are joined or parted: whole runs shift by the same distance, others are left out."""

    def __init__(self, places: Iterable[tuple[int, int]]) -> None:
        """`places` are pairs of an old and its new position, both rising."""
        self.runs: list[tuple[int, int, int]] = []
        for old, new in places:
            if self.runs and self.runs[-1][2] == new - old and self.runs[-1][1] == old:
                self.runs[-1] = (self.runs[-1][0], old + 1, new - old)
            else:
                self.runs.append((old, old + 1, new - old))

    def __call__(self, bits: BitMap) -> BitMap:
        return BitMap.union(BitMap(), *((bits & BitMap(range(a, b))).shift(by) for a, b, by in self.runs))


class Ids:
    """Sorted 16-byte ids without their own objects: a list of 65,536 would take six times the memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        heads = array("Q", data)
        if sys.byteorder == "little":
            heads.byteswap()
        self.heads = heads[::2]  # the first 8 bytes: milliseconds in the upper 48 bits (RFC 9562, 5.7)

    def __len__(self) -> int:
        return len(self.heads)

    def __getitem__(self, position: int) -> bytes:
        return self.data[position * ID_BYTES : (position + 1) * ID_BYTES]

    def __iter__(self) -> Iterator[bytes]:
        return (self[position] for position in range(len(self)))

    def time(self, position: int) -> int:
        """When the id at this position was made, in milliseconds (Unix)."""
        return self.heads[position] >> 16

    def rank(self, id: bytes) -> int:
        """How many ids are smaller."""
        position = bisect_left(self.heads, int.from_bytes(id[:8], "big"))
        while position < len(self) and self[position] < id:
            position += 1
        return position

    def rank_of_time(self, milliseconds: int) -> int:
        """How many ids were made before this time (Unix)."""
        return bisect_left(self.heads, min(max(milliseconds, 0) << 16, 2**64 - 1))

    def positions(self, wanted: Iterable[bytes]) -> BitMap:
        ranks = ((id, self.rank(id)) for id in wanted)
        return BitMap([rank for id, rank in ranks if rank < len(self) and self[rank] == id])


@dataclass(slots=True)
class Block:
    """Some logs and what is known of them, column by column."""

    ids: Ids
    columns: dict[str, Column]

    @classmethod
    def build(cls, logs: Mapping[bytes, Mapping[str, Value]]) -> Self:
        """From each log's id and its values by column."""
        ids = sorted(logs)
        words: dict[str, dict[str, list[int]]] = {}
        numbers: dict[str, list[tuple[int, int]]] = {}
        for position, id in enumerate(ids):
            for name, value in logs[id].items():
                if isinstance(value, int):
                    numbers.setdefault(name, []).append((position, value))
                elif value is not None:
                    column = words.setdefault(name, {})
                    for word in value:
                        column.setdefault(word, []).append(position)
        columns: dict[str, Column] = {
            name: Choices({word: BitMap(array("I", at)) for word, at in found.items()}) for name, found in words.items()
        }
        return cls(Ids(b"".join(ids)), columns | {name: _numbers(found) for name, found in numbers.items()})

    def only(self, positions: Sequence[int]) -> Self:
        """The logs at these rising positions as a block of their own."""
        move, nothing = Move((old, new) for new, old in enumerate(positions)), BitMap()
        columns = {name: one.moved(move, nothing) for name, one in self.columns.items()}
        return type(self)(Ids(b"".join(self.ids[position] for position in positions)), columns)

    def joined(self, newer: Block) -> Self:
        """Both as one. A log that is in both is taken as `newer` knows it."""
        mine, its = set(self.ids), set(newer.ids)
        ids = sorted(mine | its)
        place = {id: position for position, id in enumerate(ids)}
        move_mine = Move((old, place[id]) for old, id in enumerate(self.ids))
        move_its = Move((old, place[id]) for old, id in enumerate(newer.ids))
        forget = self.ids.positions(its & mine)
        columns: dict[str, Column] = {name: one.moved(move_mine, forget) for name, one in self.columns.items()}
        for name, one in newer.columns.items():
            moved = one.moved(move_its, BitMap())
            columns[name] = _joined(columns.get(name), moved)
        return type(self)(Ids(b"".join(ids)), columns)


def _numbers(found: Sequence[tuple[int, int]]) -> Numbers:
    digits: list[array[int]] = [array("I") for _ in range(max(number for _, number in found).bit_length())]
    for position, number in found:
        for i in range(number.bit_length()):
            if number >> i & 1:
                digits[i].append(position)
    return Numbers(BitMap(array("I", [position for position, _ in found])), [BitMap(bits) for bits in digits])


def _joined(old: Column | None, new: Column) -> Column:
    if isinstance(old, Choices) and isinstance(new, Choices):
        return old.joined(new)
    if isinstance(old, Numbers) and isinstance(new, Numbers):
        return old.joined(new)
    return new
