from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from gateway.models import ModelPrice
from gateway.models.prices import RATES
from gateway.processes.setup import find_workspace
from gateway.recording import own_prices


class Command(BaseCommand):
    help = "Set, list or remove a workspace's own prices of models, or work out past costs again."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["set", "list", "remove", "apply"])
        parser.add_argument("model", nargs="?", default="", help="the model's name; * stands for any characters")
        parser.add_argument("--provider", default="", help="only at this provider")
        for rate in RATES:
            parser.add_argument(f"--{rate.replace('_', '-')}", default="", metavar="USD", help="per million tokens")
        parser.add_argument("--since", default="", help="apply: from this day on, as in 2026-11-01")
        parser.add_argument("--until", default="", help="apply: before this day")
        parser.add_argument("--workspace", default="default")

    def handle(self, *args: Any, action: str, model: str, workspace: str, **options: Any) -> None:
        owner = find_workspace(workspace)
        prices = ModelPrice.objects.of(owner)
        if action == "list":
            for row in prices.narrowest_first():
                rates = " ".join(f"{name}={rate}" for name, rate in row.rates.items())
                self.stdout.write(f"{row.pattern}\t{row.provider or '*'}\t{rates}")
        elif action == "apply":
            since, until = (_day(options[name]) for name in ("since", "until"))
            changed = own_prices.reprice(workspace=owner, since=since, until=until)
            self.stdout.write(f"{changed} logs cost something else now.")
        elif action == "remove":
            found = prices.filter(pattern=model, provider=options["provider"]).first()
            if found is None:
                raise CommandError(f"There is no price of {model!r} at {options['provider'] or 'any provider'}.")
            own_prices.remove_price(price=found)
        else:
            self._set(owner, model, options)

    def _set(self, owner: Any, model: str, options: dict[str, Any]) -> None:
        rates = {name: options[name] for name in RATES}
        try:
            row = own_prices.set_price(workspace=owner, pattern=model, provider=options["provider"], rates=rates)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"{row} is priced so for what is recorded from now on.")


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no day; write it as 2026-11-01.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
