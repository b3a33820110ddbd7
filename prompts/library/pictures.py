"""Which pictures templates, cases and runs name: those stay, whatever becomes of the logs that showed them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from prompts.language.rendering import PICTURE
from prompts.models import Case, PromptPicture, PromptVersion, SetRun

UNSAVED_FOR = timedelta(days=7)  # a picture is uploaded before what names it is saved


def keep(workspace: Any, *said: Any) -> None:
    """Note that these texts or documents name pictures; inside the transaction that saves them."""
    named = {sha256 for one in said for sha256 in _named(one)}
    PromptPicture.objects.bulk_create(
        (PromptPicture(workspace_id=_id(workspace), sha256=sha256) for sha256 in named), ignore_conflicts=True
    )


@transaction.atomic
def let_go() -> list[str]:
    """Forget the pictures that nothing names any more; answers their hashes."""
    named = set(_named_anywhere())
    late = timezone.now() - UNSAVED_FOR
    unnamed = [
        row
        for row in PromptPicture.objects.filter(created_at__lt=late).iterator()
        if (row.workspace_id, row.sha256) not in named
    ]
    PromptPicture.objects.filter(pk__in=[row.pk for row in unnamed]).delete()
    return [row.sha256 for row in unnamed]


def _named_anywhere() -> Iterator[tuple[int, str]]:
    versions = PromptVersion.objects.values_list("prompt__workspace", "text", "examples", "parameters")
    cases = Case.objects.values_list("set__workspace", "values", "expected")
    runs = SetRun.objects.values_list("workspace", "rows", "columns")
    for rows in (versions, cases, runs):
        for workspace, *said in rows.iterator(chunk_size=500):
            yield from ((workspace, sha256) for one in said for sha256 in _named(one))


def _named(said: Any) -> list[str]:
    return PICTURE.findall(said if isinstance(said, str) else json.dumps(said))


def _id(workspace: Any) -> int:
    found: int = getattr(workspace, "pk", workspace)
    return found
