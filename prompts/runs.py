"""Runs over cases: started, stopped and marked by people; claimed, told and finished by whoever asks the gateway."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from prompts import checks
from prompts.cases import CaseText
from prompts.models import Cell, PictureSet, SetRun

MOST_COLUMNS = 4
LONGEST_ANSWER = 200_000


@dataclass(frozen=True, slots=True)
class Column:
    """What is asked: a version, and what beats its model and parameters."""

    prompt: str
    slug: str
    version: int
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a cell: an answer, or a problem in words. `log` is the request's id.

    `again` is said when nobody was there to answer: the cell waits, with the problem beside it.
    """

    cell: int
    answer: str = ""
    problem: str = ""
    log: uuid.UUID | None = None
    again: bool = False


@transaction.atomic
def start(
    *, workspace: Any, picture_set: PictureSet | None, rows: Sequence[CaseText], columns: Sequence[Column], author: Any
) -> SetRun:
    """A run that begins by itself. Raises ValidationError."""
    if not rows:
        raise ValidationError("There is no case to run. Add one, or import some.")
    if not 1 <= len(columns) <= MOST_COLUMNS:
        raise ValidationError(f"Choose one to {MOST_COLUMNS} columns: a prompt, and its version.")
    run = SetRun.objects.create(
        workspace=workspace,
        set=picture_set,
        rows=[asdict(one) for one in rows],
        columns=[asdict(one) for one in columns],
        author=author,
    )
    places = ((row, column) for row in range(len(rows)) for column in range(len(columns)))
    Cell.objects.bulk_create((Cell(run=run, row=row, column=column) for row, column in places), batch_size=500)
    return run


def stop(*, run: SetRun) -> None:
    """Calls under way are broken off within a second; what was answered stays."""
    SetRun.objects.filter(pk=run.pk, state=SetRun.State.RUNNING).update(state=SetRun.State.STOPPED)


@transaction.atomic
def resume(*, run: SetRun, again: bool = False) -> None:
    """Go on with what is not answered yet; `again` asks once more what failed, too."""
    if again:
        failed = Cell.objects.filter(run=run, state=Cell.State.FAILED)
        failed.update(state=Cell.State.WAITING, problem="", answer="", log=None, passed=None, changed_at=timezone.now())
    has_more = Cell.objects.filter(run=run, state=Cell.State.WAITING).exists()
    state = SetRun.State.RUNNING if has_more else SetRun.State.DONE
    SetRun.objects.filter(pk=run.pk).update(state=state)


def delete(*, run: SetRun) -> None:
    """The requests that it made stay in the logs."""
    run.delete()


def mark(*, cell: Cell, mark: str, note: str) -> None:
    """What a person thinks of an answer. Raises ValidationError."""
    if mark not in Cell.Mark.values:
        raise ValidationError("A mark is good or bad, or none.")
    cell.mark, cell.note = mark, note.strip()[:500]
    cell.save(update_fields=["mark", "note", "changed_at"])


def put_back() -> int:
    """Cells that nobody asks any more, because whoever did has ended; how many."""
    return Cell.objects.under_way().update(state=Cell.State.WAITING, answer="", changed_at=timezone.now())


@transaction.atomic
def claim(most: int) -> list[Cell]:
    """The next cells to ask, at most so many, which are under way from now on."""
    found = list(Cell.objects.waiting().select_related("run")[:most])
    Cell.objects.filter(pk__in=[one.pk for one in found]).update(
        state=Cell.State.RUNNING, problem="", changed_at=timezone.now()
    )
    return found


def stopped(cells: Iterable[int]) -> set[int]:
    """Those of the cells whose run was stopped or deleted."""
    wanted = set(cells)
    return wanted - set(
        Cell.objects.filter(pk__in=wanted, run__state=SetRun.State.RUNNING).values_list("pk", flat=True)
    )


def tell(answers: Mapping[int, str]) -> None:
    """What was answered so far."""
    for cell, answer in answers.items():
        Cell.objects.filter(pk=cell).update(answer=answer[:LONGEST_ANSWER], changed_at=timezone.now())


def break_off(cells: Iterable[int]) -> None:
    """They were stopped before their answer was whole, and wait for the run to go on."""
    Cell.objects.filter(pk__in=list(cells)).update(state=Cell.State.WAITING, answer="", changed_at=timezone.now())


@transaction.atomic
def finish(endings: Iterable[Ending]) -> None:
    """Note what came of cells, checked; a run without any left is done."""
    runs = set()
    for one in endings:
        cell = Cell.objects.select_related("run").filter(pk=one.cell).first()
        if cell is None:
            continue  # its run was deleted
        cell.answer, cell.problem, cell.log = one.answer[:LONGEST_ANSWER], one.problem[:2000], one.log
        cell.state = _state(one)
        case = cell.run.rows[cell.row]
        is_checked = cell.state == Cell.State.DONE
        cell.passed = checks.passes(case["check"], case["expected"], one.answer) if is_checked else None
        cell.save()
        runs.add(cell.run_id)
    open_runs = Cell.objects.filter(run__in=runs, state__in=(Cell.State.WAITING, Cell.State.RUNNING)).values("run")
    SetRun.objects.filter(pk__in=runs, state=SetRun.State.RUNNING).exclude(pk__in=open_runs).update(
        state=SetRun.State.DONE
    )


def _state(ending: Ending) -> Cell.State:
    if ending.again:
        return Cell.State.WAITING
    return Cell.State.FAILED if ending.problem else Cell.State.DONE
