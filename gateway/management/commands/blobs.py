from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from gateway.faults import Away
from gateway.pictures import blobs
from gateway.pictures.blobs import Store

AT_ONCE = 64
EVERY = -60.0  # seconds of age: those of this moment, too, whatever two clocks say


class Command(BaseCommand):
    help = "Copy all pictures from one store to another, such as file:///srv/loupe/blobs to s3://bucket/prefix, and compare them."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["move"])
        parser.add_argument("source", metavar="FROM", help="file:///folder, s3://…, gs://… or az://…")
        parser.add_argument("target", metavar="TO")

    def handle(self, *args: Any, action: str, source: str, target: str, **options: Any) -> None:
        try:
            copied, damaged = self._copy(blobs.at(source), blobs.at(target))
        except (ImproperlyConfigured, Away) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{copied:,} files were copied; what was there already stayed.")
        if damaged:
            raise CommandError(f"{damaged:,} files hold other bytes than their name says and were left behind.")
        self.stdout.write(
            "Set BLOB_STORE_URL to TO, start Loupe again, and run this once more for what came meanwhile."
        )

    def _copy(self, source: Store, target: Store) -> tuple[int, int]:
        copied = damaged = 0
        for some in _in_pieces(source.names(EVERY)):
            files = {name: source.read(name) for name in set(some) - target.exist(some)}
            sound = {name: data for name, data in files.items() if _is_sound(name, data)}
            target.put_all(sound)
            copied, damaged = copied + len(sound), damaged + len(files) - len(sound)
            for name in files.keys() - sound.keys():
                self.stderr.write(f"damaged: {name}")
        return copied, damaged


def _is_sound(name: str, data: bytes) -> bool:
    """A picture's name is its hash; a thumbnail's says nothing of its own bytes."""
    last = name.rpartition("/")[2]
    return last.endswith(".webp") or hashlib.sha256(data).hexdigest() == last


def _in_pieces(names: Iterator[str]) -> Iterator[list[str]]:
    wanted = (name for name in names if not name.endswith(".damaged"))
    while some := list(islice(wanted, AT_ONCE)):
        yield some
