"""Keeps the bitmap index in the database: takes in logs that wait, joins small blocks to large ones, and reads columns back.

New logs become a small block of their own; blocks next to each other are joined as they come to be of like size, so that
each log is rewritten a few times only (the logarithmic method: Bentley and Saxe, 1980). A log that comes late, or has
changed, is joined into the block that covers its id.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice, pairwise
from operator import itemgetter
from typing import TypeVar

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone
from pyroaring import BitMap

from gateway import ids
from gateway.bounded_cache import BoundedCache
from gateway.faults import one_by_one, will_pass
from gateway.index.bitmaps import MOST, Block, Choices, Column, Ids, Numbers, Value
from gateway.index.facets import NUMBERS, Entry, values_of
from gateway.index.totals import LEAST, Totals
from gateway.models import LogImage, RequestLog, Workspace
from gateway.models.index import UNINDEXED, IndexBlock, IndexColumn, Unindexed

log = logging.getLogger(__name__)
T = TypeVar("T")

AT_ONCE = 2048
LARGEST = 2**63
WORTH_A_BLOCK = 256
OLDEST_SECONDS = 10
UNSETTLED_SECONDS = 60
VALUES_BYTES = 3000  # of one log, about


def step() -> bool:
    """Index what waits; answers whether there is more to do at once."""
    busy: list[bool] = []
    one_by_one(
        Workspace.objects.filter(pk__in=Unindexed.objects.values("workspace").distinct()),
        lambda workspace: busy.append(_index_some(workspace)),
        lambda workspace, reason: busy.append(False),
    )
    return any(busy)


def fill_totals() -> bool:
    """Give one block its totals that was written before blocks had them; answers whether there may be more."""
    with transaction.atomic():
        row = IndexBlock.objects.select_for_update().without_totals(LEAST).order_by("-first").first()
        if row is not None:
            row.totals = Totals.of(read(row)).packed()
            row.save(update_fields=["totals"])
    return row is not None


def index_all(workspace: Workspace) -> None:
    """Take in everything that waits and has ended, however few and young."""
    while _index_some(workspace, at_least=1):
        pass


def queue(log_ids: Iterable[tuple[uuid.UUID, int]]) -> None:
    """Have logs indexed anew; pairs of a log's and its workspace's id."""
    rows = (UNINDEXED.blank(log_id=log, workspace_id=workspace) for log, workspace in log_ids)
    while some := list(islice(rows, AT_ONCE)):
        UNINDEXED.insert(some)


def queue_as_written(logs: Iterable[Entry]) -> None:
    """Have logs indexed with the facets that they have here, which must be what the database holds of them."""
    UNINDEXED.insert(
        UNINDEXED.blank(
            log_id=one.log.pk,
            workspace_id=one.log.workspace_id,
            values=msgspec.msgpack.encode(_readable_values(one)),
        )
        for one in logs
    )


def start_anew(workspace: Workspace) -> None:
    """Forget all blocks and have every log indexed again."""
    with transaction.atomic():
        IndexColumn.objects.filter(block__workspace=workspace).delete()
        IndexBlock.objects.of(workspace).delete()
        Unindexed.objects.filter(workspace=workspace).delete()
        queue(RequestLog.objects.of(workspace).values_list("pk", "workspace_id").iterator())


def queue_showing(images: Iterable[str]) -> None:
    """Have the logs that show these pictures, by hash, indexed anew, now that more is known of them."""
    shown = LogImage.objects.filter(image__in=list(images))
    with transaction.atomic():
        queue(shown.values_list("log_id", "workspace_id").distinct())


def _index_some(workspace: Workspace, at_least: int = WORTH_A_BLOCK) -> bool:
    waiting = list(_settled(workspace).order_by("log_id", "pk").values_list("log_id", "pk", "values")[:AT_ONCE])
    if not waiting or (len(waiting) < at_least and not _is_old(waiting[0][0])):
        return False
    block = block_of(waiting)
    with transaction.atomic():
        _lock(workspace)
        there = _still_there(block)
        if there:
            add(workspace, block.only(list(there)))
        Unindexed.objects.filter(pk__in=[pk for _, pk, _ in waiting]).delete()
    return len(waiting) >= at_least


def _still_there(block: Block) -> BitMap:
    """The positions of logs that nobody has deleted since they were read."""
    found = RequestLog.objects.filter(pk__in=[uuid.UUID(bytes=id) for id in block.ids])
    return block.ids.positions(sorted(id.bytes for id in found.values_list("pk", flat=True)))


def _lock(workspace: Workspace) -> None:
    """One writer of its index at a time, on any machine; inside a transaction."""
    Workspace.objects.select_for_update().get(pk=workspace.pk)


def _settled(workspace: Workspace) -> QuerySet[Unindexed]:
    """Those that have ended and whose pictures have been looked at, or have waited for that long enough."""
    pending = LogImage.objects.filter(log=OuterRef("log")).filter(Q(snapshot="pending") | Q(image__thumbnail="pending"))
    patience = ids.first_of(timezone.now() - timedelta(seconds=UNSETTLED_SECONDS))
    waiting = Unindexed.objects.filter(workspace=workspace).exclude(log__state=RequestLog.State.IN_FLIGHT)
    return waiting.filter(Q(log_id__lt=patience) | ~Exists(pending))


def _is_old(log_id: uuid.UUID) -> bool:
    return ids.time_of(log_id) < timezone.now() - timedelta(seconds=OLDEST_SECONDS)


def block_of(waiting: Iterable[tuple[uuid.UUID, int, bytes | memoryview | None]]) -> Block:
    """A block of the logs of some rows of `Unindexed`: each one's id, the row's number, and the values in it.

    A log that waits several times is as its last row knows it, or must be read if one of them does not know it. What was
    read of a log holds for its last row, for whoever asks again.
    """
    rows: dict[uuid.UUID, list[tuple[int, bytes | memoryview | None]]] = {}
    for id, number, values in waiting:
        rows.setdefault(id, []).append((number, values))
    known: dict[bytes, Mapping[str, Value]] = {}
    unknown: dict[uuid.UUID, Key] = {}
    for id, found in rows.items():
        number, values = max(found, key=itemgetter(0))
        if values is not None and all(values is not None for _, values in found):
            known[id.bytes] = msgspec.msgpack.decode(values)
        elif isinstance(kept := cache.get((number, 0, "(values)")), dict):
            known[id.bytes] = kept
        else:
            unknown[id] = number, 0, "(values)"
    for id, read in _values_of(list(unknown)):
        known[id.bytes] = read
        cache.put(unknown[id], read, VALUES_BYTES)
    return Block.build(known)


def _values_of(log_ids: Sequence[uuid.UUID]) -> Iterator[tuple[uuid.UUID, dict[str, Value]]]:
    images = Prefetch("images", LogImage.objects.select_related("image"))
    rows = RequestLog.objects.filter(pk__in=log_ids).select_related("virtual_key", "api_key").prefetch_related(images)
    for log in rows.prefetch_related("feedback"):
        yield log.pk, _readable_values(Entry(log, list(log.images.all()), list(log.feedback.all())))


def _readable_values(entry: Entry) -> dict[str, Value]:
    """A log whose facets cannot be read is in the index without any: found among all, by none of them."""
    try:
        values = values_of(entry)
    except Exception as error:
        if will_pass(error):
            raise
        log.exception("the facets of %s cannot be read", entry.log)
        return {}
    return {name: value for name, value in values.items() if not isinstance(value, int) or 0 <= value < LARGEST}


def add(workspace: Workspace, new: Block) -> None:
    """Take a block in; a log that is indexed already is taken as the new block knows it."""
    with transaction.atomic():
        _lock(workspace)
        rows = list(IndexBlock.objects.of(workspace).in_order())
        fresh = new.ids.rank(rows[-1].last.bytes) if rows else 0
        if rows and fresh < len(new.ids) and new.ids[fresh] == rows[-1].last.bytes:
            fresh += 1
        for row, share in _shares(rows, new, fresh).items():
            _write(workspace, row, read(row).joined(new.only(share)))
        if fresh < len(new.ids):
            _append(workspace, rows, new.only(range(fresh, len(new.ids))))


def remove(workspace: Workspace, log_ids: Iterable[uuid.UUID]) -> None:
    """Forget these logs, whether they wait or are in blocks."""
    gone = sorted(id.bytes for id in log_ids)
    if not gone:
        return
    first, last = uuid.UUID(bytes=gone[0]), uuid.UUID(bytes=gone[-1])
    with transaction.atomic():
        _lock(workspace)
        for row in IndexBlock.objects.of(workspace).in_order().filter(first__lte=last, last__gte=first):
            block = read(row)
            if out := block.ids.positions(gone):
                _keep_only(workspace, row, block, BitMap(range(len(block.ids))) - out)


def _keep_only(workspace: Workspace, row: IndexBlock, block: Block, positions: BitMap) -> None:
    if positions:
        _write(workspace, row, block.only(list(positions)))
    else:
        row.delete()


def _shares(rows: Sequence[IndexBlock], new: Block, late: int) -> dict[IndexBlock, list[int]]:
    """Which block takes which of the first `late` positions: the last that begins before the log, or the first of all."""
    shares: dict[IndexBlock, list[int]] = {}
    for position in range(late):
        id = new.ids[position]
        row = next((row for row in reversed(rows) if row.first.bytes <= id), rows[0])
        shares.setdefault(row, []).append(position)
    return shares


def _append(workspace: Workspace, rows: list[IndexBlock], block: Block) -> None:
    while rows and rows[-1].size <= 2 * len(block.ids) and rows[-1].size + len(block.ids) <= MOST:
        before = rows.pop()
        block = read(before).joined(block)
        before.delete()
    _write(workspace, IndexBlock(workspace=workspace), block)


def _write(workspace: Workspace, row: IndexBlock, block: Block) -> None:
    """A block in the place of `row`; one that has become too large is written as several."""
    if (size := len(block.ids)) > MOST:
        pieces = -(-size // MOST)
        places = [size * n // pieces for n in range(pieces + 1)]
        first, *rest = [block.only(range(start, end)) for start, end in pairwise(places)]
        for piece in rest:
            _write(workspace, IndexBlock(workspace=workspace), piece)
        block = first
    row.ids = block.ids.data
    row.size, row.version = len(block.ids), row.version + 1
    row.first, row.last = uuid.UUID(bytes=block.ids[0]), uuid.UUID(bytes=block.ids[row.size - 1])
    row.totals = Totals.of(block).packed() if row.size >= LEAST else None
    row.save()
    columns = [
        IndexColumn(block=row, name=name[:200], distinct=_distinct(column), data=column.packed())
        for name, column in block.columns.items()
    ]
    IndexColumn.objects.filter(block=row).delete()
    IndexColumn.objects.bulk_create(columns, batch_size=20)


def _distinct(column: Column) -> int:
    return len(column.values) if isinstance(column, Choices) else 1


def read(row: IndexBlock) -> Block:
    """A whole block, past the cache."""
    columns = IndexColumn.objects.filter(block=row).values_list("name", "data")
    return Block(Ids(bytes(row.ids)), {name: unpacked(name, bytes(data)) for name, data in columns})


def unpacked(name: str, data: bytes) -> Column:
    return Numbers.unpacked(data) if name in NUMBERS else Choices.unpacked(data)


Key = tuple[Hashable, ...]
"""A block, its version, and what of it; or a run of blocks, and what of it."""


# What this process last read or worked out of blocks; a block's version tells its age.
cache: BoundedCache[Key, object] = BoundedCache(settings.INDEX_CACHE_BYTES)


def columns_of(rows: Sequence[IndexBlock], names: Iterable[str]) -> dict[int, dict[str, Column]]:
    """Some columns of some blocks, with at most one query."""
    wanted = [(row, name) for row in rows for name in set(names)]
    found: dict[int, dict[str, Column]] = {row.pk: {} for row in rows}
    missing: dict[int, IndexBlock] = {}
    for row, name in wanted:
        column = cache.get((row.pk, row.version, name))
        if column is None:
            missing[row.pk] = row
        elif isinstance(column, Column):
            found[row.pk][name] = column
    if missing:
        _read_columns(missing, {name for _, name in wanted}, found)
    return found


def _read_columns(rows: dict[int, IndexBlock], names: set[str], found: dict[int, dict[str, Column]]) -> None:
    stored = IndexColumn.objects.filter(block__in=rows, name__in=names).values_list("block_id", "name", "data")
    for pk, name, data in stored.iterator():
        column = unpacked(name, bytes(data))
        found[pk][name] = column
        cache.put((pk, rows[pk].version, name), column, len(data))
    for pk, row in rows.items():  # that a block lacks a column is worth remembering too
        for name in names - found[pk].keys():
            found[pk][name] = Numbers() if name in NUMBERS else Choices()
            cache.put((pk, row.version, name), found[pk][name], 100)


def ids_of(rows: Sequence[IndexBlock]) -> dict[int, Ids]:
    """The ids of some blocks, with at most one query."""
    return _field_of(rows, "ids", Ids, Ids)


def totals_of(rows: Sequence[IndexBlock]) -> dict[int, Totals]:
    """What some blocks that are totalled add up to, with at most one query."""
    return _field_of(rows, "totals", Totals, Totals.unpacked)


def _field_of(rows: Sequence[IndexBlock], name: str, kind: type[T], read: Callable[[bytes], T]) -> dict[int, T]:
    found: dict[int, T] = {}
    missing: dict[int, IndexBlock] = {}
    for row in rows:
        kept = cache.get((row.pk, row.version, f"({name})"))
        if isinstance(kept, kind):
            found[row.pk] = kept
        else:
            missing[row.pk] = row
    if missing:
        for pk, data in IndexBlock.objects.filter(pk__in=missing).values_list("pk", name):
            found[pk] = read(bytes(data))
            cache.put((pk, missing[pk].version, f"({name})"), found[pk], 2 * len(data))
    return found
