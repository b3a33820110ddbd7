"""Takes logs apart as they grow old, a few at a time: first their pictures, then their bodies, then all of them.

By age, as each workspace's rule says; and by size, when all that is kept takes more than it may: then the oldest goes, whatever the rules.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from gateway import ids, metrics
from gateway.models import Image, LogImage, Part, Removal, RequestLog, RetentionRule, Workspace, engine
from gateway.retention import removal, rules
from gateway.retention.removal import Removed

AT_ONCE = 500
MEASURE_SECONDS = 300
YOUNGEST = timedelta(hours=1)  # by size nothing younger goes: before that the disk's reserve stops the gateway
SHARE = 0.8


def step() -> bool:
    """Remove some of what a rule does not keep; answers whether there may be more."""
    busy = False
    for workspace in Workspace.objects.order_by("pk"):
        rule = rules.rule_of(workspace)
        for part in rules.RULED:
            cutoff = rule.cutoff(part)
            busy = (cutoff is not None and age(workspace, part, cutoff, Removal.Reason.AGE)) or busy
    return busy


def age(workspace: Workspace, part: Part, cutoff: uuid.UUID, reason: Removal.Reason) -> bool:
    """Remove this part of the oldest logs that have it and are older than the cutoff; whether there may be more."""
    with transaction.atomic():
        found = _next(workspace, part, cutoff)
        removed = _REMOVE[part](workspace, found) if found else Removed()
        note(workspace, part, reason, removed)
    removal.collect_files()
    return bool(found)


def _next(workspace: Workspace, part: Part, cutoff: uuid.UUID) -> list[uuid.UUID]:
    logs = rules.unkept(RequestLog.objects.of(workspace).filter(pk__lt=cutoff)).order_by("pk")
    if part != Part.FIGURES:
        logs = logs.filter(pk__gt=getattr(rules.rule_of(workspace), f"{part}_upto"))
    return list(logs.select_for_update(of=("self",)).values_list("pk", flat=True)[:AT_ONCE])


def _remove_pictures(workspace: Workspace, log_ids: Sequence[uuid.UUID]) -> Removed:
    shown = LogImage.objects.filter(log__in=log_ids, image__removed_at=None).exclude(image=None).order_by()
    _seen_to(workspace, Part.PICTURES, log_ids)
    seen_to = RetentionRule.objects.values_list("workspace", "pictures_upto")
    hashes = [one for one in shown.values_list("image", flat=True).distinct() if one]
    return removal.remove_pictures(rules.unneeded(hashes, seen_to))


def _remove_bodies(workspace: Workspace, log_ids: Sequence[uuid.UUID]) -> Removed:
    _seen_to(workspace, Part.BODIES, log_ids)
    return removal.remove_bodies(workspace, log_ids)


def _seen_to(workspace: Workspace, part: Part, log_ids: Sequence[uuid.UUID]) -> None:
    RetentionRule.objects.filter(workspace=workspace).update(**{f"{part}_upto": log_ids[-1]})


_REMOVE = {Part.PICTURES: _remove_pictures, Part.BODIES: _remove_bodies, Part.FIGURES: removal.remove_logs}


def note(workspace: Workspace, part: Part, reason: Removal.Reason, removed: Removed) -> None:
    """Add to what was removed today."""
    if not removed.count:
        return
    today = timezone.now().date()
    row, _ = Removal.objects.get_or_create(workspace=workspace, day=today, part=part, reason=reason)
    metrics.REMOVED.labels(str(part), str(reason)).inc(removed.count)
    metrics.REMOVED_BYTES.labels(str(part), str(reason)).inc(removed.bytes)
    Removal.objects.filter(pk=row.pk).update(count=F("count") + removed.count, bytes=F("bytes") + removed.bytes)


class SizeBound:
    """Holds all that is kept to a number of bytes. It is measured every five minutes, or after every step while it is too much."""

    def __init__(self) -> None:
        self.look_at = 0.0

    def step(self) -> bool:
        """Remove some of the oldest if there is too much; answers whether that is so."""
        if time.monotonic() < self.look_at:
            return False
        kept = bytes_kept()
        if kept > bound(kept) and _age_oldest():
            return True
        self.look_at = time.monotonic() + MEASURE_SECONDS
        return False


def bound(kept: int) -> int:
    """`LOUPE_KEEP_GB`; else four fifths of what is kept and what is free."""
    given: int = settings.KEEP_BYTES
    return given or int(SHARE * (kept + shutil.disk_usage(settings.LOUPE_DATA).free))


def bytes_kept() -> int:
    """Of the database and of the files that logs show; thumbnails, a tenth of these, are left out."""
    files: int = Image.objects.all().with_bytes().aggregate(size=Sum("size"))["size"] or 0
    return engine.bytes_used() + files


def _age_oldest() -> bool:
    """The oldest pictures of all workspaces, if there are none the oldest bodies, else the oldest logs."""
    youngest = ids.first_of(timezone.now() - YOUNGEST)
    for part in rules.RULED:
        with transaction.atomic():
            oldest = {found[0]: one for one in Workspace.objects.all() if (found := _next(one, part, youngest))}
        if oldest:
            return age(oldest[min(oldest)], part, youngest, Removal.Reason.SIZE)
    return False
