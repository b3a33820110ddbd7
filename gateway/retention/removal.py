"""Takes logs apart, or away: pictures, bodies, the whole. Each step is one transaction; the bytes of files go after it.

A file goes in two steps: what may have to go is noted with what removes its last log, and is looked at again, alone with all files,
when its bytes are removed. So a step that is killed leaves at most a note, and no row without its file.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.db.models.functions import Length
from django.utils import timezone

from gateway.index import blocks, full_text
from gateway.models import (
    Image,
    KeptTurn,
    LogImage,
    Payload,
    PictureToGo,
    RequestLog,
    Workspace,
    engine,
)
from gateway.pictures import blobs
from prompts.models import PromptPicture

FILES_AT_ONCE = 100
BODIES = ("request_body", "sent_body", "response_body")


@dataclass(frozen=True, slots=True)
class Removed:
    """How many logs or files lost something, and how many bytes that was."""

    count: int = 0
    bytes: int = 0


@transaction.atomic
def remove_logs(workspace: Workspace, log_ids: Sequence[uuid.UUID]) -> Removed:
    """Everything of these logs: rows, words, index, and what no other log shows."""
    logs = RequestLog.objects.of(workspace).filter(pk__in=log_ids)
    there = list(logs.values_list("pk", flat=True))
    size = _size_of_bodies(there)
    _note_files(LogImage.objects.filter(log__in=there))
    full_text.remove(there)
    blocks.remove(workspace, there)
    RequestLog.objects.filter(pk__in=there).delete()
    _remove_quarantined(there)
    return Removed(len(there), size)


@transaction.atomic
def remove_bodies(workspace: Workspace, log_ids: Sequence[uuid.UUID]) -> Removed:
    """What was asked and answered, in every form; who asked what model when, and what it cost, stays."""
    there = list(Payload.objects.filter(log__workspace=workspace, log__in=log_ids).values_list("pk", flat=True))
    size = _size_of_bodies(there)
    full_text.remove(there)
    KeptTurn.objects.filter(log__in=there).delete()
    Payload.objects.filter(pk__in=there).delete()
    RequestLog.objects.filter(pk__in=there).update(prompt_preview="", answer_preview="")
    _remove_quarantined(there)
    return Removed(len(there), size)


@transaction.atomic
def remove_pictures(sha256s: Collection[str]) -> Removed:
    """The bytes of these files; their rows say since when."""
    images = Image.objects.filter(pk__in=sha256s).with_bytes()
    size = images.aggregate(size=Sum("size"))["size"] or 0
    now = timezone.now()
    count = images.update(
        removed_at=now,
        thumbnail=Image.Thumbnail.NONE,
        thumbnail_problem=f"removed on {now:%Y-%m-%d}, as the workspace's rule says",
    )
    note_files(sha256s)
    return Removed(count, size)


def forget_copies() -> None:
    """What is removed goes from this machine's cache, too, whichever machine removed it."""
    for some in blobs.copied(FILES_AT_ONCE):
        needed = set(Image.objects.filter(pk__in=some).with_bytes().values_list("pk", flat=True))
        blobs.forget_copies(set(some) - needed)


def collect_files() -> bool:
    """Remove the bytes of some files that were noted and that nothing needs; whether there are more."""
    noted = list(PictureToGo.objects.values_list("pk", flat=True)[:FILES_AT_ONCE])
    if not noted:
        return False
    with transaction.atomic():
        engine.be_alone(engine.FILES)
        unneeded = Image.objects.filter(pk__in=noted).exclude(Exists(_shown())).exclude(Exists(_of_prompts()))
        orphans = set(unneeded.values_list("pk", flat=True))
        removed = set(Image.objects.filter(pk__in=noted).exclude(removed_at=None).values_list("pk", flat=True))
        rowless = set(noted) - set(Image.objects.filter(pk__in=noted).values_list("pk", flat=True))
        Image.objects.filter(pk__in=orphans).delete()
        blobs.remove(orphans | removed | rowless)
        PictureToGo.objects.filter(pk__in=noted).delete()
    return len(noted) == FILES_AT_ONCE


def _shown() -> QuerySet[LogImage]:
    return LogImage.objects.filter(image=OuterRef("pk")).order_by()


def _of_prompts() -> QuerySet[PromptPicture]:
    return PromptPicture.objects.filter(sha256=OuterRef("pk"))


def _note_files(shown: QuerySet[LogImage]) -> None:
    note_files(shown.exclude(image=None).order_by().values_list("image_id", flat=True).distinct())


def note_files(sha256s: Iterable[str | None]) -> None:
    """These may have to go; `collect_files` looks whether anything needs them."""
    PictureToGo.objects.bulk_create((PictureToGo(sha256=one) for one in sha256s if one), ignore_conflicts=True)


def _size_of_bodies(log_ids: Sequence[uuid.UUID]) -> int:
    sizes = Payload.objects.filter(pk__in=log_ids).aggregate(**{name: Sum(Length(name)) for name in BODIES})
    return sum(size or 0 for size in sizes.values())


def _remove_quarantined(log_ids: Iterable[uuid.UUID]) -> None:
    if settings.QUARANTINE_ROOT.exists():
        for id in log_ids:
            for path in settings.QUARANTINE_ROOT.glob(f"{id}.*"):
                path.unlink(missing_ok=True)
