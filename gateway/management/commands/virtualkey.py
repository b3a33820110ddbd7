from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from gateway.keys.virtual_keys import create_virtual_key, revoke_virtual_key
from gateway.models import VirtualKey
from gateway.processes.setup import find_workspace
from gateway.providers import PROVIDERS


class Command(BaseCommand):
    help = "Add, list or revoke virtual keys: a provider's credential under a slug, called as @slug/model."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["add", "list", "revoke"])
        parser.add_argument("slug", nargs="?", default="")
        parser.add_argument("--provider", default="openai", choices=[p.name for p in PROVIDERS])
        parser.add_argument("--base-url", default="")
        parser.add_argument("--secret-env", metavar="VAR", help="read the secret from this environment variable")
        parser.add_argument("--secret-stdin", action="store_true", help="read the secret from standard input")
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="values")
        parser.add_argument("--workspace", default="default")

    def handle(self, *args: Any, action: str, slug: str, workspace: str, **options: Any) -> None:
        owner = find_workspace(workspace)
        live = VirtualKey.objects.of(owner).live()
        if action == "list":
            for row in live.order_by("slug"):
                self.stdout.write(
                    f"@{row.slug}\t{row.provider}\t{row.base_url}\t{'…' + row.last_four if row.last_four else ''}"
                )
        elif action == "revoke":
            found = live.filter(slug=slug.removeprefix("@")).first()
            if found is None:
                raise CommandError(f"There is no live virtual key @{slug} in {workspace}.")
            revoke_virtual_key(virtual_key=found)
        else:
            self._add(owner, slug, options)

    def _add(self, owner: Any, slug: str, options: dict[str, Any]) -> None:
        pairs = dict(value.partition("=")[::2] for value in options["values"])
        try:
            create_virtual_key(
                workspace=owner,
                slug=slug.removeprefix("@"),
                provider=options["provider"],
                secret=_secret(options),
                base_url=options["base_url"],
                settings=pairs,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None


def _secret(options: dict[str, Any]) -> str:
    if options["secret_stdin"]:
        return sys.stdin.read().strip()
    name = options["secret_env"]
    if not name:
        return ""
    secret: str = settings.ENVIRONMENT.get(name, "")
    if not secret:
        raise CommandError(f"The environment variable {name} is empty or not set.")
    return secret
