"""A run as files: every cell as a line of a CSV and of a JSON Lines, and the pictures of its cases."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.urls import reverse

from logsui.archive import Archive
from logsui.run_grid import Shown, grid
from logsui.set_files import with_files
from prompts.cases import guarded
from prompts.models import SetRun

BATCH = 100


def written(run: SetRun, root: str) -> Iterator[bytes]:
    """A ZIP, piece by piece; `root` is what the links to logs begin with."""
    table, lines = io.StringIO(), io.StringIO()
    writer = csv.writer(table)
    names: list[str] = []
    with Archive("pictures") as archive:
        for start in range(0, len(run.rows), BATCH):
            for row in grid(run, list(range(start, min(start + BATCH, len(run.rows))))):
                values = with_files(archive, run.workspace_id, row["case"]["values"])
                for one in row["cells"]:
                    document = _line(run, one, row["case"], values, root)
                    lines.write(json.dumps(document, ensure_ascii=False) + "\n")
                    if not names:
                        names = [*document]
                        writer.writerow(names)
                    writer.writerow([_plain(document[name]) for name in names])
                yield archive.taken()
        archive.write("results.csv", table.getvalue())
        archive.write("results.jsonl", lines.getvalue())
    yield archive.taken()


def _line(run: SetRun, one: Shown, case: dict[str, Any], values: dict[str, str], root: str) -> dict[str, Any]:
    cell, log, column = one.cell, one.log, run.columns[one.cell.column]
    return {
        "case": case["name"],
        "variables": values,
        "prompt": column["slug"],
        "version": column["version"],
        "model": log.model if log else column["model"],
        "parameters": column["parameters"],
        "state": cell.state,
        "answer": cell.answer,
        "problem": cell.problem,
        "check": case["check"],
        "expected": case["expected"],
        "passed": cell.passed,
        "mark": cell.mark,
        "note": cell.note,
        "tokens": log.total_tokens if log else None,
        "cost": str(log.cost) if log and log.cost is not None else None,
        "milliseconds": log.total_ms if log else None,
        "log": root + reverse("log", args=[run.workspace.slug, cell.log]) if cell.log else None,
    }


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return guarded(value) if isinstance(value, str) else value
