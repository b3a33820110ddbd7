"""A run as files: every cell as a line of a CSV and of a JSON Lines, and the pictures of its cases."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import Any

from django.urls import reverse

from logsui.archive import Archive
from logsui.sets.run_grid import Shown, grid
from logsui.sets.set_files import with_files
from prompts.models import SetRun
from prompts.spreadsheet import guarded

BATCH = 100


def written(run: SetRun, root: str) -> Iterator[bytes]:
    """A ZIP, piece by piece; `root` is what the links to logs begin with."""
    is_first = True
    with Archive("pictures") as archive, TemporaryFile() as table, TemporaryFile() as lines:
        for start in range(0, run.case_count, BATCH):
            for row in grid(run, list(range(start, min(start + BATCH, run.case_count)))):
                values = with_files(archive, run.workspace_id, row["case"]["values"])
                for document in (_line(run, one, row["case"], values, root) for one in row["cells"]):
                    if is_first:
                        table.write(_csv_row(document))
                        is_first = False
                    table.write(_csv_row(document.values()))
                    lines.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
                yield archive.taken()
        for name, file in (("results.csv", table), ("results.jsonl", lines)):
            file.seek(0)
            yield from archive.written(name, file)
    yield archive.taken()


def _csv_row(values: Iterable[object]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([_plain(value) for value in values])
    return out.getvalue().encode("utf-8", "replace")


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
        "cost": f"{log.cost:f}" if log and log.cost is not None else None,
        "milliseconds": log.total_ms if log else None,
        "log": root + reverse("log", args=[run.workspace.slug, cell.log]) if cell.log else None,
    }


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return guarded(value) if isinstance(value, str) else value
