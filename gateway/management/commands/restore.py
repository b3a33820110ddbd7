from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from gateway.faults import Away
from gateway.processes.backup import CannotBackUp, restore
from gateway.processes.setup import check_folder, prepare


class Command(BaseCommand):
    help = "Bring back what `backup` copied, into a database and a folder without anything in them."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="URL", help="where `backup` copied it to")
        parser.add_argument("--snapshot", default="", help="which one, as `backup` named it; the newest otherwise")

    def handle(self, *args: Any, url: str, snapshot: str, **options: Any) -> None:
        check_folder(settings.LOUPE_DATA)
        try:
            brought = restore(url, snapshot)
        except (CannotBackUp, Away, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        prepare()
        self.stdout.write(f"{brought.name} and {brought.pictures.count:,} pictures are back.")
