from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from gateway.keys.people import OWNER, create_login_link, create_owner
from gateway.models import Membership, Workspace
from gateway.processes.setup import find_workspace

HERE = "http://127.0.0.1:8787"


class Command(BaseCommand):
    help = "Print a link that logs one person in, once, within 12 hours."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", nargs="?", default="admin")
        parser.add_argument("--workspace", default="default")
        parser.add_argument("--base", default=HERE, help="the address of this Loupe")

    def handle(self, *args: Any, username: str, workspace: str, base: str, **options: Any) -> None:
        user = _found(find_workspace(workspace), username)
        self.stdout.write(link_for(user, base))


def link_for(user: User, base: str) -> str:
    return base.rstrip("/") + reverse("login-link", args=[create_login_link(user=user)])


def _found(workspace: Workspace, username: str) -> User:
    """A workspace that has no owner yet gets one; nobody else is made here."""
    members = Membership.objects.filter(workspace=workspace)
    if not members.filter(role=OWNER).exists():
        return create_owner(workspace=workspace, username=username)
    found = User.objects.filter(memberships__in=members, username=username).first()
    if found is None:
        raise CommandError(
            f"There is no {username!r} in {workspace.slug}. Add them first: "
            f"python manage.py people add {username} --role editor --workspace {workspace.slug}"
        )
    return found
