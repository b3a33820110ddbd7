"""Writes feedback, and finds the log that it is about."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from gateway.content.plain_text import clean_text
from gateway.index import blocks
from gateway.models import ApiKey, Feedback, RequestLog, Workspace

LOWEST, HIGHEST = -10, 10
LONGEST_NOTE = 10_000
AT_ONCE = 200


@transaction.atomic
def give(
    *,
    workspace: Workspace,
    trace_id: str,
    log: RequestLog | None = None,
    value: object = None,
    weight: object = 1.0,
    note: str = "",
    metadata: dict[str, Any] | None = None,
    api_key: ApiKey | None = None,
    user_id: int | None = None,
) -> Feedback:
    """Raises ValidationError."""
    about = log or RequestLog.objects.of(workspace).filter(trace_id=trace_id).newest_first().first()
    row = Feedback.objects.create(
        workspace=workspace,
        trace_id=clean_text(trace_id, 128),
        log=about,
        value=checked_value(value),
        weight=checked_weight(weight),
        note=clean_text(note.strip(), LONGEST_NOTE),
        metadata=metadata or {},
        api_key=api_key,
        user_id=user_id,
    )
    if row.value is None and not row.note:
        raise ValidationError("Feedback needs a value from -10 to 10, or a note.")
    if about:
        blocks.queue([(about.pk, workspace.pk)])
    return row


@transaction.atomic
def change(*, row: Feedback, value: object, weight: object, metadata: dict[str, Any] | None) -> None:
    """Raises ValidationError."""
    row.value, row.weight = checked_value(value), checked_weight(weight)
    row.metadata = row.metadata if metadata is None else metadata
    row.save()
    if row.log_id:
        blocks.queue([(row.log_id, row.workspace_id)])


def link() -> bool:
    """Find the logs of feedback that came before them; answers whether there was any to link."""
    waiting = list(Feedback.objects.filter(log=None).select_related("workspace")[:AT_ONCE])
    linked = [row for row in waiting if _link(row)]
    return bool(linked)


def _link(row: Feedback) -> bool:
    log = RequestLog.objects.of(row.workspace).filter(trace_id=row.trace_id).newest_first().first()
    if log is None:
        return False
    with transaction.atomic():
        Feedback.objects.filter(pk=row.pk).update(log=log)
        blocks.queue([(log.pk, log.workspace_id)])
    return True


def checked_value(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not LOWEST <= value <= HIGHEST:
        raise ValidationError("value must be a whole number from -10 to 10.")
    return value


def checked_weight(weight: object) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise ValidationError("weight must be a number from 0 to 1.")
    return float(weight)
