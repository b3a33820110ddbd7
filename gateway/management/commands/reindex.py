from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from gateway.index import blocks
from gateway.processes.setup import find_workspace


class Command(BaseCommand):
    help = "Have every log of a workspace indexed anew; the worker does it, and searches stay exact meanwhile."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", default="default")

    def handle(self, *args: Any, workspace: str, **options: Any) -> None:
        blocks.start_anew(find_workspace(workspace))
        self.stdout.write("Every log waits to be indexed; the worker begins with the oldest.")
