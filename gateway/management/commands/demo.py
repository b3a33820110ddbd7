from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.demo import logs
from gateway.processes.setup import find_workspace


class Command(BaseCommand):
    help = "Write sample logs with drawn pictures, or remove them."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--logs", type=int, default=2000, metavar="N", help="how many; up to millions")
        parser.add_argument("--clear", action="store_true", help="remove all sample logs")
        parser.add_argument("--workspace", default="default")

    def handle(self, *args: Any, clear: bool, workspace: str, **options: Any) -> None:
        found = find_workspace(workspace)
        if clear:
            self.stdout.write(f"{logs.clear(found):,} sample logs removed.")
            return
        count = options["logs"]
        if not 1 <= count <= 100_000_000:
            raise CommandError(f"--logs must be a number from 1 to 100,000,000, not {count}.")
        for done in logs.write(found, count):
            if done % 50_000 == 0:
                self.stderr.write(f"{done:,} of {count:,}")
        self.stdout.write(f"{count:,} sample logs written. Remove them with: python manage.py demo --clear")
