"""Keeps the bitmap index in the database: takes in logs that wait, joins small blocks to large ones, and reads columns back.

New logs become a small block of their own; blocks next to each other are joined as they come to be of like size, so that
each log is rewritten a few times only (the logarithmic method: Bentley and Saxe, 1980). A log that comes late, or has
changed, is joined into the block that covers its id.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice, pairwise

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from gateway import ids
from gateway.faults import one_by_one, will_pass
from gateway.index.bitmaps import MOST, Block, Choices, Column, Ids, Numbers, Value
from gateway.index.facets import NUMBERS, Entry, values_of
from gateway.models import LogImage, RequestLog, Workspace
from gateway.models.index import UNINDEXED, IndexBlock, IndexColumn, Unindexed

log = logging.getLogger(__name__)

AT_ONCE = 2048
LARGEST = 2**63
WORTH_A_BLOCK = 256
OLDEST_SECONDS = 10
UNSETTLED_SECONDS = 60
CACHE_BYTES = 192 * 1024 * 1024


def step() -> bool:
    """Index what waits; answers whether there is more to do at once."""
    busy: list[bool] = []
    one_by_one(
        Workspace.objects.filter(pk__in=Unindexed.objects.values("workspace").distinct()),
        lambda workspace: busy.append(_index_some(workspace)),
        lambda workspace, reason: busy.append(False),
    )
    return any(busy)


def index_all(workspace: Workspace) -> None:
    """Take in everything that waits and has ended, however few and young."""
    while _index_some(workspace, at_least=1):
        pass


def queue(log_ids: Iterable[tuple[uuid.UUID, int]]) -> None:
    """Have logs indexed anew; pairs of a log's and its workspace's id."""
    rows = (UNINDEXED.blank(log_id=log, workspace_id=workspace) for log, workspace in log_ids)
    while some := list(islice(rows, AT_ONCE)):
        UNINDEXED.insert(some)


def start_anew(workspace: Workspace) -> None:
    """Forget all blocks and have every log indexed again."""
    with transaction.atomic():
        IndexColumn.objects.filter(block__workspace=workspace).delete()
        IndexBlock.objects.of(workspace).delete()
        Unindexed.objects.filter(workspace=workspace).delete()
        queue(RequestLog.objects.of(workspace).values_list("pk", "workspace_id").iterator())


def queue_showing(images: Iterable[str]) -> None:
    """Have the logs that show these pictures, by hash, indexed anew, now that more is known of them."""
    shown = LogImage.objects.filter(image__in=list(images), log__unindexed=None)
    queue(shown.values_list("log_id", "workspace_id").distinct())


def _index_some(workspace: Workspace, at_least: int = WORTH_A_BLOCK) -> bool:
    waiting = list(_settled(workspace).order_by("log_id").values_list("pk", "log_id")[:AT_ONCE])
    if not waiting or (len(waiting) < at_least and not _is_old(waiting[0][1])):
        return False
    block = block_of([log_id for _, log_id in waiting])
    with transaction.atomic():
        if len(block.ids):
            add(workspace, block)
        Unindexed.objects.filter(pk__in=[pk for pk, _ in waiting]).delete()
    return len(waiting) >= at_least


def _settled(workspace: Workspace) -> QuerySet[Unindexed]:
    """Those that have ended and whose pictures have been looked at, or have waited for that long enough."""
    pending = LogImage.objects.filter(log=OuterRef("log")).filter(Q(snapshot="pending") | Q(image__thumbnail="pending"))
    patience = ids.first_of(timezone.now() - timedelta(seconds=UNSETTLED_SECONDS))
    waiting = Unindexed.objects.filter(workspace=workspace).exclude(log__state=RequestLog.State.IN_FLIGHT)
    return waiting.filter(Q(log_id__lt=patience) | ~Exists(pending))


def _is_old(log_id: uuid.UUID) -> bool:
    return ids.time_of(log_id) < timezone.now() - timedelta(seconds=OLDEST_SECONDS)


def block_of(log_ids: Sequence[uuid.UUID]) -> Block:
    """A block straight from the rows."""
    images = Prefetch("images", LogImage.objects.select_related("image"))
    rows = RequestLog.objects.filter(pk__in=log_ids).select_related("virtual_key", "api_key").prefetch_related(images)
    entries = (
        Entry(log, list(log.images.all()), list(log.feedback.all())) for log in rows.prefetch_related("feedback")
    )
    return Block.build({entry.log.pk.bytes: _readable_values(entry) for entry in entries})


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
        Workspace.objects.select_for_update().get(pk=workspace.pk)  # one writer at a time, on any machine
        rows = list(IndexBlock.objects.of(workspace).in_order().defer("ids"))
        fresh = new.ids.rank(rows[-1].last.bytes) if rows else 0
        if rows and fresh < len(new.ids) and new.ids[fresh] == rows[-1].last.bytes:
            fresh += 1
        for row, share in _shares(rows, new, fresh).items():
            _write(workspace, row, read(row).joined(new.only(share)))
        if fresh < len(new.ids):
            _append(workspace, rows, new.only(range(fresh, len(new.ids))))


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
    return Block(Ids(bytes(row.ids)), {name: _unpacked(name, bytes(data)) for name, data in columns})


def _unpacked(name: str, data: bytes) -> Column:
    return Numbers.unpacked(data) if name in NUMBERS else Choices.unpacked(data)


class Cache:
    """Columns and ids of blocks as this process last used them, up to some bytes; a block's version tells its age."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes, self.used = most_bytes, 0
        self.kept: OrderedDict[tuple[int, int, str], tuple[Column | Ids, int]] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: tuple[int, int, str]) -> Column | Ids | None:
        with self.lock:
            if key not in self.kept:
                return None
            self.kept.move_to_end(key)
            return self.kept[key][0]

    def put(self, key: tuple[int, int, str], value: Column | Ids, size: int) -> None:
        with self.lock:
            if key not in self.kept:
                self.kept[key] = value, size
                self.used += size
            while self.used > self.most_bytes:
                self.used -= self.kept.popitem(last=False)[1][1]


