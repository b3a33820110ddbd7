"""What a run shows: its rows with their cells, each with the request behind it, and the figures of its columns."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from gateway.models import LogImage, RequestLog
from logsui.sets.run_columns import title
from logsui.sets.set_pages import shown_values
from prompts.models import Cell, SetRun

ONLY = {
    "": ("All", Q()),
    "unpassed": ("Not passed", Q(passed=False)),
    "failed": ("Failed", Q(state=Cell.State.FAILED)),
    "bad": ("Marked bad", Q(mark=Cell.Mark.BAD)),
    "good": ("Marked good", Q(mark=Cell.Mark.GOOD)),
}
Row = dict[str, Any]
COUNTS = {
    "done": Q(state=Cell.State.DONE),
    "failed": Q(state=Cell.State.FAILED),
    "passed": Q(passed=True),
    "checked": Q(passed__isnull=False),
    "good": Q(mark=Cell.Mark.GOOD),
    "bad": Q(mark=Cell.Mark.BAD),
}


@dataclass(slots=True)
class Shown:
    """A cell with the request behind it, once that is in the log."""

    cell: Cell
    log: RequestLog | None = None


@dataclass(slots=True)
class Head:
    """A column: what was asked, and what came of it so far."""

    column: dict[str, Any]
    counts: dict[str, int] = field(default_factory=dict)
    cost: Decimal | None = None
    milliseconds: float | None = None

    @property
    def title(self) -> str:
        return title(self.column)

    @property
    def all_passed(self) -> bool:
        return self.counts["passed"] == self.counts["checked"]

    @property
    def is_marked(self) -> bool:
        return bool(self.counts.get("good") or self.counts.get("bad"))

    @property
    def is_priced(self) -> bool:
        return self.cost is not None

    @property
    def parameters(self) -> str:
        return json.dumps(self.column["parameters"], ensure_ascii=False) if self.column["parameters"] else ""


def rows(run: SetRun, only: str) -> list[int]:
    if only not in ONLY or not only:
        return list(range(run.case_count))
    return sorted(set(run.cells.filter(ONLY[only][1]).values_list("row", flat=True)))


def grid(run: SetRun, places: list[int]) -> list[Row]:
    cells: dict[int, list[Shown]] = {}
    for one in with_logs(run, run.cells.filter(row__in=places)):
        cells.setdefault(one.cell.row, []).append(one)
    return [
        {
            "number": place + 1,
            "case": run.rows[place],
            "values": shown_values(run.rows[place]["values"]),
            "cells": cells[place],
        }
        for place in places
    ]


def with_logs(run: SetRun, cells: QuerySet[Cell]) -> list[Shown]:
    found = list(cells)
    outputs = LogImage.objects.filter(direction=LogImage.Direction.OUTPUT).select_related("image")
    wanted = RequestLog.objects.of(run.workspace).filter(pk__in=[one.log for one in found if one.log])
    logs = {log.pk: log for log in wanted.prefetch_related(Prefetch("images", outputs))}
    return [Shown(one, logs.get(one.log) if one.log else None) for one in found]


def heads(run: SetRun) -> list[Head]:
    found = [Head(column) for column in run.columns]
    counts = {f"{name}_count": Count("pk", filter=which) for name, which in COUNTS.items()}
    for row in run.cells.order_by().values_list("column").annotate(**counts):
        found[row[0]].counts = dict(zip(COUNTS, row[1:], strict=True))
    _add_figures(run, found)
    return found


def _add_figures(run: SetRun, heads: list[Head]) -> None:
    """Cost and the median time of each column, as far as its requests are in the log."""
    column_of = dict(run.cells.exclude(log=None).values_list("log", "column"))
    figures = RequestLog.objects.of(run.workspace).filter(pk__in=run.cells.exclude(log=None).values("log"))
    times: dict[int, list[float]] = {}
    for id, cost, milliseconds in figures.values_list("pk", "cost", "total_ms"):
        if id not in column_of:
            continue  # ended since
        head = heads[column_of[id]]
        head.cost = (head.cost or Decimal(0)) + cost if cost is not None else head.cost
        if milliseconds is not None:
            times.setdefault(column_of[id], []).append(milliseconds)
    for column, found in times.items():
        heads[column].milliseconds = median(found)
