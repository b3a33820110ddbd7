"""What is noted of a request's pictures once the answer is known: what the gateway fetched, and what they cost in tokens."""

from __future__ import annotations

from django.utils import timezone

from gateway.content.openai_fields import Usage
from gateway.models import Image, LogImage, RequestLog
from gateway.pictures import image_tokens


def note_inlined(asked: list[LogImage], inlined: dict[str, str], images: dict[str, Image]) -> None:
    """A link that the gateway opened itself: the copy of the log is what the provider got."""
    for row in asked:
        for position, sha256 in inlined.items():
            if sha256 in images and (row.position == position or row.position.startswith(f"{position}.")):
                row.image, row.snapshot, row.snapshot_at = images[sha256], LogImage.Snapshot.KEPT, timezone.now()
                row.inlined = True


def note_image_tokens(row: RequestLog, asked: list[LogImage], images: dict[str, Image], usage: Usage) -> None:
    """Our estimate of each picture, and whether the provider's own count says otherwise."""
    asked = [one for one in asked if one.source != LogImage.Source.TEXT and one.is_picture]
    for one in asked:
        image = images.get(one.image_id or "")
        if image and image.width and image.height and image.media_type.startswith("image/"):
            one.tokens = image_tokens.estimate(row.answer_model or row.model, image.width, image.height, one.detail)
    known = [one.tokens for one in asked if one.tokens is not None]
    if not known or len(known) < len(asked):
        return
    row.image_tokens = sum(known)
    counted = usage.image_in
    if counted is not None:
        row.tokens_disagree = abs(counted - row.image_tokens) > max(2, row.image_tokens // 50)
    elif row.prompt_tokens is not None:
        row.tokens_disagree = row.prompt_tokens < row.image_tokens
