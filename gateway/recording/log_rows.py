"""The rows that requests become, and their writing: a batch in one transaction, its files before that."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from gateway.content.cutting import Cutting
from gateway.index import blocks, full_text
from gateway.index.facets import Entry
from gateway.models import (
    IMAGES,
    LOG_IMAGES,
    LOGS,
    PAYLOADS,
    SPANS_TO_SEND,
    ApiKey,
    Image,
    KeptTurn,
    LogImage,
    Payload,
    PictureToGo,
    RequestLog,
    RetentionRule,
    SpanToSend,
    Tombstone,
    VirtualKey,
    engine,
)
from gateway.pictures import blobs
from gateway.pictures.log_images import image_row
from gateway.recording import kept_turns

KEY_USE_SECONDS = 5
LATE = timedelta(days=1)  # the shortest age at which a rule removes anything
FETCHED = ["image_id", "snapshot", "snapshot_at", "tokens", "inlined"]


@dataclass(slots=True)
class Rows:
    """What one flow becomes in the database, and the bytes of its files by their hash."""

    log: RequestLog
    payload: Payload | None = None
    images: dict[str, Image] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    log_images: list[LogImage] = field(default_factory=list)
    texts: full_text.Texts | None = None
    kept_turns: list[KeptTurn] = field(default_factory=list)

    def keep_files(self, *bodies: Cutting) -> None:
        """Take in every file of the bodies."""
        for find in (find for body in bodies for find in body.finds if find.data):
            if find.sha256 not in self.images:
                self.images[find.sha256], self.files[find.sha256] = image_row(find), find.data


def write(rows: Sequence[Rows], *, final: bool) -> None:
    """Only the final word on a request replaces what is there; of what somebody has deleted meanwhile nothing is written."""
    files = {sha256: data for row in rows for sha256, data in row.files.items()}
    with blobs.keeping(files):
        rows = _not_deleted(rows)
        certain = _certain(rows)
        _write_images({key: image for row in rows for key, image in row.images.items()})
        LOGS.insert((row.log for row in rows), "replace" if final else "leave")
        PAYLOADS.insert((row.payload for row in rows if row.payload), "replace" if final else "leave")
        _write_log_images([one for row in rows for one in row.log_images], final=final)
        if final:
            _note_key_use(row.log for row in rows)
            full_text.write(row.texts for row in rows if row.texts)
            kept_turns.write(one for row in rows for one in row.kept_turns)
            _queue_for_collector(rows)
            _tell_retention(rows)
        _queue_for_index(rows, certain)


def _not_deleted(rows: Sequence[Rows]) -> Sequence[Rows]:
    engine.share(engine.LOGS)  # a deletion comes before this look or after these rows, never in between
    deleted = set(Tombstone.objects.filter(pk__in=[row.log.pk for row in rows]).values_list("pk", flat=True))
    if not deleted:
        return rows
    files = {sha256 for row in rows if row.log.pk in deleted for sha256 in row.files}
    PictureToGo.objects.bulk_create([PictureToGo(sha256=one) for one in files], ignore_conflicts=True)
    return [row for row in rows if row.log.pk not in deleted]


def _write_images(images: dict[str, Image]) -> None:
    if images:
        IMAGES.insert(images.values(), "leave")
        Image.objects.filter(pk__in=images).came_again()


def _certain(rows: Sequence[Rows]) -> set[uuid.UUID]:
    """Of which logs we know, before they are written, all facets that the database will hold.

    Not of those with files, into which nobody has looked yet; of those that ended before, and may have been priced or
    rated since; and of those that were announced with links, which may have been copied since.
    """
    there = dict(RequestLog.objects.filter(pk__in=[row.log.pk for row in rows]).values_list("pk", "state"))
    new = {row.log.pk for row in rows if not row.images and row.log.pk not in there}
    begun = {row.log.pk for row in rows if there.get(row.log.pk) == RequestLog.State.IN_FLIGHT and not row.log_images}
    return new | begun


def _queue_for_index(rows: Sequence[Rows], certain: set[uuid.UUID]) -> None:
    known = [row for row in rows if row.log.pk in certain]
    api_keys = ApiKey.objects.in_bulk({row.log.api_key_id for row in known})
    virtual_keys = VirtualKey.objects.in_bulk({row.log.virtual_key_id for row in known})
    for row in known:
        row.log.api_key = api_keys.get(row.log.api_key_id)
        row.log.virtual_key = virtual_keys.get(row.log.virtual_key_id)
    blocks.queue_as_written(Entry(row.log, row.log_images) for row in known)
    blocks.queue((row.log.pk, row.log.workspace_id) for row in rows if row.log.pk not in certain)


def _tell_retention(rows: Sequence[Rows]) -> None:
    """A journal that lay somewhere for days holds logs that are older than what was removed last."""
    late = timezone.now() - LATE
    oldest: dict[int, uuid.UUID] = {}
    for row in (row.log for row in rows if row.log.started_at < late):
        oldest[row.workspace_id] = min(row.pk, oldest.get(row.workspace_id, row.pk))
    for workspace, log_id in oldest.items():
        RetentionRule.objects.look_again_at(workspace, log_id)


def _queue_for_collector(rows: Sequence[Rows]) -> None:
    if settings.OTEL_TRACES_URL:
        SPANS_TO_SEND.insert((SpanToSend(log_id=row.log.pk) for row in rows), "leave")


def _write_log_images(images: Sequence[LogImage], *, final: bool) -> None:
    """A row that was announced does not know yet what the gateway fetched for it; a copy taken since stays as it is."""
    LOG_IMAGES.insert((one for one in images if final and one.snapshot_at), "replace", only=FETCHED)
    LOG_IMAGES.insert((one for one in images if not (final and one.snapshot_at)), "leave")


def _note_key_use(logs: Iterable[RequestLog]) -> None:
    last: dict[int, datetime] = {}
    for row in logs:
        if row.api_key_id is not None:
            last[row.api_key_id] = max(row.started_at, last.get(row.api_key_id, row.started_at))
    stale = timezone.now() - timedelta(seconds=KEY_USE_SECONDS)
    for key, at in last.items():
        ApiKey.objects.filter(pk=key).exclude(last_used_at__gt=stale).update(last_used_at=at)
