from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from gateway.keys import people
from gateway.keys.audit import COMMAND
from gateway.management.commands.loginlink import HERE, link_for
from gateway.models import Membership, Workspace
from gateway.processes.setup import find_workspace


class Command(BaseCommand):
    help = "Add somebody to a workspace (prints a link that logs them in, once), change a role, remove somebody, or list who is there."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["add", "role", "remove", "list"])
        parser.add_argument("username", nargs="?", default="")
        parser.add_argument("--role", choices=Membership.Role.values, default=Membership.Role.VIEWER)
        parser.add_argument("--workspace", default="default")
        parser.add_argument(
            "--base", default=HERE, help="the address of this Loupe, for the login link of whoever is added"
        )

    def handle(
        self, *args: Any, action: str, username: str, role: str, workspace: str, base: str, **options: Any
    ) -> None:
        owner = find_workspace(workspace)
        try:
            if action == "list":
                for one in Membership.objects.filter(workspace=owner).select_related("user").order_by("user__username"):
                    self.stdout.write(f"{one.user}\t{one.role}\t{one.user.last_login or 'never'}")
            elif action == "add":
                added = people.add_person(workspace=owner, username=username, role=Membership.Role(role), actor=COMMAND)
                self.stdout.write(link_for(added.user, base))
            elif action == "role":
                people.set_role(membership=_found(owner, username), role=Membership.Role(role), actor=COMMAND)
            else:
                people.remove_person(membership=_found(owner, username), actor=COMMAND)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None


def _found(workspace: Workspace, username: str) -> Membership:
    found = Membership.objects.filter(workspace=workspace, user__username=username).select_related("user").first()
    if found is None:
        raise CommandError(f"There is no {username!r} in {workspace}. `people list` says who is.")
    return found
