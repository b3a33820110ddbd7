from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.keys.virtual_keys import reseal_virtual_keys
from gateway.processes.setup import prepare


class Command(BaseCommand):
    help = "Seal every provider secret with the first encryption key. Put the new key first, run this, then drop the old one."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        prepare()
        done, unreadable = reseal_virtual_keys()
        self.stdout.write(f"{done} secrets sealed anew.")
        if unreadable:
            names = ", ".join(f"@{row.slug}" for row in unreadable)
            raise CommandError(
                f"No key opens the secrets of {names}. Bring the old encryption key back, or enter them again."
            )
