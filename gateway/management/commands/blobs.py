from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from gateway.faults import Away
from gateway.pictures import blobs


class Command(BaseCommand):
    help = "Copy all pictures from one store to another, such as file:///srv/loupe/blobs to s3://bucket/prefix, and compare them."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["move"])
        parser.add_argument("source", metavar="FROM", help="file:///folder, s3://…, gs://… or az://…")
        parser.add_argument("target", metavar="TO")

    def handle(self, *args: Any, action: str, source: str, target: str, **options: Any) -> None:
        try:
            copied = blobs.copy_all(blobs.at(source), blobs.at(target))
        except (ImproperlyConfigured, Away) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{copied.count:,} files were copied; what was there already stayed.")
        if copied.damaged:
            named = ", ".join(copied.damaged[:20])
            raise CommandError(
                f"{len(copied.damaged):,} files hold other bytes than their name says and were left behind: {named}"
            )
        self.stdout.write(
            "Set BLOB_STORE_URL to TO, start Loupe again, and run this once more for what came meanwhile."
        )
