from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.processes.database_move import CannotMove, move
from gateway.processes.setup import prepare


class Command(BaseCommand):
    help = "Move everything from the SQLite of the data folder to an empty PostgreSQL, while Loupe is stopped."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["move"])
        parser.add_argument("url", help="postgresql://user:password@host/name")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        prepare()
        total = 0
        try:
            for table, count in move(url):
                total += count
                if count:
                    self.stdout.write(f"{count:>12,}  {table}")
        except CannotMove as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{total:,} rows are moved. Start Loupe with this DATABASE_URL and the same LOUPE_DATA: journal, pictures and secrets "
            "stay there. Words are found again as the worker cuts them; loupe.sqlite3 is as it was."
        )
