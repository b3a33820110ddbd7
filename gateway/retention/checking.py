"""Looks whether all that is kept fits together: files and rows, references both ways, index and words against logs."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from gateway.index import blocks, full_text
from gateway.index.bitmaps import Ids
from gateway.models import (
    Image,
    LogImage,
    LogText,
    Payload,
    PictureToGo,
    RequestLog,
    Tombstone,
    Unindexed,
    Workspace,
)
from gateway.models.index import IndexBlock
from gateway.pictures import blobs
from gateway.retention import removal
from prompts.models import PromptPicture

AT_ONCE = 1000
YOUNGER = timedelta(hours=1)
FEW = 20  # of which most may well be damaged


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit, and what repairing did about it."""

    what: str
    cure: str


class NotOurs(Exception):
    """Database and store hardly know each other: one of them is likely another's, and repairing would empty it."""


def check_ours() -> None:
    """By a first look at either. Raises NotOurs."""
    files = next(iter(blobs.stored(AT_ONCE)), [])
    unknown = len(set(files) - _known(files))
    rows = next(_in_pieces(Image.objects.all().with_bytes()), [])
    missing = len(rows) - len(blobs.exist(rows))
    for count, of, what in ((unknown, files, "files belong to nothing"), (missing, rows, "pictures have no file")):
        if len(of) >= FEW and count > len(of) / 2:
            raise NotOurs(
                f"{count:,} of the first {len(of):,} {what} here: are DATABASE_URL, BLOB_STORE_URL and LOUPE_DATA those of the "
                "same Loupe? Repairing would remove what belongs to the other one. If they are, add --even-so."
            )


def check(*, repair: bool, hashes: bool) -> Iterator[Finding]:
    """Everything that does not fit. With `hashes` every file is read; that takes as long as the disk does.

    What is written meanwhile is left alone: a file or a log of the last hour counts for none of it.
    """
    for look in (_rows_without_files, _files_without_rows, _unneeded_files, _deleted_logs, _unindexed, _words):
        yield from look(repair=repair)
    if hashes:
        yield from _damaged_files(repair=repair)


def _rows_without_files(*, repair: bool) -> Iterator[Finding]:
    noted = Exists(PictureToGo.objects.filter(pk=OuterRef("pk")))
    for some in _in_pieces(Image.objects.all().with_bytes().exclude(noted)):
        there = blobs.exist(some)
        missing = [sha256 for sha256 in some if sha256 not in there]
        if repair:
            Image.objects.filter(pk__in=missing).update(thumbnail="failed", thumbnail_problem="blob_missing")
        for sha256 in missing:
            yield Finding(f"the file {sha256} is missing, which logs or prompts show", "its row says so")


def _files_without_rows(*, repair: bool) -> Iterator[Finding]:
    for some in blobs.stored(AT_ONCE):
        known = _known(some)
        stray = [sha256 for sha256 in some if sha256 not in known]
        if repair:
            removal.note_files(stray)
        for sha256 in stray:
            yield Finding(f"the file {sha256} belongs to nothing", "it is removed")
    while repair and removal.collect_files():
        pass


def _known(sha256s: list[str]) -> set[str]:
    """Which of these files have a row, or are on their way out."""
    known = set(Image.objects.filter(pk__in=sha256s).with_bytes().values_list("pk", flat=True))
    return known | set(PictureToGo.objects.filter(pk__in=sha256s).values_list("pk", flat=True))


def _unneeded_files(*, repair: bool) -> Iterator[Finding]:
    shown = Exists(LogImage.objects.filter(image=OuterRef("pk")).order_by())
    of_prompts = Exists(PromptPicture.objects.filter(sha256=OuterRef("pk")))
    noted = Exists(PictureToGo.objects.filter(pk=OuterRef("pk")))
    old = Image.objects.filter(created_at__lt=_settled_before())
    for some in _in_pieces(old.exclude(shown).exclude(of_prompts).exclude(noted)):
        if repair:
            removal.note_files(some)
        for sha256 in some:
            yield Finding(f"no log and no prompt shows {sha256}", "it is removed")
    while repair and removal.collect_files():
        pass


