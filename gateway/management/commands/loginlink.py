from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.urls import reverse

from gateway.keys.people import create_login_link, create_owner
from gateway.processes.setup import find_workspace


class Command(BaseCommand):
    help = (
        "Print a link that logs one person in, once, within 12 hours. Makes the person when there is none of that name."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", nargs="?", default="admin")
        parser.add_argument("--workspace", default="default")
        parser.add_argument("--base", default="http://127.0.0.1:8787", help="the address of this Loupe")

    def handle(self, *args: Any, username: str, workspace: str, base: str, **options: Any) -> None:
        user = create_owner(workspace=find_workspace(workspace), username=username)
        self.stdout.write(base.rstrip("/") + reverse("login-link", args=[create_login_link(user=user)]))
