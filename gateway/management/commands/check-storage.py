from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.processes.setup import prepare
from gateway.retention import checking


class Command(BaseCommand):
    help = (
        "Check that all that is kept fits together: files and rows, references both ways, index and words against logs."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="make good what can be made good")
        parser.add_argument("--hashes", action="store_true", help="read every file, too, and compare it with its hash")

        parser.add_argument("--even-so", action="store_true", help="repair even where most files or rows are strangers")

    def handle(self, *args: Any, repair: bool, hashes: bool, even_so: bool, **options: Any) -> None:
        prepare()
        if repair and not even_so:
            try:
                checking.check_ours()
            except checking.NotOurs as error:
                raise CommandError(str(error)) from None
        count = 0
        for finding in checking.check(repair=repair, hashes=hashes):
            count += 1
            self.stdout.write(f"{finding.what}{f': {finding.cure}' if repair else ''}")
        if not count:
            self.stdout.write("Everything fits together.")
        elif not repair:
            raise CommandError(f"{count:,} findings. --repair makes good what can be made good.")
        else:
            self.stdout.write(f"{count:,} findings, made good as it says.")
