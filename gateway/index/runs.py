"""Blocks side by side, asked as one: of the block at place i the positions begin at i · 65,536. A question so costs what the
bitmaps cost, and not a step of Python for each block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from pyroaring import BitMap

from gateway import ids
from gateway.index import blocks
from gateway.index.bitmaps import MOST, Choices, Column, Ids, Numbers
from gateway.index.facets import NUMBERS
from gateway.models.index import IndexBlock, IndexColumn

SHORTEST, LONGEST = 4, 64
ENDS = 32  # one block of so many ends a run


class Run:
    """Some large blocks, oldest first. What is cached of it holds as long as each has its version."""

    def __init__(self, rows: Sequence[IndexBlock]) -> None:
        self.rows = rows
        self.key = tuple((row.pk, row.version) for row in rows)
        self.ids = RunIds(rows)

    @cached_property
    def seen(self) -> BitMap:
        return BitMap.union(BitMap(), *(BitMap(range(at, at + row.size)) for at, row in _places(self.rows)))


class RunIds(Ids):
    """The ids of a run, a block's read when it is asked for. There are no ids between the end of a block and the next."""

    def __init__(self, rows: Sequence[IndexBlock]) -> None:
        self.rows = rows
        self.firsts = [row.first.bytes for row in rows]

    def __len__(self) -> int:
        return (len(self.rows) - 1) * MOST + self.rows[-1].size

    def __getitem__(self, position: int) -> bytes:
        place, inside = divmod(position, MOST)
        row = self.rows[place]
        ends = {0: row.first.bytes, row.size - 1: row.last.bytes}
        return ends.get(inside) or self._of(place)[inside]

    def __iter__(self) -> Iterator[bytes]:
        return (id for place in range(len(self.rows)) for id in self._of(place))

    def time(self, position: int) -> int:
        """Of the block that holds it, its ends; between them, the time of its id."""
        return int.from_bytes(self[position][:6], "big")

    def rank(self, id: bytes) -> int:
        place = bisect_right(self.firsts, id) - 1
        if place < 0:
            return 0
        row = self.rows[place]
        return place * MOST + (row.size if row.last.bytes < id else self._of(place).rank(id))

    def rank_of_time(self, milliseconds: int) -> int:
        """Kept: the bars of a chart ask for the same times again and again."""
        place = self._place_of_time(milliseconds)
        if place < 0:
            return 0
        row = self.rows[place]
        if ids.milliseconds(row.last) < milliseconds:
            return place * MOST + row.size
        kept = blocks.cache.get(key := _rank_of(row, milliseconds))
        if not isinstance(kept, int):
            kept = self._of(place).rank_of_time(milliseconds)
            blocks.cache.put(key, kept, 100)
        return place * MOST + kept

    def lacking(self, times: Iterable[int]) -> Iterator[IndexBlock]:
        """The blocks whose ids must be read for the ranks of these times."""
        for time in times:
            row = self.rows[max(self._place_of_time(time), 0)]
            is_inside = ids.milliseconds(row.first) < time <= ids.milliseconds(row.last)
            if is_inside and blocks.cache.get(_rank_of(row, time)) is None:
                yield row

    def _place_of_time(self, milliseconds: int) -> int:
        first = (min(max(milliseconds, 0), 2**48 - 1) << 80).to_bytes(16, "big")
        return bisect_right(self.firsts, first) - 1

    def _of(self, place: int) -> Ids:
        row = self.rows[place]
        return blocks.ids_of([row])[row.pk]


def _rank_of(row: IndexBlock, milliseconds: int) -> blocks.Key:
    return row.pk, row.version, f"(rank of {milliseconds})"


def runs_of(rows: Iterable[IndexBlock]) -> tuple[list[Run], list[IndexBlock]]:
    """Runs of blocks that follow each other, and the blocks of none.

    Where a run ends is a matter of the block alone, so that runs stay the same as older blocks go and newer ones come.
    """
    groups: list[list[IndexBlock]] = [[]]
    for row in rows:
        groups[-1].append(row)
        if row.pk * 40_503 % ENDS == 0 or len(groups[-1]) == LONGEST:
            groups.append([])
    runs = [Run(group) for group in groups if len(group) >= SHORTEST]
    return runs, [row for group in groups if len(group) < SHORTEST for row in group]


def columns_of(runs: Sequence[Run], names: Iterable[str]) -> list[dict[str, Column]]:
    """These columns of each run, with at most one query."""
    wanted = set(names)
    found: list[dict[str, Column]] = [{} for _ in runs]
    for columns, run in zip(found, runs, strict=True):
        for name in wanted:
            kept = blocks.cache.get((run.key, name))
            if isinstance(kept, Column):
                columns[name] = kept
    lacking = [(columns, run) for columns, run in zip(found, runs, strict=True) if columns.keys() != wanted]
    for (columns, _), read in zip(lacking, _read([run for _, run in lacking], wanted), strict=True):
        columns.update(read)
    return found


def _read(runs: Sequence[Run], names: set[str]) -> list[dict[str, Column]]:
    """From the blocks' columns, which are of no use by themselves any more, and so not kept."""
    places = {row.pk: (number, at) for number, run in enumerate(runs) for at, row in _places(run.rows)}
    stored = IndexColumn.objects.filter(block__in=places, name__in=names).values_list("block_id", "name", "data")
    pieces: list[dict[str, list[tuple[int, Column]]]] = [{name: [] for name in names} for _ in runs]
    sizes = [dict.fromkeys(names, 100) for _ in runs]
    for pk, name, data in stored.iterator():
        number, at = places[pk]
        pieces[number][name].append((at, blocks.unpacked(name, bytes(data))))
        sizes[number][name] += len(data)
    found = [{name: _side_by_side(name, some) for name, some in one.items()} for one in pieces]
    for run, columns, size in zip(runs, found, sizes, strict=True):
        for name, column in columns.items():
            blocks.cache.put((run.key, name), column, size[name])
    return found


def _side_by_side(name: str, pieces: Sequence[tuple[int, Column]]) -> Column:
    if name in NUMBERS:
        numbers = [(at, one) for at, one in pieces if isinstance(one, Numbers)]
        longest = max((len(one.digits) for _, one in numbers), default=0)
        digits = [_union((at, one.digit(i)) for at, one in numbers) for i in range(longest)]
        return Numbers(_union((at, one.has) for at, one in numbers), digits)
    values: dict[str, list[tuple[int, BitMap]]] = {}
    for at, one in pieces:
        for value, bits in one.values.items() if isinstance(one, Choices) else ():
            values.setdefault(value, []).append((at, bits))
    return Choices({value: _union(bits) for value, bits in values.items()})


def _union(pieces: Iterable[tuple[int, BitMap]]) -> BitMap:
    return BitMap.union(BitMap(), *(bits.shift(at) for at, bits in pieces))


def _places(rows: Sequence[IndexBlock]) -> Iterator[tuple[int, IndexBlock]]:
    """Where the positions of each begin."""
    return ((at * MOST, row) for at, row in enumerate(rows))
