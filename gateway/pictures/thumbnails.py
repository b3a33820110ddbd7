"""Thumbnails: small ones made by the worker after a log is written, or when one is looked at before that; larger ones when
they are looked at.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Protocol

from django.db import transaction
from django.utils import timezone

from gateway import metrics
from gateway.faults import one_by_one, together
from gateway.index import blocks
from gateway.models import IMAGES, Image, LogImage, PictureToGo, engine
from gateway.pictures import blobs
from gateway.pictures.decoder import BUSY, SECONDS, TOO_LONG, DecodeFailed, Decoder, Seen
from gateway.shares import Shares

log = logging.getLogger(__name__)

CHILDREN, LOOKED_AT, WAIT_SECONDS = 2, 512, 0.2
# Workers of several machines share what waits by the first digits of the hashes; each claims some heaps of it, a moment's work.
HEAPS, ENOUGH = 64, 64
LOOK_SECONDS = 1.0
TOGETHER, KEEP_SECONDS = 32, 0.3
FIRST_TRY_SECONDS = 1.0
PATIENCE = timedelta(minutes=10)  # a slow picture waits no longer for quick ones


class Claims(Protocol):
    """Heaps that are ours until we let go of them, or are gone. Raises django.db.OperationalError when the database is away."""

    def take(self, heap: int) -> bool: ...

    def let_go(self, heap: int) -> None: ...


class Thumbnails:
    """Makes those that are missing, a few at a time.

    Workspaces share the children, whoever took less of their time comes first, and a picture that was not done within a
    second waits until no other does: so slow pictures hold up the slow. Where other machines draw too, it draws what it claims.
    """

    def __init__(
        self, decoder: Decoder | None = None, *, children: int = CHILDREN, claims: Claims | None = None
    ) -> None:
        self.decoder, self.at_once = decoder or Decoder(children), children
        self.claims, self.claimed = claims, set[int]()
        self.threads = ThreadPoolExecutor(children, "thumbnails")
        self.children = Shares(children)
        self.under_way: dict[Image, tuple[int, Future[tuple[Seen, float]]]] = {}
        self.queue: list[tuple[Image, int]] = []
        self.drawn: dict[Image, Seen] = {}
        self.look_at = self.keep_at = 0.0
        self.spent: Counter[int] = Counter()
        self.slow: set[str] = set()

    def step(self) -> bool:
        """Begin where there is room, keep what is done; answers whether there was anything to do."""
        if not (self.queue or self.under_way) or time.monotonic() >= self.look_at:
            self.queue = self._waiting()
            self.look_at = time.monotonic() + LOOK_SECONDS
        if len(self.under_way) < self.at_once:
            self.queue = [
                (image, workspace) for image, workspace in self.queue if not self._has_begun(image, workspace)
            ]
        if not (self.under_way or self.drawn):
            return False
        done = wait([one for _, one in self.under_way.values()], WAIT_SECONDS, FIRST_COMPLETED).done
        ended = [image for image, (_, one) in self.under_way.items() if one in done]
        one_by_one(ended, self._end, _put_aside)
        blocks.queue_showing(image.sha256 for image in ended if image not in self.drawn)
        self._keep_drawn()
        return True

    def _keep_drawn(self) -> None:
        """Some together, for one transaction and one wait for the disk, but none late."""
        is_last = not (self.under_way or self.queue)
        if self.drawn and (is_last or len(self.drawn) >= TOGETHER or time.monotonic() >= self.keep_at):
            together(list(self.drawn.items()), _keep, lambda pair, reason: _put_aside(pair[0], reason))
            blocks.queue_showing(image.sha256 for image in self.drawn)
            self.drawn.clear()

    def _has_begun(self, image: Image, workspace: int) -> bool:
        """Begin it, if a child is free for its workspace."""
        if image in self.under_way or image in self.drawn:
            return True
        if not self.children.take(1, workspace):
            return False
        seconds = SECONDS if image.sha256 in self.slow else FIRST_TRY_SECONDS
        self.under_way[image] = workspace, self.threads.submit(self._seen, image.sha256, seconds)
        return True

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.decoder.close()

    def _waiting(self) -> list[tuple[Image, int]]:
        images = list(Image.objects.without_thumbnail()[:LOOKED_AT])
        if self.claims is not None:
            images = self._claimed(images, self.claims)
        shown = LogImage.objects.filter(image__in=images).order_by().values_list("image", "workspace")
        owners = dict(shown)
        late = timezone.now() - PATIENCE

        def turn(image: Image) -> tuple[bool, int]:
            is_slow = image.sha256 in self.slow and image.created_at > late
            return is_slow, self.spent[owners.get(image.sha256, 0)]

        return [(image, owners.get(image.sha256, 0)) for image in sorted(images, key=turn)]

    def _claimed(self, images: list[Image], claims: Claims) -> list[Image]:
        """Those that no other worker has; heaps that we are done with go back first."""
        busy = {_heap(image) for image in (*self.under_way, *self.drawn)}
        for heap in self.claimed - busy:
            self.claimed.discard(heap)
            claims.let_go(heap)
        sizes = Counter(map(_heap, images))
        found = sum(sizes[heap] for heap in self.claimed)
        others = sorted(sizes.keys() - self.claimed)
        for heap in random.sample(others, k=len(others)):
            if found >= ENOUGH:
                break
            if claims.take(heap):
                self.claimed.add(heap)
                found += sizes[heap]
        mine = [image.pk for image in images if _heap(image) in self.claimed]
        # Looked at again: what another worker had when it was looked at first may be done by the time that its heap is ours.
        return list(Image.objects.without_thumbnail().filter(pk__in=mine))

    def _seen(self, sha256: str, seconds: float) -> tuple[Seen, float]:
        began = time.monotonic()
        seen = self.decoder.thumbnail(blobs.get(sha256), seconds=seconds)
        return seen, time.monotonic() - began

    def _end(self, image: Image) -> None:
        workspace, done = self.under_way.pop(image)
        self.children.give_back(1, workspace)
        try:
            seen, seconds = done.result()
            self.spent[workspace] += round(seconds * 1000)
            if not self.drawn:
                self.keep_at = time.monotonic() + KEEP_SECONDS
            self.drawn[image] = seen
        except (DecodeFailed, blobs.BlobMissing) as error:
            if str(error) == TOO_LONG and image.sha256 not in self.slow:
                self.slow.add(image.sha256)
                self.spent[workspace] += round(FIRST_TRY_SECONDS * 1000)
                return
            _fail(image, error)
        self.slow.discard(image.sha256)


def _heap(image: Image) -> int:
    return int(image.sha256[:4], 16) % HEAPS


def make(image: Image, decoder: Decoder) -> None:
    """Decode once, keep the thumbnail and what was seen; or keep the reason why not. Never tried twice, if it was tried."""
    try:
        _keep([(image, decoder.thumbnail(blobs.get(image.sha256)))])
    except (DecodeFailed, blobs.BlobMissing) as error:
        if str(error) != BUSY:
            _fail(image, error)


def _fail(image: Image, error: Exception) -> None:
    problem = str(error) if isinstance(error, DecodeFailed) else "blob_missing"
    image.thumbnail, image.thumbnail_problem = Image.Thumbnail.FAILED, problem
    image.save(update_fields=["thumbnail", "thumbnail_problem"])
    metrics.THUMBNAILS.labels("failed").inc()
    log.info("no thumbnail of %s: %s", image, problem)


def _put_aside(image: Image, reason: str) -> None:
    Image.objects.filter(pk=image.pk).update(thumbnail=Image.Thumbnail.FAILED, thumbnail_problem=reason)


def _keep(drawn: Sequence[tuple[Image, Seen]]) -> None:
    blobs.put_thumbnails({(image.sha256, blobs.SMALL): seen.thumbnail for image, seen in drawn})
    for image, seen in drawn:
        _note(image, seen)
    with transaction.atomic():
        engine.share(engine.FILES)
        kept = set(
            Image.objects.filter(pk__in=[image.pk for image, _ in drawn]).with_bytes().values_list("pk", flat=True)
        )
        IMAGES.insert([image for image, _ in drawn if image.pk in kept], "replace")
        removed = [PictureToGo(sha256=image.pk) for image, _ in drawn if image.pk not in kept]
        PictureToGo.objects.bulk_create(removed, ignore_conflicts=True)
    metrics.THUMBNAILS.labels("made").inc(len(drawn))


def _note(image: Image, seen: Seen) -> None:
    image.width, image.height = seen.width, seen.height
    image.orientation, image.frames, image.has_alpha = seen.orientation, seen.frames, seen.has_alpha
    image.has_gps, image.blank, image.truncated = seen.has_gps, seen.blank, seen.truncated
    image.colour_mode = seen.colour_mode
    image.note_hash(seen.perceptual_hash)
    image.thumbnail, image.thumbnail_problem = Image.Thumbnail.MADE, "image_truncated" if seen.truncated else ""


def found_or_made(image: Image, size: int, decoder: Decoder) -> bytes:
    """A thumbnail's WebP.

    Raises:
        blobs.BlobMissing: there is none and none can be made, or not now; the image's row says why.
    """
    if image.thumbnail == Image.Thumbnail.PENDING:
        make(image, decoder)
        blocks.queue_showing([image.sha256])
    if size != blobs.SMALL and image.thumbnail == Image.Thumbnail.MADE:
        return _large(image, size, decoder)
    return blobs.get_thumbnail(image.sha256, size)


def _large(image: Image, size: int, decoder: Decoder) -> bytes:
    try:
        return blobs.get_thumbnail(image.sha256, size)
    except blobs.BlobMissing:
        with contextlib.suppress(DecodeFailed):  # it was decoded before, so the children have too much to do
            made = decoder.large_thumbnail(blobs.get(image.sha256), size)
            blobs.put_thumbnails({(image.sha256, size): made})
            return made
        raise
