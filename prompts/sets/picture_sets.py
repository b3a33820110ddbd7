"""Writes to picture sets: their columns, and the cases in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from prompts.library import loading, pictures
from prompts.models import Case, PictureSet, Prompt
from prompts.models.validators import validate_for_database
from prompts.sets import checks
from prompts.sets.cases import LONGEST_VALUE, MOST_CASES, CaseText

MOST_COLUMNS = 30
BRACES = re.compile(r"[{}]")


def create_set(*, workspace: Any, name: str, columns: Sequence[str] = (), prompt: Prompt | None = None) -> PictureSet:
    """With the variables of `prompt` as columns, where it is given. Raises ValidationError."""
    columns = _columns([*columns, *(kinds_of(prompt) if prompt else ())])
    return PictureSet.objects.create(workspace=workspace, name=_name(name), columns=columns, prompt=prompt)


def kinds_of(prompt: Prompt) -> dict[str, str]:
    """The variables of its newest version, and what each is: text, image or condition."""
    return prompt.latest.template.variable_kinds(loading.partials_of(prompt.workspace_id))


def rename_set(*, picture_set: PictureSet, name: str) -> None:
    """Raises ValidationError."""
    picture_set.name = _name(name)
    picture_set.save(update_fields=["name", "updated_at"])


def delete_set(*, picture_set: PictureSet) -> None:
    """With its cases and runs. The requests that its runs made stay in the logs."""
    picture_set.delete()


@transaction.atomic
def add_column(*, picture_set: PictureSet, name: str) -> None:
    """Raises ValidationError."""
    locked = _locked(picture_set)
    locked.columns = _columns([*locked.columns, name])
    locked.save(update_fields=["columns", "updated_at"])


@transaction.atomic
def remove_column(*, picture_set: PictureSet, name: str) -> None:
    """The values of the cases stay, and are there again when the column is."""
    locked = _locked(picture_set)
    locked.columns = [one for one in locked.columns if one != name]
    locked.save(update_fields=["columns", "updated_at"])


@transaction.atomic
def add_cases(*, picture_set: PictureSet, cases: Sequence[CaseText], columns: Iterable[str] = ()) -> None:
    """At the end of the set. Raises ValidationError; then none is added."""
    locked = _locked(picture_set)
    count = locked.cases.count()
    if count + len(cases) > MOST_CASES:
        raise ValidationError(
            f"A set holds {MOST_CASES:,} cases, and this one would have {count + len(cases):,}. Make another set of the rest."
        )
    locked.columns = _columns([*locked.columns, *columns])
    locked.save(update_fields=["columns", "updated_at"])
    after = (locked.cases.aggregate(last=Max("position"))["last"] or 0) + 1
    for one in cases:
        _check(one)
    pictures.keep(locked.workspace_id, *(one.values for one in cases))
    Case.objects.bulk_create(
        Case(
            set=locked,
            position=after + at,
            name=one.name[:200],
            values=one.values,
            check_kind=one.check,
            expected=one.expected,
        )
        for at, one in enumerate(cases)
    )


def edit_case(*, case: Case, name: str, values: Mapping[str, str], check: str, expected: str) -> str:
    """What is expected is kept even when it cannot be checked: the answer says why, and no run begins before it can.

    Raises:
        ValidationError: something else cannot be kept.
    """
    long = next((column for column, value in values.items() if len(value) > LONGEST_VALUE), None)
    if long is not None:
        raise ValidationError(
            f"{long} is longer than {LONGEST_VALUE:,} characters. Upload a picture instead of pasting it."
        )
    if check not in Case.Check.values:
        raise ValidationError(f"{check[:30]!r} is no kind of check.")
    validate_for_database([name, dict(values), expected], "The case")
    case.name, case.values = name.strip()[:200] or f"case {case.position}", case.values | dict(values)
    case.check_kind, case.expected = check, expected
    pictures.keep(case.set.workspace_id, case.values)
    case.save()
    PictureSet.objects.filter(pk=case.set_id).update(updated_at=timezone.now())
    return checks.problem_of(check, expected)


def remove_case(*, case: Case) -> None:
    case.delete()


def texts(picture_set: PictureSet) -> list[CaseText]:
    """The cases as they are written down, run and exported."""
    names = picture_set.columns
    return [
        CaseText(one.name, {name: one.values.get(name, "") for name in names}, one.check_kind, one.expected)
        for one in picture_set.cases.all()
    ]


def _locked(picture_set: PictureSet) -> PictureSet:
    return PictureSet.objects.select_for_update().get(pk=picture_set.pk)


def _name(name: str) -> str:
    if not name.strip():
        raise ValidationError("A set needs a name, so that you know it again.")
    validate_for_database(name, "The name")
    return name.strip()[:100]


def _columns(names: Iterable[str]) -> list[str]:
    """Each once; a name that no template can use is refused."""
    found = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    validate_for_database(found, "A variable's name")
    for name in found:
        if BRACES.search(name) or len(name) > 100:
            raise ValidationError(f"{name[:50]!r} cannot be a variable: leave the braces out, and keep it short.")
    if len(found) > MOST_COLUMNS:
        raise ValidationError(f"A set has {MOST_COLUMNS} columns at most, and this would be {len(found)}.")
    return found


def _check(case: CaseText) -> None:
    validate_for_database(asdict(case), case.name[:60] or "The case")
    if problem := checks.problem_of(case.check, case.expected):
        raise ValidationError(f"{case.name[:60]}: {problem}")
