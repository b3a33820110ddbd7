"""What stays and what goes: rules, logs that are kept, what waits to be removed, and what was."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway import ids
from gateway.models.keys import ApiKey, Workspace
from gateway.models.logs import RequestLog

PICTURES_DAYS, BODIES_DAYS, FIGURES_DAYS = 30, 90, 730


class Part(models.TextChoices):
    """Of a log, in the order in which they go."""

    PICTURES = "pictures", "pictures and files"
    BODIES = "bodies", "requests and answers"
    FIGURES = "figures", "figures"


class RetentionRuleQuerySet(models.QuerySet["RetentionRule"]):
    def look_again_at(self, workspace_id: int, log_id: uuid.UUID) -> None:
        """This log and those after it may have come after their age was seen to."""
        before = uuid.UUID(int=log_id.int - 1)
        rules = self.filter(workspace=workspace_id)
        rules.filter(pictures_upto__gte=log_id).update(pictures_upto=before)
        rules.filter(bodies_upto__gte=log_id).update(bodies_upto=before)


class RetentionRule(models.Model):
    """How many days a workspace keeps each part of its logs; None is for ever.

    `pictures_upto` and `bodies_upto` are the logs up to which that part has been seen to.
    """

    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="retention")
    pictures_days = models.PositiveIntegerField(null=True, default=PICTURES_DAYS)
    bodies_days = models.PositiveIntegerField(null=True, default=BODIES_DAYS)
    figures_days = models.PositiveIntegerField(null=True, default=FIGURES_DAYS)
    pictures_upto = models.UUIDField(default=uuid.UUID(int=0))
    bodies_upto = models.UUIDField(default=uuid.UUID(int=0))

    objects = RetentionRuleQuerySet.as_manager()

    def __str__(self) -> str:
        return f"what {self.workspace} keeps"

    def days(self, part: Part) -> int | None:
        found: int | None = getattr(self, f"{part}_days")
        return found

    def cutoff(self, part: Part) -> uuid.UUID | None:
        """Logs with a smaller id have kept this part for long enough."""
        days = self.days(part)
        return None if days is None else ids.first_of(timezone.now() - timedelta(days=days))


class KeptLog(models.Model):
    """A log that somebody wants to stay whole, whatever the rules say."""

    log = models.OneToOneField(RequestLog, models.CASCADE, primary_key=True, related_name="kept")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.log_id} is kept"


class PictureToGo(models.Model):
    """A file that may have lost its last log, or whose time is over: its bytes go when that is so still."""

    sha256 = models.CharField(max_length=64, primary_key=True)

    def __str__(self) -> str:
        return self.sha256


class Tombstone(models.Model):
    """A log that somebody deleted: a journal that still holds it does not bring it back."""

    log_id = models.UUIDField(primary_key=True)
    deleted_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.log_id} is deleted"


class RemovalQuerySet(models.QuerySet["Removal"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def newest_first(self) -> Self:
        return self.order_by("-day", "part")


class Removal(models.Model):
    """What was removed on one day, of one part, for one reason. `bytes` are of the bodies and files that went."""

    class Reason(models.TextChoices):
        AGE = "age", "older than the rule"
        SIZE = "size", "too much in all"
        ASKED = "asked", "deleted"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="removals")
    day = models.DateField()
    part = models.CharField(max_length=10, choices=Part.choices)
    reason = models.CharField(max_length=5, choices=Reason.choices)
    count = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)

    objects = RemovalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "day", "part", "reason"], name="one_removal_a_day_and_reason")
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.part} on {self.day}"


class DeletionQuerySet(models.QuerySet["Deletion"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def waiting(self) -> Self:
        return self.filter(finished_at=None).order_by("created_at")


class Deletion(models.Model):
    """Everything that a search finds, begun before `created_at`, on its way out. `before` is how far it has come."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="deletions")
    query = models.CharField(max_length=3000, blank=True)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    before = models.UUIDField(null=True)
    deleted = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = DeletionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"deletion of {self.query or 'everything'}"

    @property
    def is_running(self) -> bool:
        return self.finished_at is None


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def newest_first(self) -> Self:
        return self.order_by("-pk")

    def naming(self, text: str) -> Self:
        """Where any of an entry's words holds this text."""
        return self.filter(Q(who__icontains=text) | Q(action__icontains=text) | Q(what__icontains=text))

    def before(self, pk: int | None) -> Self:
        return self if pk is None else self.filter(pk__lt=pk)


class AuditEntry(models.Model):
    """Who did what, when. No rule removes it; `who` stays when the person or the key is gone."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="audit")
    at = models.DateTimeField(auto_now_add=True)
    who = models.CharField(max_length=200)
    action = models.CharField(max_length=40)
    what = models.CharField(max_length=3000, blank=True)
    count = models.PositiveBigIntegerField(null=True)

    objects = AuditQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.who}: {self.action} {self.what}"
