from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from gateway.index.search import Window
from gateway.keys.audit import COMMAND
from gateway.processes.setup import find_workspace
from gateway.retention import deletions


class Command(BaseCommand):
    help = "Delete logs for good: everything that a search in the language of the log browser finds."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["delete"])
        parser.add_argument(
            "query", help="such as 'metadata._user:ada', 'picture:<sha256>', 'until:2026-01-01', or '*' for all"
        )
        parser.add_argument("--workspace", default="default")
        parser.add_argument("--dry-run", action="store_true", help="only count them")
        parser.add_argument("--yes", action="store_true", help="do not ask for the count first")

    def handle(
        self, *args: Any, action: str, query: str, workspace: str, dry_run: bool, yes: bool, **options: Any
    ) -> None:
        if not query.strip():
            raise CommandError("Say what to delete; '*' is every log of the workspace.")
        owner, query = find_workspace(workspace), "" if query.strip() == "*" else query
        try:
            count = deletions.counted(owner, query, Window())
            if dry_run:
                self.stdout.write(f"{count} logs would be deleted.")
                return
            if not yes and input(f"{count} logs will be deleted for good. Type {count.number} to do it: ") != str(
                count.number
            ):
                raise CommandError("Nothing was deleted.")
            row = deletions.finish(deletions.begin(workspace=owner, query=query, actor=COMMAND))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"{row.deleted:,} logs are deleted.")
