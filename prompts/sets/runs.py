"""Runs over cases: started, stopped and marked by people; claimed, told and finished by whoever asks the gateway."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from prompts.library import pictures
from prompts.models import Cell, PictureSet, SetRun
from prompts.models.validators import validate_for_database
from prompts.sets import checks
from prompts.sets.cases import CaseText

MOST_COLUMNS = 4
LONGEST_ANSWER, LONGEST_PROBLEM = 100_000, 2000
MOST_CHARACTERS = 5_000_000
MOST_TRIES = 5


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
    """What came of a cell: an answer, or a problem in words, that a database keeps. `log` is the request's id.

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
    copied = {"rows": [asdict(one) for one in rows], "columns": [asdict(one) for one in columns]}
    validate_for_database(copied, "What is to be run")
    for one in rows:
        if problem := checks.problem_of(one.check, one.expected):
            raise ValidationError(f"What is expected of {one.name[:60]} cannot be checked: {problem}")
    size = sum(len(text) for one in rows for text in (*one.values.values(), one.expected))
    if size > MOST_CHARACTERS:
        raise ValidationError(
            f"The cases hold {size / 1e6:.1f} MB of text; a run takes {MOST_CHARACTERS / 1e6:.0f}. Upload pictures instead."
        )
    pictures.keep(workspace, copied["rows"], copied["columns"])
    run = SetRun.objects.create(workspace=workspace, set=picture_set, author=author, case_count=len(rows), **copied)
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
        failed.update(
            state=Cell.State.WAITING, problem="", answer="", log=None, passed=None, tries=0, changed_at=timezone.now()
        )
    has_more = Cell.objects.filter(run=run, state__in=(Cell.State.WAITING, Cell.State.RUNNING)).exists()
    state = SetRun.State.RUNNING if has_more else SetRun.State.DONE
    SetRun.objects.filter(pk=run.pk).update(state=state)


def delete(*, run: SetRun) -> None:
    """The requests that it made stay in the logs."""
    run.delete()


def mark(*, cell: Cell, mark: str | None = None, note: str | None = None) -> None:
    """What a person thinks of an answer: a mark, a note, or both; the other stays. Raises ValidationError."""
    given: dict[str, Any] = {"changed_at": timezone.now()}
    if mark is not None:
        if mark not in Cell.Mark.values:
            raise ValidationError("A mark is good or bad, or none.")
        given["mark"] = cell.mark = mark
    if note is not None:
        validate_for_database(note, "The note")
        given["note"] = cell.note = note.strip()[:500]
    Cell.objects.filter(pk=cell.pk).update(**given)


def put_back() -> None:
    """Cells that nobody asks any more, because whoever did has ended, wait again; but not those that end it each time."""
    left = Cell.objects.under_way()
    if not left.exists():
        return  # a write would take the lock of SQLite
    problem = f"Asked {MOST_TRIES} times, and each time the worker ended before the answer was whole."
    with transaction.atomic():
        runs = set(left.values_list("run", flat=True))
        left.filter(tries__gte=MOST_TRIES).update(state=Cell.State.FAILED, problem=problem, changed_at=timezone.now())
        left.update(state=Cell.State.WAITING, answer="", changed_at=timezone.now())
        _end(runs)


@transaction.atomic
def claim(most: int) -> list[Cell]:
    """The next cells to ask, at most so many, which are under way from now on. Their runs are at hand."""
    found = list(Cell.objects.waiting()[:most])
    Cell.objects.filter(pk__in=[one.pk for one in found]).update(
        state=Cell.State.RUNNING, problem="", tries=F("tries") + 1, changed_at=timezone.now()
    )
    asked = SetRun.objects.select_related("set", "workspace").in_bulk({one.run_id for one in found})
    known = [one for one in found if one.run_id in asked]
    for one in known:
        one.run, one.tries = asked[one.run_id], one.tries + 1
    return known


def stopped(cells: Iterable[int]) -> set[int]:
    """Those of the cells whose run was stopped or deleted."""
    wanted = set(cells)
    return wanted - set(
        Cell.objects.filter(pk__in=wanted, run__state=SetRun.State.RUNNING).values_list("pk", flat=True)
    )


def tell(answers: Mapping[int, str]) -> None:
    """What was answered so far."""
    for cell, answer in answers.items():
        Cell.objects.filter(pk=cell).update(answer=answer, changed_at=timezone.now())


def break_off(cells: Iterable[int]) -> None:
    """They were stopped before their answer was whole, and wait for the run to go on."""
    Cell.objects.filter(pk__in=list(cells)).update(
        state=Cell.State.WAITING, answer="", tries=0, changed_at=timezone.now()
    )


def finish(endings: Sequence[Ending]) -> None:
    """Note what came of cells, checked; a run without any left is done. Twice does no harm."""
    found = Cell.objects.in_bulk([one.cell for one in endings])
    asked = SetRun.objects.in_bulk({cell.run_id for cell in found.values()})
    # A check may take its time, which is not that of a transaction.
    known = [(one, cell) for one in endings if (cell := found.get(one.cell)) and cell.run_id in asked]
    checked = [(one, *_verdict(one, asked[cell.run_id], cell)) for one, cell in known]
    with transaction.atomic():
        for one, passed, why in checked:
            Cell.objects.filter(pk=one.cell).update(
                answer=one.answer,
                problem=one.problem or why,
                log=one.log,
                state=_state(one),
                passed=passed,
                changed_at=timezone.now(),
            )
        _end(asked)


def _end(runs: Iterable[uuid.UUID]) -> None:
    """Those of the runs that have nothing left to ask are done, those too that were stopped over their last cells."""
    unfinished = Cell.objects.filter(run__in=runs, state__in=(Cell.State.WAITING, Cell.State.RUNNING))
    SetRun.objects.filter(pk__in=runs).exclude(pk__in=unfinished.values("run")).update(state=SetRun.State.DONE)


def _verdict(ending: Ending, run: SetRun, cell: Cell) -> tuple[bool | None, str]:
    case = run.rows[cell.row]
    return (None, "") if ending.problem else checks.verdict(case["check"], case["expected"], ending.answer)


def _state(ending: Ending) -> Cell.State:
    if ending.again:
        return Cell.State.WAITING
    return Cell.State.FAILED if ending.problem else Cell.State.DONE
