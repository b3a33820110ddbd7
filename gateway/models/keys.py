"""Workspaces, the people in them, gateway keys and virtual keys. What belongs to a workspace is asked for through a verb that takes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def for_user(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        return self.filter(memberships__user_id=user.pk)


class Workspace(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner"
        EDITOR = "editor"
        VIEWER = "viewer"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_each")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} ({self.role})"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> Self:
        return self.filter(used_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A link that makes one person a member, once. Only its hash is kept."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=Membership.Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"invitation to {self.workspace} as {self.role}"


class Identity(models.Model):
    """How an OpenID Connect provider names an account, for ever."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_account_each")]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class LoginLink(models.Model):
    """A link that logs one person in, once. Only its hash is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"login link of {self.user}"


class RevisionQuerySet(models.QuerySet["Revision"]):
    def bump(self) -> None:
        self.get_or_create(pk=1)
        self.filter(pk=1).update(number=models.F("number") + 1)


class Revision(models.Model):
    """One row that counts changes to keys; the gateway's memory polls it and reloads when it moved."""

    number = models.BigIntegerField(default=0)

    objects = RevisionQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.number)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def live(self) -> Self:
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at=None)


class ApiKey(models.Model):
    """A gateway key. The key itself is shown once; kept is a keyed hash of it. An inner one is Loupe's own, for a moment.

    No `allowed_models` are all models; no `allowed_virtual_keys` (slugs) are all, and providers' keys that calls bring with them.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    last_four = models.CharField(max_length=4)
    scopes = models.JSONField(default=list)
    allowed_models = models.JSONField(default=list, db_default=[])
    allowed_virtual_keys = models.JSONField(default=list, db_default=[])
    made_by = models.CharField(max_length=200, blank=True, db_default="")
    is_inner = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def only(self) -> str:
        """What it may call, in words; empty for everything."""
        return ", ".join([*(f"@{slug}" for slug in self.allowed_virtual_keys), *self.allowed_models])


class VirtualKeyQuerySet(models.QuerySet["VirtualKey"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def live(self) -> Self:
        return self.filter(revoked_at=None)


class VirtualKey(models.Model):
    """A provider's credential under a slug. `sealed_secret` opens only for this row and this origin."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="virtual_keys")
    slug = models.SlugField(max_length=64)
    provider = models.CharField(max_length=40)
    base_url = models.URLField(max_length=500, blank=True)
    sealed_secret = models.TextField(blank=True)
    last_four = models.CharField(max_length=4, blank=True)
    settings = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = VirtualKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "slug"],
                condition=models.Q(revoked_at=None),
                name="one_live_virtual_key_a_slug",
            )
        ]

    def __str__(self) -> str:
        return f"@{self.slug}"


class LoginTriesQuerySet(models.QuerySet["LoginTries"]):
    def one_more(self, key: str, seconds: int) -> int:
        """How many there are with this one, since the first within so many seconds; many at once count as many."""
        now = timezone.now()
        with transaction.atomic():
            row, _ = self.select_for_update().get_or_create(
                key=key, defaults={"ends_at": now + timedelta(seconds=seconds)}
            )
            if row.ends_at <= now:
                row.count, row.ends_at = 0, now + timedelta(seconds=seconds)
            row.count += 1
            row.save()
        return row.count

    def take_one_back(self) -> None:
        self.filter(count__gt=0).update(count=F("count") - 1)

    def forget_old(self) -> None:
        self.filter(ends_at__lte=timezone.now()).delete()


class LoginTries(models.Model):
    """Tries of a password until `ends_at`: of a name, or of an address; the key is a hash of it."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField()

    objects = LoginTriesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "login tries"

    def __str__(self) -> str:
        return f"{self.count} tries until {self.ends_at}"
