"""Queries by name. Whatever belongs to a workspace is asked for through a verb that takes the workspace."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.utils import timezone

from gateway import ids

if TYPE_CHECKING:
    from gateway.index.tables import IndexBlock
    from gateway.models import ApiKey, Image, LogImage, RequestLog, VirtualKey, Workspace


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def for_user(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        return self.filter(memberships__user_id=user.pk)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def live(self) -> Self:
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at=None)


class VirtualKeyQuerySet(models.QuerySet["VirtualKey"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def live(self) -> Self:
        return self.filter(revoked_at=None)


class RequestLogQuerySet(models.QuerySet["RequestLog"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def before(self, log_id: uuid.UUID | None) -> Self:
        return self.filter(id__lt=log_id) if log_id else self

    def since(self, at: datetime | None) -> Self:
        """Begun at that time or later: ids sort by their milliseconds."""
        return self.filter(id__gte=ids.first_of(at)) if at else self

    def until(self, at: datetime | None) -> Self:
        return self.filter(id__lt=ids.first_of(at)) if at else self

    def with_list_images(self, most: int) -> Self:
        """The first pictures of each row in each direction, and the names its line shows, in one query each."""
        from gateway.models import LogImage

        images = LogImage.objects.filter(index__lt=most).select_related("image").order_by("direction", "index")
        return self.select_related("virtual_key", "api_key").prefetch_related(models.Prefetch("images", images))


class IndexBlockQuerySet(models.QuerySet["IndexBlock"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def in_order(self) -> Self:
        return self.order_by("first")


class ImageQuerySet(models.QuerySet["Image"]):
    def without_thumbnail(self) -> Self:
        return self.filter(thumbnail="pending").order_by("created_at")

    def look_alikes(self, hash: str, bits: int = 6, most: int = 2000) -> list[str]:
        """The hashes (sha256) of pictures whose perceptual hash differs in at most `bits` of 64 bits.

        Of pictures that differ in 3 bits or less one quarter of the hash is equal, so none of these is missed.
        """
        quarters = [hash[n : n + 4] for n in range(0, 16, 4)]
        some = models.Q(*((f"hash_{n}", quarter) for n, quarter in enumerate(quarters, 1)), _connector=models.Q.OR)
        near = self.filter(some).values_list("sha256", "perceptual_hash")[:most]
        return [sha256 for sha256, other in near if (int(hash, 16) ^ int(other, 16)).bit_count() <= bits]


class LogImageQuerySet(models.QuerySet["LogImage"]):
    def of_log(self, workspace: Workspace, log_id: uuid.UUID) -> Self:
        return self.filter(workspace=workspace, log_id=log_id).select_related("image")

    def to_snapshot(self) -> Self:
        return self.filter(snapshot="pending").order_by("id")
