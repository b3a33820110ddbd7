"""Pictures kept for themselves, not for a log: those of prompt templates and of their variables."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from django.core.exceptions import ValidationError

from gateway.content.cutting import Find
from gateway.content.sniff import DRAWN, sniff
from gateway.models import Image, LogImage, Workspace
from gateway.pictures import blobs
from gateway.pictures.log_images import image_row
from prompts.models import PromptPicture

TAKEN = DRAWN | {"image/tiff", "image/heic"}


def keep(*, workspace: Workspace, data: bytes) -> Image:
    """Store a picture; once, however often it is given. Raises ValidationError for what is no picture."""
    sniffed = sniff(data)
    if sniffed is None or sniffed.media_type not in TAKEN:
        kind = sniffed.media_type if sniffed else "not a file that Loupe knows"
        raise ValidationError(f"This is no picture that a model takes: it is {kind}. PNG, JPEG, WebP and GIF are.")
    sha256 = hashlib.sha256(data).hexdigest()
    image = image_row(Find(0, data, sniffed, "", cut=False, sha256=sha256))
    with blobs.keeping({sha256: data}):
        Image.objects.bulk_create([image], ignore_conflicts=True)
        Image.objects.filter(pk=sha256).came_again()
        PromptPicture.objects.get_or_create(workspace=workspace, sha256=sha256)
    return Image.objects.get(pk=sha256)


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find(workspace: int, sha256: str) -> Image | None:
    """A picture that this workspace has: uploaded, or seen in one of its logs."""
    seen = LogImage.objects.filter(workspace=workspace, image=sha256)
    if not PromptPicture.objects.filter(workspace=workspace, sha256=sha256).exists() and not seen.exists():
        return None
    return Image.objects.filter(pk=sha256).first()


def data_url(workspace: int, sha256: str) -> str:
    """Raises LookupError when the workspace has no such picture."""
    image = find(workspace, sha256)
    if image is None:
        raise LookupError(sha256)
    try:
        return f"data:{image.media_type};base64,{base64.b64encode(blobs.get(sha256)).decode()}"
    except blobs.BlobMissing:
        raise LookupError(sha256) from None
