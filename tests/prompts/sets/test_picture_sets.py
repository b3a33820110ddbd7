"""Sets and the cells of their runs, as rows. On both databases."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ValidationError

from gateway.models import Workspace
from prompts.library import editing
from prompts.library.editing import Content
from prompts.models import Cell, PictureSet, SetRun
from prompts.sets import picture_sets, runs
from prompts.sets.cases import CaseText
from prompts.sets.runs import Column, Ending

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]
CASES = [CaseText("one", {"n": "1"}, "contains", "1"), CaseText("two", {"n": "2"}), CaseText("three", {"n": "3"})]


@pytest.fixture
def picture_set() -> PictureSet:
    workspace = Workspace.objects.create(slug="sets", name="Sets")
    made = picture_sets.create_set(workspace=workspace, name="Receipts", columns=["n"])
    picture_sets.add_cases(picture_set=made, cases=CASES)
    return made


def started(picture_set: PictureSet, columns: int = 2) -> SetRun:
    content = Content(json.dumps([{"role": "user", "content": "{{n}}"}]), model="@x/y")
    prompt = editing.create(workspace=picture_set.workspace, name="x", content=content)
    return runs.start(
        workspace=picture_set.workspace,
        picture_set=picture_set,
        rows=picture_sets.texts(picture_set),
        columns=[Column(str(prompt.pk), prompt.slug, 1)] * columns,
        author=None,
    )


def states(run: SetRun) -> str:
    """A letter for each cell."""
    return "".join(cell.state[0] for cell in run.cells.all())


def test_cells_are_asked_row_by_row_and_the_last_ends_the_run(picture_set: PictureSet) -> None:
    run = started(picture_set)
    first = runs.claim(4)
    assert [(cell.row, cell.column) for cell in first] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    runs.tell({first[0].pk: "it is"})
    assert states(run) == "rrrrww"
    runs.finish([Ending(cell.pk, answer="it is 1") for cell in first] + [Ending(-1, answer="of a run that is gone")])
    assert [cell.passed for cell in run.cells.all()] == [True, True, None, None, None, None]
    runs.finish([Ending(cell.pk, problem="no such model") for cell in runs.claim(9)])
    run.refresh_from_db()
    assert (states(run), run.state) == ("ddddff", "done")


def test_a_run_that_was_stopped_goes_on_where_it_was(picture_set: PictureSet) -> None:
    run = started(picture_set)
    done, *others = runs.claim(3)
    runs.finish([Ending(done.pk, answer="1")])
    runs.stop(run=run)
    assert runs.claim(9) == []
    asking = [cell.pk for cell in others]
    assert runs.stopped(asking) == set(asking)
    runs.break_off(asking)
    assert states(run) == "dwwwww"
    runs.resume(run=run)
    assert [cell.pk for cell in runs.claim(2)] == asking
    assert runs.stopped(asking) == set()


def test_cells_under_way_when_the_worker_ends_are_asked_again(picture_set: PictureSet) -> None:
    run = started(picture_set)
    runs.claim(2)
    runs.put_back()
    assert states(run) == "wwwwww"
    cell = runs.claim(1)[0]
    runs.finish([Ending(cell.pk, problem="nobody is there", again=True)])
    cell.refresh_from_db()
    assert (cell.state, cell.problem) == ("waiting", "nobody is there")


def test_a_cell_that_ends_the_worker_each_time_is_given_up(picture_set: PictureSet) -> None:
    run = started(picture_set, columns=1)
    first, second, third = runs.claim(3)
    runs.finish([Ending(second.pk, answer="2"), Ending(third.pk, answer="3")])
    for _ in range(runs.MOST_TRIES):
        runs.put_back()
        runs.claim(1)
    runs.put_back()
    first.refresh_from_db()
    run.refresh_from_db()
    assert (first.state, run.state) == ("failed", "done")
    assert "each time the worker ended" in first.problem


def test_to_go_on_with_a_run_whose_last_cells_are_under_way_does_not_end_it(picture_set: PictureSet) -> None:
    run = started(picture_set)
    asking = [cell.pk for cell in runs.claim(9)]
    runs.stop(run=run)
    runs.resume(run=run)
    run.refresh_from_db()
    assert (run.state, runs.stopped(asking)) == ("running", set())


def test_a_run_that_was_stopped_over_its_last_answers_is_done(picture_set: PictureSet) -> None:
    run = started(picture_set)
    cells = runs.claim(9)
    runs.stop(run=run)
    runs.finish([Ending(cell.pk, answer="1") for cell in cells])
    run.refresh_from_db()
    assert run.state == "done"


def test_a_run_that_is_deleted_while_it_is_asked_leaves_nothing(picture_set: PictureSet) -> None:
    run = started(picture_set)
    cells = runs.claim(2)
    runs.delete(run=run)
    runs.finish([Ending(cell.pk, answer="late") for cell in cells])
    assert (Cell.objects.count(), runs.stopped([cells[0].pk])) == (0, {cells[0].pk})


def test_only_what_failed_is_asked_again(picture_set: PictureSet) -> None:
    run = started(picture_set, columns=1)
    good, bad, _ = runs.claim(3)
    runs.finish([Ending(good.pk, answer="1"), Ending(bad.pk, problem="busy"), Ending(_.pk, answer="3")])
    runs.resume(run=run, again=True)
    assert states(run) == "dwd"
    assert [cell.pk for cell in runs.claim(9)] == [bad.pk]


def test_a_run_that_has_just_begun_does_not_wait_for_all_of_a_long_one(picture_set: PictureSet) -> None:
    long = started(picture_set)
    runs.claim(4)
    short = runs.start(
        workspace=picture_set.workspace, picture_set=None, rows=CASES[:1], columns=[_first_column(long)], author=None
    )
    assert [(cell.run, cell.row) for cell in runs.claim(2)] == [(short, 0), (long, 2)]


def _first_column(run: SetRun) -> Column:
    return Column(**run.columns[0])


def test_a_run_keeps_the_cases_that_it_was_started_on(picture_set: PictureSet) -> None:
    run = started(picture_set)
    case = picture_set.cases.all()[0]
    picture_sets.edit_case(case=case, name="other", values={"n": "9"}, check="", expected="")
    run.refresh_from_db()
    assert run.rows[0] == {"name": "one", "values": {"n": "1"}, "check": "contains", "expected": "1"}


def test_what_cannot_be_checked_is_kept_and_stops_a_run_before_it_begins(picture_set: PictureSet) -> None:
    case = picture_set.cases.all()[1]
    said = picture_sets.edit_case(case=case, name="two", values={}, check="schema", expected='{"type": "obj')
    assert said.startswith("The schema is not JSON")
    assert picture_set.cases.all()[1].expected == '{"type": "obj'
    with pytest.raises(ValidationError, match="What is expected of two cannot be checked: The schema is not JSON"):
        started(picture_set)


def test_a_column_that_is_taken_away_comes_back_with_its_values(picture_set: PictureSet) -> None:
    picture_sets.remove_column(picture_set=picture_set, name="n")
    picture_sets.add_column(picture_set=picture_set, name="m")
    picture_sets.add_column(picture_set=picture_set, name="n")
    picture_set.refresh_from_db()
    assert picture_set.columns == ["m", "n"]
    assert picture_set.cases.all()[2].values == {"n": "3"}


def test_what_cannot_be_kept_is_refused_whole(picture_set: PictureSet) -> None:
    with pytest.raises(ValidationError, match="would have 1,001"):
        picture_sets.add_cases(picture_set=picture_set, cases=[CaseText("x")] * 998)
    with pytest.raises(ValidationError, match="x: The schema is not JSON"):
        picture_sets.add_cases(picture_set=picture_set, cases=[CaseText("y"), CaseText("x", {}, "schema", "{")])
    with pytest.raises(ValidationError, match="leave the braces out"):
        picture_sets.add_column(picture_set=picture_set, name="{{n}}")
    rows, column = [CaseText("x", {"n": "y" * 100_000})] * 60, Column("1", "x", 1)
    with pytest.raises(ValidationError, match=r"hold 6.0 MB of text; a run takes 5"):
        runs.start(workspace=picture_set.workspace, picture_set=None, rows=rows, columns=[column], author=None)
    with pytest.raises(ValidationError, match="one to 4 columns"):
        started(picture_set, columns=5)
    with pytest.raises(ValidationError, match="no case to run"):
        runs.start(workspace=picture_set.workspace, picture_set=None, rows=[], columns=[], author=None)
    with pytest.raises(ValidationError, match="A set needs a name"):
        picture_sets.rename_set(picture_set=picture_set, name=" ")
    with pytest.raises(ValidationError, match="which no database keeps"):
        picture_sets.rename_set(picture_set=picture_set, name="\0")
    with pytest.raises(ValidationError, match="x holds a NUL"):
        picture_sets.add_cases(picture_set=picture_set, cases=[CaseText("x", {"n": "\ud83e"})])
    nan = Column("1", "x", 1, parameters={"temperature": float("nan")})
    with pytest.raises(ValidationError, match="What is to be run holds a NUL"):
        runs.start(workspace=picture_set.workspace, picture_set=None, rows=CASES, columns=[nan], author=None)
    assert picture_set.cases.count() == 3


def test_a_mark_is_good_or_bad_or_none(picture_set: PictureSet) -> None:
    run = started(picture_set)
    cell: Cell = run.cells.all()[0]
    runs.mark(cell=cell, mark="bad", note=" misread the date ")
    cell.refresh_from_db()
    assert (cell.mark, cell.note) == ("bad", "misread the date")
    with pytest.raises(ValidationError, match="A mark is good or bad"):
        runs.mark(cell=cell, mark="so-so", note="")
