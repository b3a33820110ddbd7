"""What somebody deletes: some logs at once, or, step by step, all that a search finds. It does not come back, from no journal."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from gateway import ids
from gateway.faults import Away
from gateway.index import full_text
from gateway.index.search import Page, Search, Window
from gateway.index.search_language import BadQuery, SearchQuery, Words, parse
from gateway.keys import audit
from gateway.keys.audit import Actor
from gateway.models import Deletion, Part, Removal, RequestLog, Tombstone, Workspace, engine
from gateway.recording import journal
from gateway.retention import removal
from gateway.retention.ageing import note

AT_ONCE = 500
MOST_AT_ONCE = 1000
NO_FILTER = 'There is no filter such as {0}. If the text is meant, write "{0}", in quotes.'


def delete(*, workspace: Workspace, log_ids: Sequence[uuid.UUID], actor: Actor) -> int:
    """Delete these logs now; how many of them there were. Raises ValidationError when they are too many for now."""
    if len(log_ids) > MOST_AT_ONCE:
        raise ValidationError(f"Up to {MOST_AT_ONCE:,} logs can be named at once; say by a search which others.")
    count = sum(_delete(workspace, log_ids[at : at + AT_ONCE]) for at in range(0, len(log_ids), AT_ONCE))
    named = ", ".join(str(id) for id in log_ids[:10]) + (", …" if len(log_ids) > 10 else "")
    audit.note(workspace=workspace, actor=actor, action="logs deleted", what=named, count=count)
    with contextlib.suppress(Away):  # the worker goes on with it
        removal.collect_files()
    _ask_to_write_over()
    return count


def begin(
    *,
    workspace: Workspace,
    query: str,
    actor: Actor,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Deletion:
    """Have everything deleted that a search finds now; the worker goes on with it. Raises ValidationError."""
    checked(query)
    with transaction.atomic():
        row = Deletion.objects.create(
            workspace=workspace,
            query=query,
            since=since,
            until=until,
            user_id=actor.user_id,
            api_key_id=actor.api_key_id,
            before=ids.first_of(timezone.now()),
        )
        audit.note(workspace=workspace, actor=actor, action="deletion begun", what=query or "everything")
    return row


class Count(NamedTuple):
    """How many logs a deletion would find now. Of a text only the newest matches are counted; more may go."""

    number: int
    is_at_least: bool

    def __str__(self) -> str:
        return f"{self.number:,}{' or more' if self.is_at_least else ''}"


def counted(workspace: Workspace, query: str, window: Window) -> Count:
    """Raises ValidationError."""
    search = Search(workspace, checked(query), window)
    return Count(search.count(), search.is_capped)


def step() -> bool:
    """Go on with the oldest deletion that is not done; answers whether there is one."""
    row = Deletion.objects.waiting().select_related("workspace").first()
    if row is None:
        return False
    page = _page(row)
    with transaction.atomic():
        gone = _delete(row.workspace, page.ids)
        Deletion.objects.filter(pk=row.pk).update(before=page.next or row.before, deleted=F("deleted") + gone)
    if page.next is None:
        _finish(row)
    with contextlib.suppress(Away):
        removal.collect_files()
    return True


def finish(row: Deletion) -> Deletion:
    """Go on with this one until it is done."""
    while row.finished_at is None:
        step()
        row.refresh_from_db()
    while removal.collect_files():
        pass
    return row


def _page(row: Deletion) -> Page:
    search = Search(row.workspace, checked(row.query), Window(row.since, row.until))
    return search.page(row.before, AT_ONCE)


def _finish(row: Deletion) -> None:
    if not Deletion.objects.filter(pk=row.pk, finished_at=None).update(finished_at=timezone.now()):
        return  # somebody else went on with it, too
    row.refresh_from_db()
    who = row.user.get_username() if row.user else row.api_key.name if row.api_key else audit.COMMAND.who
    what = row.query or "everything"
    audit.note(workspace=row.workspace, actor=Actor(who), action="deletion done", what=what, count=row.deleted)
    _ask_to_write_over()


@transaction.atomic
def _delete(workspace: Workspace, log_ids: Sequence[uuid.UUID]) -> int:
    engine.be_alone(engine.LOGS)
    there = list(RequestLog.objects.of(workspace).filter(pk__in=log_ids).values_list("pk", flat=True))
    Tombstone.objects.bulk_create([Tombstone(log_id=id) for id in there], ignore_conflicts=True)
    removed = removal.remove_logs(workspace, there)
    note(workspace, Part.FIGURES, Removal.Reason.ASKED, removed)
    return removed.count


def _ask_to_write_over() -> None:
    """Let nothing of it stand where nobody looks: in the journals, in the index of words, in what SQLite keeps of old pages."""
    journal.ask_for_new_segments(settings.JOURNAL_ROOT)
    _asked().touch()


def write_over() -> bool:
    """Write over some of what was deleted, where that was asked for; answers whether there is more."""
    asked = _asked()
    if not asked.exists():
        return False
    when = asked.stat().st_mtime_ns
    if full_text.write_over():
        return True
    if engine.write_over() and asked.stat().st_mtime_ns == when:
        asked.unlink()
    return False


def _asked() -> Path:
    path: Path = settings.LOUPE_DATA / "to-write-over"
    return path


def checked(query: str) -> SearchQuery:
    """What is asked for. A slip finds other logs than were meant, which does no harm in a list. Raises ValidationError."""
    try:
        asked = parse(query)
    except BadQuery as error:
        raise ValidationError(str(error)) from None
    slips = [*asked.hints, *(NO_FILTER.format(word.text) for word in asked.words if _is_like_a_filter(word))]
    if slips:
        raise ValidationError([f"Nothing was deleted. {slip}" for slip in slips])
    return asked


def _is_like_a_filter(word: Words) -> bool:
    return ":" in word.text and not word.is_phrase
