"""The bitmap index against the plain way of counting: rows in a list."""

from __future__ import annotations

import uuid
from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from gateway.index.bitmaps import Block, Choices, Column, Numbers, Value, quantile

Log = dict[str, Value]
ids = st.integers(0, 2**20).map(lambda n: (n << 60).to_bytes(16, "big"))
logs = st.fixed_dictionaries(
    {
        "model": st.lists(st.sampled_from(["gpt", "claude", "gemini"]), max_size=2, unique=True),
        "cost": st.none() | st.integers(0, 2**40),
        "size": st.integers(0, 9),
    }
)
stores = st.dictionaries(ids, logs, max_size=40)
filled = st.dictionaries(ids, logs, min_size=1, max_size=40)


def facts(block: Block) -> list[tuple[bytes, set[str], int | None, int | None]]:
    """What a block says of each log, log by log."""
    found = []
    for position, id in enumerate(block.ids):
        model = column(block, "model", Choices)
        words = {value for value, bits in model.values.items() if position in bits}
        numbers = [column(block, name, Numbers).number_at(position) for name in ("cost", "size")]
        found.append((id, words, *numbers))
    return found


def column(block: Block, name: str, kind: type[Column]) -> Column:
    found = block.columns.get(name, kind())
    assert isinstance(found, kind)
    return found


def expected(rows: dict[bytes, Log]) -> list[tuple[bytes, set[str], int | None, int | None]]:
    return [(id, set(log["model"]), log["cost"], log["size"]) for id, log in sorted(rows.items())]


@given(stores)
def test_a_block_gives_back_what_went_in(rows: dict[bytes, Log]) -> None:
    assert facts(Block.build(rows)) == expected(rows)


@given(stores)
def test_packing_keeps_every_column(rows: dict[bytes, Log]) -> None:
    block = Block.build(rows)
    again = {name: type(one).unpacked(one.packed()) for name, one in block.columns.items()}
    assert facts(Block(block.ids, again)) == expected(rows)


@given(stores, stores)
def test_joining_is_a_union_in_which_the_newer_wins(old: dict[bytes, Log], new: dict[bytes, Log]) -> None:
    assert facts(Block.build(old).joined(Block.build(new))) == expected(old | new)


@given(filled, st.data())
def test_a_part_of_a_block_is_the_block_of_these_logs(rows: dict[bytes, Log], data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1))))
    kept = dict(sorted(rows.items())[position] for position in chosen)
    assert facts(Block.build(rows).only(chosen)) == expected(kept)


@given(filled, st.none() | st.integers(0, 2**41), st.none() | st.integers(0, 2**41))
def test_a_range_finds_the_numbers_in_it(rows: dict[bytes, Log], low: int | None, high: int | None) -> None:
    found = column(Block.build(rows), "cost", Numbers).between(low, high)
    costs = [log["cost"] for _, log in sorted(rows.items())]
    assert set(found) == {
        position
        for position, cost in enumerate(costs)
        if cost is not None and (low is None or cost >= low) and (high is None or cost <= high)
    }


@given(filled)
def test_sums_and_counts_are_those_of_the_rows(rows: dict[bytes, Log]) -> None:
    block = Block.build(rows)
    everything = BitMap(range(len(rows)))
    assert column(block, "cost", Numbers).total(everything) == sum(log["cost"] or 0 for log in rows.values())
    assert column(block, "model", Choices).counts(everything) == Counter(
        word for log in rows.values() for word in log["model"]
    )


@given(st.lists(filled, min_size=1, max_size=3), st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_a_quantile_is_the_one_that_sorting_finds(stored: list[dict[bytes, Log]], share: float) -> None:
    blocks = [Block.build(rows) for rows in stored]
    parts = [(column(block, "cost", Numbers), BitMap(range(len(block.ids)))) for block in blocks]
    numbers = sorted(log["cost"] for rows in stored for log in rows.values() if log["cost"] is not None)
    wanted = numbers[ceil(share * len(numbers)) - 1] if numbers else None
    assert quantile(parts, share) == wanted
    tallies = [numbers.tally() for numbers, _ in parts]
    assert quantile(parts[:1], share, tallies[1:]) == quantile([], share, tallies) == wanted


@given(stores, ids)
def test_the_rank_of_an_id_counts_the_smaller_ones(rows: dict[bytes, Log], id: bytes) -> None:
    block = Block.build(rows)
    assert block.ids.rank(id) == sum(other < id for other in rows)
    assert set(block.ids.positions([id])) == ({block.ids.rank(id)} if id in rows else set())


def test_ids_of_the_same_millisecond_are_told_apart() -> None:
    same = [uuid.UUID(int=(5 << 80) + n) for n in (1, 2, 3)]
    block = Block.build({one.bytes: {"size": n} for n, one in enumerate(same)})
    assert [block.ids.rank(one.bytes) for one in same] == [0, 1, 2]
    assert (block.ids.rank_of_time(5), block.ids.rank_of_time(6)) == (0, 3)
