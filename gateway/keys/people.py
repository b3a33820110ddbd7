"""Writes to workspaces, the people in them, and the links that log them in."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http import parse_cookie
from django.utils import timezone

from gateway.keys import vault
from gateway.models import LoginLink, Membership, Revision, VirtualKey, Workspace

LOGIN_LINK_LIFE = timedelta(hours=12)


@transaction.atomic
def create_workspace(*, slug: str, name: str) -> Workspace:
    workspace, _ = Workspace.objects.get_or_create(slug=slug, defaults={"name": name})
    if not VirtualKey.objects.of(workspace).live().filter(slug="sandbox").exists():
        VirtualKey.objects.create(workspace=workspace, slug="sandbox", provider="sandbox")
    Revision.objects.bump()
    return workspace


@transaction.atomic
def create_owner(*, workspace: Workspace, username: str) -> User:
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
