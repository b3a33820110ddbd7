"""Writes to workspaces, the people in them, and the links that log them in."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import parse_cookie
from django.utils import timezone

from gateway.keys import audit, vault
from gateway.keys.audit import Actor
from gateway.models import Invitation, LoginLink, Membership, Revision, VirtualKey, Workspace

LOGIN_LINK_LIFE = timedelta(hours=12)
INVITATION_LIFE = timedelta(days=7)
OWNER = Membership.Role.OWNER


@transaction.atomic
def create_workspace(*, slug: str, name: str) -> Workspace:
    workspace, _ = Workspace.objects.get_or_create(slug=slug, defaults={"name": name})
    if not VirtualKey.objects.of(workspace).live().filter(slug="sandbox").exists():
        VirtualKey.objects.create(workspace=workspace, slug="sandbox", provider="sandbox")
    Revision.objects.bump()
    return workspace


@transaction.atomic
def create_owner(*, workspace: Workspace, username: str) -> User:
    """The first owner of a workspace, or the one of this name."""
    user, made = User.objects.get_or_create(username=username)
    if made:
        user.set_unusable_password()
        user.save()
    Membership.objects.get_or_create(workspace=workspace, user=user, defaults={"role": Membership.Role.OWNER})
    return user


def session_of(cookies: str) -> str:
    """The session of somebody who is logged in, from a Cookie header; empty for that of nobody."""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")
    return key if key and SESSION_KEY in SessionStore(session_key=key) else ""


def forget_old_sessions() -> None:
    """Django leaves those whose time is over where they are."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()


def create_login_link(*, user: User) -> str:
    """The token of a link that logs this person in, once, within 12 hours."""
    LoginLink.objects.filter(user_id=user.pk, used_at=None).delete()  # one link at a time
    token = secrets.token_urlsafe(32)
    LoginLink.objects.create(user_id=user.pk, digest=vault.digest(token), expires_at=timezone.now() + LOGIN_LINK_LIFE)
    return token


def use_login_link(*, token: str) -> User | None:
    """The person whose link it is; None when it is unknown, used or too old."""
    now = timezone.now()
    link = LoginLink.objects.filter(digest=vault.digest(token), used_at=None, expires_at__gt=now)
    user = User.objects.filter(loginlink__in=link, is_active=True).first()
    return user if user and link.update(used_at=now) else None


@transaction.atomic
def add_person(*, workspace: Workspace, username: str, role: Membership.Role, actor: Actor) -> Membership:
    """Make somebody a member, and an account for whoever has none. Raises ValidationError."""
    username = username.strip()
    User.username_validator(username)
    user, made = User.objects.get_or_create(username=username)
    if made:
        user.set_unusable_password()
        user.full_clean()
        user.save()
    if Membership.objects.filter(workspace=workspace, user=user).exists():
        raise ValidationError(f"{username} is a member of {workspace} already.")
    return join(workspace=workspace, user=user, role=role, actor=actor)


def join(*, workspace: Workspace, user: User, role: Membership.Role, actor: Actor) -> Membership:
    membership = Membership.objects.create(workspace=workspace, user=user, role=role)
    audit.note(workspace=workspace, actor=actor, action="person added", what=f"{user.get_username()} as {role}")
    return membership


@transaction.atomic
def set_role(*, membership: Membership, role: Membership.Role, actor: Actor) -> None:
    """Raises ValidationError when nobody would be left who may do this."""
    _check_owner_left(membership, role)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    what = f"{membership.user.get_username()} is {role}, was {membership.role}"
    audit.note(workspace=membership.workspace, actor=actor, action="role changed", what=what)


@transaction.atomic
def remove_person(*, membership: Membership, actor: Actor) -> None:
    """The account stays, for other workspaces. Raises ValidationError when no owner would be left."""
    _check_owner_left(membership, None)
    membership.delete()
    what = membership.user.get_username()
    audit.note(workspace=membership.workspace, actor=actor, action="person removed", what=what)


def _check_owner_left(membership: Membership, role: Membership.Role | None) -> None:
    owners = Membership.objects.select_for_update().filter(workspace=membership.workspace, role=OWNER)
    if role != OWNER and {one.pk for one in owners} == {membership.pk}:
        raise ValidationError("This is the last owner. Make somebody else an owner first.")


def invite(*, workspace: Workspace, role: Membership.Role, actor: Actor) -> str:
    """The token of a link that makes somebody a member, once, within seven days."""
    token = secrets.token_urlsafe(32)
    until = timezone.now() + INVITATION_LIFE
    Invitation.objects.create(
        workspace=workspace, role=role, digest=vault.digest(token), created_by_id=actor.user_id, expires_at=until
    )
    audit.note(workspace=workspace, actor=actor, action="invitation made", what=role)
    return token


def invitation_of(token: str) -> Invitation | None:
    """The one that this token opens; None when it is unknown, used or too old."""
    return Invitation.objects.open().select_related("workspace").filter(digest=vault.digest(token)).first()


@transaction.atomic
def accept(*, invitation: Invitation, user: User) -> Membership:
    """Raises ValidationError when somebody else was quicker, or who is a member already; then it can still be used."""
    if Membership.objects.filter(workspace=invitation.workspace, user=user).exists():
        raise ValidationError(f"You are a member of {invitation.workspace} already. An owner changes your role.")
    if not Invitation.objects.open().filter(pk=invitation.pk).update(used_at=timezone.now()):
        raise ValidationError("This invitation was used already, or is too old.")
    role = Membership.Role(invitation.role)
    return join(workspace=invitation.workspace, user=user, role=role, actor=Actor.person(user))
