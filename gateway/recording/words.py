"""Fills the index of words for logs that were written before there was one, or by a version that knew another one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from django.db import transaction

from gateway.dialects.base import Answer, Question, all_text, text_of
from gateway.faults import one_by_one
from gateway.index import full_text
from gateway.index.cut_words import RUNNING, UNIQUE, indexed
from gateway.models import LogText, RequestLog
from gateway.recording.reading import answer_of, question_of

AT_ONCE = 200
SESSIONS = ("session", "session_id", "sessionid", "conversation_id", "thread_id")
VERSION = "3"
FILLING = f"filling {VERSION}"  # the words that an older version cut are forgotten already


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
        self._forget_older_words()
        ids = self._older()
        if not ids:
            self.done.write_text(VERSION)
            self.is_done = True
            return False
        self.before = ids[-1]
        one_by_one(_without_words(ids), _fill, lambda id, reason: None)
        return True

    def _forget_older_words(self) -> None:
        """What another version cut is cut anew, newest first."""
        if self.done.exists() and self.done.read_text() != FILLING:
            full_text.empty()
            self.done.write_text(FILLING)

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
    with transaction.atomic():
        full_text.write([texts_of(row, question_of(row, payload), answer_of(row, payload), payload.request_headers)])


def texts_of(row: RequestLog, question: Question, answer: Answer, headers: Mapping[str, str]) -> full_text.Texts:
    """What is to be found of a log: its ids and what the user said last stand in front, for those are never left out."""
    ids = [str(row.pk), row.trace_id, row.span_id, row.parent_span_id, headers.get("x-request-id", "")]
    ids += [value for name, value in row.metadata.items() if name.lower().strip("_") in SESSIONS]
    whole = all_text(question.turns)
    last = text_of(question.turns, "user") if len(whole) > RUNNING else ""
    asked = " ".join(filter(None, [*ids, last, whole]))
    said = all_text(answer.turns) or answer.error or row.failure_message
    return full_text.Texts(row.pk, row.workspace_id, asked, f"{answer.id} {said}".strip())


def unindexed(texts: full_text.Texts) -> list[str]:
    """What of a log's texts has too many different words to be found: a warning each."""
    parts = {"request": texts.prompt, "answer": texts.answer}
    return [
        f"the {name} holds more than {UNIQUE:,} different words: those that come last are not found by a search"
        for name, text in parts.items()
        if len(text) > UNIQUE and not indexed(text)[1]
    ]
