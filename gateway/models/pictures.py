"""Files by the hash of their bytes."""

from __future__ import annotations

from typing import Self

from django.db import models

from gateway.models.many_rows import Table


class ImageQuerySet(models.QuerySet["Image"]):
    def without_thumbnail(self) -> Self:
        return self.filter(thumbnail="pending").order_by("created_at")

    def came_again(self) -> None:
        """Their bytes were removed, and are there now."""
        removed = self.exclude(removed_at=None)
        removed.update(removed_at=None, thumbnail=Image.Thumbnail.PENDING, thumbnail_problem="")

    def with_bytes(self) -> Self:
        return self.filter(removed_at=None)

    def look_alikes(self, hash: str, bits: int = 6, most: int = 2000) -> list[str]:
        """The hashes (sha256) of pictures whose perceptual hash differs in at most `bits` of 64 bits.

        Of pictures that differ in 3 bits or less one quarter of the hash is equal, so none of these is missed.
        """
        quarters = [hash[n : n + 4] for n in range(0, 16, 4)]
        some = models.Q(*((f"hash_{n}", quarter) for n, quarter in enumerate(quarters, 1)), _connector=models.Q.OR)
        near = self.filter(some).values_list("sha256", "perceptual_hash")[:most]
        return [sha256 for sha256, other in near if (int(hash, 16) ^ int(other, 16)).bit_count() <= bits]


class Image(models.Model):
    """One distinct file, by the hash of its bytes. Its bytes are in the blob store under that hash.

    `colour_mode` is Pillow's (RGB, CMYK, L …); what a decoder must find out is None until it has looked. Since `removed_at`
    its bytes are gone, as a rule of retention wants it, and what is known of it stays.
    """

    class Thumbnail(models.TextChoices):
        PENDING = "pending"
        MADE = "made"
        FAILED = "failed"
        NONE = "none", "not drawn"

    sha256 = models.CharField(max_length=64, primary_key=True)
    media_type = models.CharField(max_length=60)
    size = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    orientation = models.PositiveSmallIntegerField(null=True)
    frames = models.PositiveIntegerField(null=True)
    has_alpha = models.BooleanField(null=True)
    has_gps = models.BooleanField(null=True)
    blank = models.BooleanField(null=True)
    truncated = models.BooleanField(null=True)
    colour_mode = models.CharField(max_length=10, blank=True)
    perceptual_hash = models.CharField(max_length=16, blank=True)
    hash_1 = models.CharField(max_length=4, blank=True, editable=False)
    hash_2 = models.CharField(max_length=4, blank=True, editable=False)
    hash_3 = models.CharField(max_length=4, blank=True, editable=False)
    hash_4 = models.CharField(max_length=4, blank=True, editable=False)
    thumbnail = models.CharField(max_length=8, choices=Thumbnail.choices, default=Thumbnail.PENDING)
    thumbnail_problem = models.CharField(max_length=100, blank=True)
    removed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ImageQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["thumbnail"], condition=models.Q(thumbnail="pending"), name="thumbnail_to_make"),
            *(models.Index(fields=[f"hash_{n}"], name=f"look_alike_{n}") for n in (1, 2, 3, 4)),
        ]

    def __str__(self) -> str:
        return f"sha256:{self.sha256[:12]}"

    def note_hash(self, hash: str) -> None:
        """Keep a perceptual hash, whole and in quarters: pictures that look alike share at least one (`look_alikes`)."""
        self.perceptual_hash = hash
        self.hash_1, self.hash_2, self.hash_3, self.hash_4 = (hash[n : n + 4] for n in range(0, 16, 4))

    @property
    def drawn(self) -> bool:
        return self.thumbnail in (self.Thumbnail.MADE, self.Thumbnail.PENDING)

    @property
    def stands_upright(self) -> bool:
        """Whether it is as wide as its header says: EXIF orientations from 5 on lay it on its side."""
        return bool(self.width) and (self.orientation or 1) < 5

    @property
    def is_turned(self) -> bool:
        """Whether EXIF asks to show it otherwise than it is stored."""
        return (self.orientation or 1) > 1

    @property
    def is_large(self) -> bool:
        """Whether the thumbnail of 1,024 pixels shows less of it than a large screen could."""
        return bool(self.width and self.height) and max(self.width or 0, self.height or 0) > 1024

    @property
    def dimensions(self) -> str:
        return f"{self.width} × {self.height}" if self.width else "unknown size"

    @property
    def label(self) -> str:
        """A short name of the type: JPEG, PDF, SVG."""
        return self.media_type.rpartition("/")[2].removesuffix("+xml").removeprefix("x-").upper()


IMAGES = Table(Image, unique=["sha256"])
