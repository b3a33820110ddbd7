"""Thumbnails: made by the worker after a log is written, and on demand when one is looked at before that."""

from __future__ import annotations

import logging

from gateway.faults import one_by_one
from gateway.index import blocks
from gateway.models import Image
from gateway.pictures import blobs
from gateway.pictures.decoder import DecodeFailed, Decoder

log = logging.getLogger(__name__)

AT_ONCE = 32


def step(decoder: Decoder) -> bool:
    """Make some that are missing; answers whether there was anything to do."""
    waiting = list(Image.objects.without_thumbnail()[:AT_ONCE])
    one_by_one(waiting, lambda image: make(image, decoder), _put_aside)
    if waiting:
        blocks.queue_showing(image.sha256 for image in waiting)
    return bool(waiting)


def _put_aside(image: Image, reason: str) -> None:
    Image.objects.filter(pk=image.pk).update(thumbnail=Image.Thumbnail.FAILED, thumbnail_problem=reason)


def make(image: Image, decoder: Decoder) -> None:
    """Decode once, keep both sizes and what was seen; or keep the reason why not. Never tried twice."""
    try:
        seen = decoder.thumbnails(blobs.get(image.sha256))
    except (DecodeFailed, blobs.BlobMissing) as error:
        problem = str(error) if isinstance(error, DecodeFailed) else "blob_missing"
        image.thumbnail, image.thumbnail_problem = Image.Thumbnail.FAILED, problem
        image.save(update_fields=["thumbnail", "thumbnail_problem"])
        log.info("no thumbnail of %s: %s", image, problem)
        return
    for size, data in zip(blobs.THUMBNAIL_SIZES, seen.thumbnails, strict=True):
        blobs.put_thumbnail(image.sha256, size, data)
    image.width, image.height = seen.width, seen.height
    image.orientation, image.frames, image.has_alpha = seen.orientation, seen.frames, seen.has_alpha
    image.has_gps, image.blank, image.truncated = seen.has_gps, seen.blank, seen.truncated
    image.colour_mode = seen.colour_mode
    image.note_hash(seen.perceptual_hash)
    image.thumbnail, image.thumbnail_problem = Image.Thumbnail.MADE, "image_truncated" if seen.truncated else ""
    image.save()


def found_or_made(image: Image, size: int, decoder: Decoder) -> bytes:
    """A thumbnail's WebP.

    Raises:
        blobs.BlobMissing: there is none and none can be made; the image's row says why.
    """
    if image.thumbnail == Image.Thumbnail.PENDING:
        make(image, decoder)
        blocks.queue_showing([image.sha256])
    return blobs.get_thumbnail(image.sha256, size)
