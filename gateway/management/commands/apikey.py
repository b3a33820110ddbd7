from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gateway.keys.api_keys import DEFAULT_SCOPES, SCOPES, create_api_key, revoke_api_key
from gateway.models import ApiKey
from gateway.processes.setup import find_workspace


class Command(BaseCommand):
    help = "Create, list or revoke gateway keys. `create` prints the key, once, alone on stdout."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["create", "list", "revoke"])
        parser.add_argument("name", nargs="?", default="")
        parser.add_argument("--workspace", default="default")
        parser.add_argument(
            "--scope", action="append", help=f"one of {', '.join(SCOPES)}; by default {', '.join(DEFAULT_SCOPES)}"
        )
        parser.add_argument(
            "--model", action="append", default=[], help="may call this model only, such as gpt-4*; may be repeated"
        )
        parser.add_argument(
            "--virtual-key", action="append", default=[], help="may call this virtual key only; may be repeated"
        )
        parser.add_argument("--days", type=int, help="expires after so many days; by default never")

    def handle(
        self, *args: Any, action: str, name: str, workspace: str, scope: list[str] | None, **options: Any
    ) -> None:
        owner = find_workspace(workspace)
        if action == "create":
            try:
                _, key = create_api_key(
                    workspace=owner,
                    name=name,
                    scopes=tuple(scope or DEFAULT_SCOPES),
                    allowed_models=options["model"],
                    allowed_virtual_keys=[slug.removeprefix("@") for slug in options["virtual_key"]],
                    expires_at=timezone.now() + timedelta(days=options["days"]) if options["days"] else None,
                )
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from None
            self.stdout.write(key)
        elif action == "revoke":
            rows = list(ApiKey.objects.of(owner).live().filter(name=name))
            if not rows:
                raise CommandError(f"There is no live key named {name!r} in {workspace}.")
            for row in rows:
                revoke_api_key(api_key=row)
        else:
            for row in ApiKey.objects.of(owner).order_by("created_at"):
                state = "revoked" if row.revoked_at else "live"
                self.stdout.write(f"{row.name}\t…{row.last_four}\t{state}\t{' '.join(row.scopes)}\t{row.only}".rstrip())