def _deleted_logs(*, repair: bool) -> Iterator[Finding]:
    deleted = Exists(Tombstone.objects.filter(pk=OuterRef("pk")))
    for workspace in Workspace.objects.all():
        back = list(RequestLog.objects.of(workspace).filter(deleted).values_list("pk", flat=True))
        if repair and back:
            removal.remove_logs(workspace, back)
        for id in back:
            yield Finding(f"the log {id} was deleted and is there again", "it is deleted")


def _unindexed(*, repair: bool) -> Iterator[Finding]:
    """Logs that have ended, do not wait for the index, and are not in it; and what is in it and is no log."""
    for workspace in Workspace.objects.all():
        for first, last in _stretches(workspace):
            missing, gone = _misfits(workspace, first, last)
            if missing or gone:  # the first look asks twice, and what came or went in between fits by the second
                missing, gone = (a & b for a, b in zip((missing, gone), _misfits(workspace, first, last), strict=True))
            if repair:
                blocks.queue((id, workspace.pk) for id in missing)
                blocks.remove(workspace, gone)
            for id in sorted(missing):
                yield Finding(f"the log {id} is not in the index", "it will be in seconds")
            for id in sorted(gone):
                yield Finding(f"the index holds {id}, and there is no such log", "it is forgotten")


def _stretches(workspace: Workspace) -> Iterator[tuple[uuid.UUID, uuid.UUID]]:
    """Of time, as long as blocks are now; they may be joined with others while they are looked at."""
    firsts = IndexBlock.objects.of(workspace).order_by("first").values_list("first", flat=True)[1:]
    return pairwise([uuid.UUID(int=0), *firsts, uuid.UUID(int=2**128 - 1)])


def _misfits(workspace: Workspace, first: uuid.UUID, last: uuid.UUID) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """Of a stretch, the logs that the index lacks, and what it holds and is no log."""
    covering = IndexBlock.objects.of(workspace).filter(last__gte=first, first__lt=last)
    held = {uuid.UUID(bytes=id) for ids in covering.values_list("ids", flat=True) for id in Ids(bytes(ids))}
    indexed = {id for id in held if first <= id < last}
    logs = RequestLog.objects.of(workspace).filter(pk__gte=first, pk__lt=last)
    there = set(logs.values_list("pk", flat=True))
    waiting = Exists(Unindexed.objects.filter(log=OuterRef("pk")))
    settled = logs.until(_settled_before()).exclude(state=RequestLog.State.IN_FLIGHT).exclude(waiting)
    return set(settled.values_list("pk", flat=True)) - indexed, indexed - there


def _words(*, repair: bool) -> Iterator[Finding]:
    logless = LogText.objects.exclude(Exists(Payload.objects.filter(pk=OuterRef("log_id"))))
    finished = ~Exists(RequestLog.objects.filter(pk=OuterRef("log_id"), state=RequestLog.State.IN_FLIGHT))
    for some in _in_pieces(logless.filter(finished)):
        ids = list(LogText.objects.filter(pk__in=some).values_list("log_id", flat=True))
        if repair:
            full_text.remove(ids)
        for id in ids:
            yield Finding(f"there are words of {id}, which has no bodies", "they are forgotten")


def _damaged_files(*, repair: bool) -> Iterator[Finding]:
    for some in _in_pieces(Image.objects.all().with_bytes()):
        for sha256 in sorted(blobs.exist(some)):
            if hashlib.sha256(blobs.get(sha256)).hexdigest() != sha256:
                if repair:
                    blobs.put_aside(sha256)
                    Image.objects.filter(pk=sha256).update(thumbnail="failed", thumbnail_problem="damaged")
                yield Finding(
                    f"the file {sha256} holds other bytes than its name says", "it is put aside, beside its place"
                )


def _in_pieces(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """The keys of rows, some at a time, each once, whatever becomes of the rows in between."""
    some = list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    while some:
        yield some
        some = list(rows.filter(pk__gt=some[-1]).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def _settled_before() -> datetime:
    return timezone.now() - YOUNGER
