"""Fills the index of words for logs that were written before there was one, or by a version that knew another one."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.db import transaction

from gateway.dialects.base import all_text
from gateway.faults import one_by_one
from gateway.index import full_text
from gateway.models import LogText, RequestLog
from gateway.recording.reading import answer_of, question_of

AT_ONCE = 200
VERSION = "1"


class WordFiller:
    """Goes once through all logs, newest first, a few at a time. `done` is a file that says that it is done."""

    def __init__(self, done: Path) -> None:
        self.done = done
        self.before = uuid.UUID(int=2**128 - 1)
        self.is_done = done.exists() and done.read_text() == VERSION

    def step(self) -> bool:
        """Answers whether there is more to do."""
        if self.is_done:
            return False
        ids = self._older()
        if not ids:
            self.done.write_text(VERSION)
            self.is_done = True
            return False
        self.before = ids[-1]
        one_by_one(_without_words(ids), _fill, lambda id, reason: None)
        return True

    def _older(self) -> list[uuid.UUID]:
        finished = RequestLog.objects.exclude(state=RequestLog.State.IN_FLIGHT).filter(pk__lt=self.before)
        return list(finished.order_by("-pk").values_list("pk", flat=True)[:AT_ONCE])


def _without_words(ids: list[uuid.UUID]) -> list[uuid.UUID]:
    numbers = {full_text.number_of(id): id for id in ids}
    known = set(LogText.objects.filter(number__in=numbers).values_list("number", flat=True))
    return [id for number, id in numbers.items() if number not in known]


def _fill(id: uuid.UUID) -> None:
    row = RequestLog.objects.filter(pk=id).select_related("payload").first()
    payload = getattr(row, "payload", None)
    if row is None or payload is None:
        return
    answer = answer_of(row, payload)
    said = all_text(answer.turns) or answer.error or row.failure_message
    texts = full_text.Texts(row.pk, row.workspace_id, all_text(question_of(row, payload).turns), said)
    with transaction.atomic():
        full_text.write([texts])
