"""The tables of the search index. Only `gateway.index` reads and writes them."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Length

from gateway.models.keys import Workspace
from gateway.models.logs import RequestLog
from gateway.models.many_rows import Table


class LogText(models.Model):
    """That the words of a log are in the full-text index, and under which number (`full_text`).

    `words` are, for SQLite, what was written there, packed: it must be told all of it to forget it again.
    """

    number = models.BigIntegerField(primary_key=True)
    log_id = models.UUIDField()
    words = models.BinaryField(null=True)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+", db_index=False)

    def __str__(self) -> str:
        return f"words of {self.log_id}"


class Unindexed(models.Model):
    """A log whose facets are not in a block of the index yet, or have changed since. A log may wait several times.

    `values` are its facets as ingest had them, where they stand in the database just so; None has them read.
    """

    log = models.ForeignKey(RequestLog, models.CASCADE, related_name="unindexed")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    values = models.BinaryField(null=True)

    def __str__(self) -> str:
        return f"{self.log_id} to be indexed"


class IndexBlockQuerySet(models.QuerySet["IndexBlock"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def in_order(self) -> Self:
        """Oldest first, without what only some questions need."""
        return self.order_by("first")._with_lengths().defer("ids", "totals")

    def without_totals(self, least: int) -> Self:
        """Of so many logs or more."""
        return self._with_lengths().filter(totals_length=None, size__gte=least)

    def _with_lengths(self) -> Self:
        """A length, unlike a look for NULL, reads no page of the value."""
        return self.annotate(totals_length=Length("totals"))


class IndexBlock(models.Model):
    """A stretch of a workspace's logs in the bitmap index (`bitmaps`). Blocks do not overlap.

    `totals` are what it adds up to (`gateway.index.totals`), of blocks that are large enough for it.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="index_blocks")
    first = models.UUIDField()
    last = models.UUIDField()
    size = models.PositiveIntegerField()
    version = models.PositiveIntegerField(default=0)
    ids = models.BinaryField()
    totals = models.BinaryField(null=True)
    totals_length: int | None

    objects = IndexBlockQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace", "first"], name="blocks_in_order")]

    def __str__(self) -> str:
        return f"{self.size} logs from {self.first}"


class IndexColumn(models.Model):
    """What a block knows of one facet. `distinct` counts its values; a number counts as one."""

    block = models.ForeignKey(IndexBlock, models.CASCADE, related_name="columns", db_index=False)
    name = models.CharField(max_length=200)
    distinct = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["block", "name"], name="one_column_a_facet")]

    def __str__(self) -> str:
        return f"{self.name} of {self.block_id}"


LOG_TEXTS = Table(LogText)
UNINDEXED = Table(Unindexed)
