"""The signatures and reasoning of models' turns in the database, so that another process, or this one tomorrow, finds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.dialects import documents_of
from gateway.dialects.kept_turns import HeardTurn, Kept
from gateway.models import KEPT_TURNS, KeptTurn, RequestLog
from gateway.translation.translator import READERS

# What an answer with anything to be kept holds.
MARKS = (b"ignature", b"hinking", b"reasoning")


def rows_of(log: RequestLog, answer: bytes, content_type: str) -> list[KeptTurn]:
    """One row for each call, picture and text of a translated answer that its vendor wants something back with."""
    if not log.wire or not any(mark in answer for mark in MARKS):
        return []
    found: dict[str, Kept] = {}
    reader, heard = READERS[log.wire](), HeardTurn(found.__setitem__)
    documents, is_stream = documents_of(answer, content_type)
    for document in documents:
        for event in reader.event(document) if is_stream else reader.whole(document):
            heard.hear(event)
    return [
        KEPT_TURNS.blank(workspace_id=log.workspace_id, log_id=log.pk, key=key, state=kept.document())
        for key, kept in found.items()
    ]


def write(rows: Iterable[KeptTurn]) -> None:
    KEPT_TURNS.insert(rows, "leave")


def find(workspace: int, keys: Sequence[str]) -> dict[str, Kept]:
    """The newest of each key."""
    rows = KeptTurn.objects.filter(workspace=workspace, key__in=keys).order_by("pk")
    return {row.key: Kept.of(row.state) for row in rows}
