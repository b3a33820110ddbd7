"""Copies of linked pictures: fetched once, off the request's path, so that the log shows them when the link is dead."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import zip_longest

from django.utils import timezone

from gateway.content.cutting import Find
from gateway.content.sniff import sniff
from gateway.faults import one_by_one
from gateway.index import blocks
from gateway.models import Image, LogImage
from gateway.network.fetch import Fetcher, FetchFailed
from gateway.pictures import blobs
from gateway.pictures.log_images import image_row
from gateway.shares import Shares

AT_ONCE, WAIT_SECONDS = 16, 0.2
FRESH = timedelta(minutes=10)
Place = tuple[int, str]


class LinkCopies:
    """Fetches several links at once; workspaces share the places, so that slow hosts of one hold up no other's."""

    def __init__(self, fetcher: Callable[[], Fetcher]) -> None:
        self.fetcher = fetcher
        self.threads = ThreadPoolExecutor(AT_ONCE, "links")
        self.places = Shares(AT_ONCE)
        self.under_way: dict[Place, Future[bytes]] = {}

    def step(self) -> bool:
        """Begin fetches where there is room, keep what has come; answers whether there was anything to do."""
        waiting = _waiting()
        for place in waiting:
            if place not in self.under_way and self.places.take(1, place[0]):
                self.under_way[place] = self.threads.submit(self._fetch, place)
        if not self.under_way:
            return bool(waiting)
        done = wait(self.under_way.values(), WAIT_SECONDS, FIRST_COMPLETED).done
        ended = [place for place, one in self.under_way.items() if one in done]
        one_by_one(ended, self._end, _put_aside)
        return True

    def _fetch(self, place: Place) -> bytes:
        return self.fetcher().get(place[1])

    def _end(self, place: Place) -> None:
        fetched = self.under_way.pop(place)
        self.places.give_back(1, place[0])
        try:
            _keep(place, fetched.result())
        except FetchFailed as error:
            _settle(place, reason=str(error))

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)


def _waiting() -> list[Place]:
    """The oldest links, those of each workspace in turn. What was copied a moment ago is settled without a fetch."""
    turns: list[list[Place]] = []
    pending = LogImage.objects.to_snapshot()
    for workspace in pending.order_by().values_list("workspace", flat=True).distinct():
        urls = pending.filter(workspace=workspace).values_list("url", flat=True)[: 4 * AT_ONCE]
        places = [(workspace, url) for url in dict.fromkeys(urls)]
        turns.append([place for place in places if not _copied_already(place)])
    return [place for turn in zip_longest(*turns) for place in turn if place is not None]


def _copied_already(place: Place) -> bool:
    workspace, url = place
    fresh = LogImage.objects.filter(snapshot=LogImage.Snapshot.KEPT, snapshot_at__gt=timezone.now() - FRESH)
    recent = fresh.filter(workspace=workspace, url=url).first()
    if recent is not None:
        _settle(place, image_id=recent.image_id)
    return recent is not None


def _keep(place: Place, data: bytes) -> None:
    sniffed = sniff(data)
    if sniffed is None:
        _settle(place, reason="what the link gives is not an image")
        return
    digest = hashlib.sha256(data).hexdigest()
    row = image_row(Find(0, data, sniffed, "", cut=False, sha256=digest))
    with blobs.keeping({digest: data}):
        Image.objects.bulk_create([row], ignore_conflicts=True)
        Image.objects.filter(pk=digest).came_again()
        _settle(place, image_id=digest)


def _put_aside(place: Place, reason: str) -> None:
    _settle(place, reason=reason)


def _settle(place: Place, *, image_id: str | None = None, reason: str = "") -> None:
    """Note what came of a link in all logs that wait for it."""
    workspace, url = place
    waiting = list(LogImage.objects.to_snapshot().filter(workspace=workspace, url=url))
    snapshot = LogImage.Snapshot.KEPT if image_id else LogImage.Snapshot.FAILED
    LogImage.objects.filter(pk__in=[one.pk for one in waiting]).update(
        image_id=image_id, snapshot=snapshot, snapshot_reason=reason[:200], snapshot_at=timezone.now()
    )
    blocks.queue({(one.log_id, one.workspace_id) for one in waiting})