cache = Cache(CACHE_BYTES)


def columns_of(rows: Sequence[IndexBlock], names: Iterable[str]) -> dict[int, dict[str, Column]]:
    """Some columns of some blocks, with at most one query."""
    wanted = [(row, name) for row in rows for name in set(names)]
    found: dict[int, dict[str, Column]] = {row.pk: {} for row in rows}
    missing: dict[int, IndexBlock] = {}
    for row, name in wanted:
        column = cache.get((row.pk, row.version, name))
        if column is None:
            missing[row.pk] = row
        elif not isinstance(column, Ids):
            found[row.pk][name] = column
    if missing:
        _read_columns(missing, {name for _, name in wanted}, found)
    return found


def _read_columns(rows: dict[int, IndexBlock], names: set[str], found: dict[int, dict[str, Column]]) -> None:
    stored = IndexColumn.objects.filter(block__in=rows, name__in=names).values_list("block_id", "name", "data")
    for pk, name, data in stored.iterator():
        column = _unpacked(name, bytes(data))
        found[pk][name] = column
        cache.put((pk, rows[pk].version, name), column, len(data))
    for pk, row in rows.items():  # that a block lacks a column is worth remembering too
        for name in names - found[pk].keys():
            found[pk][name] = Numbers() if name in NUMBERS else Choices()
            cache.put((pk, row.version, name), found[pk][name], 100)


def ids_of(rows: Sequence[IndexBlock]) -> dict[int, Ids]:
    """The ids of some blocks, with at most one query."""
    found: dict[int, Ids] = {}
    for row in rows:
        kept = cache.get((row.pk, row.version, ""))
        if isinstance(kept, Ids):
            found[row.pk] = kept
    missing = {row.pk: row for row in rows if row.pk not in found}
    if missing:
        for pk, data in IndexBlock.objects.filter(pk__in=missing).values_list("pk", "ids"):
            found[pk] = Ids(bytes(data))
            cache.put((pk, missing[pk].version, ""), found[pk], 2 * len(data))
    return found
