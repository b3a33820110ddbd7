from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from gateway.faults import Away
from gateway.processes.backup import CannotBackUp, back_up
from gateway.processes.setup import prepare


class Command(BaseCommand):
    help = "Copy database and pictures to a folder or an object store, while Loupe runs; pictures only as far as they are new."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="URL", help="file:///folder, s3://bucket/prefix, gs://… or az://…")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        prepare()
        try:
            made = back_up(url)
        except (CannotBackUp, Away, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{made.name}, and {made.pictures.count:,} pictures that were new. Keep the encryption keys elsewhere."
        )
        if made.pictures.damaged:
            raise CommandError(f"Left out, since they are damaged: {', '.join(made.pictures.damaged[:20])}")
