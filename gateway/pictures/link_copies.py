"""Copies of linked pictures: fetched once, off the request's path, so that the log shows them when the link is dead."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from gateway.content.cutting import Find
from gateway.content.sniff import sniff
from gateway.faults import one_by_one
from gateway.index import blocks
from gateway.models import Image, LogImage
from gateway.network.fetch import Fetcher, FetchFailed
from gateway.pictures import blobs
from gateway.pictures.log_images import image_row

log = logging.getLogger(__name__)

AT_ONCE = 16
FRESH = timedelta(minutes=10)


def step(fetcher: Fetcher) -> bool:
    """Fetch some that are waiting; answers whether there was anything to do."""
    waiting = list(LogImage.objects.to_snapshot()[:AT_ONCE])
    by_place: dict[tuple[int, str], list[LogImage]] = {}
    for log_image in waiting:
        by_place.setdefault((log_image.workspace_id, log_image.url), []).append(log_image)
    one_by_one(
        by_place.items(),
        lambda place: _take(*place[0], place[1], fetcher),
        lambda place, reason: _settle(place[1], reason=reason),
    )
    return bool(waiting)


def _take(workspace: int, url: str, log_images: Sequence[LogImage], fetcher: Fetcher) -> None:
    """One link: the copy of the last minutes if there is one, else a fetch."""
    recent = LogImage.objects.filter(
        workspace_id=workspace,
        url=url,
        snapshot=LogImage.Snapshot.KEPT,
        snapshot_at__gt=timezone.now() - FRESH,
    ).first()
    if recent is not None:
        _settle(log_images, image_id=recent.image_id)
        return
    try:
        data = fetcher.get(url)
    except FetchFailed as error:
        _settle(log_images, reason=str(error))
        return
    sniffed = sniff(data)
    if sniffed is None:
        _settle(log_images, reason="what the link gives is not an image")
        return
    digest = hashlib.sha256(data).hexdigest()
    blobs.put(digest, data)
    try:
        with transaction.atomic():
            row = image_row(Find(0, data, sniffed, "", cut=False, sha256=digest))
            Image.objects.bulk_create([row], ignore_conflicts=True)
            _settle(log_images, image_id=digest)
    except (DataError, IntegrityError) as error:
        log.warning("the copy of a link was not taken by the database: %s", error)
        _settle(log_images, reason="the copy could not be stored")


def _settle(log_images: Sequence[LogImage], *, image_id: str | None = None, reason: str = "") -> None:
    snapshot = LogImage.Snapshot.KEPT if image_id else LogImage.Snapshot.FAILED
    LogImage.objects.filter(pk__in=[one.pk for one in log_images]).update(
        image_id=image_id, snapshot=snapshot, snapshot_reason=reason[:200], snapshot_at=timezone.now()
    )
    blocks.queue({(one.log_id, one.workspace_id) for one in log_images})
