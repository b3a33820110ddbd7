from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from gateway.management import prompt_folder
from gateway.models import Workspace


class Command(BaseCommand):
    help = (
        "Prompts as a folder of readable files: `export` writes it, `import` shows what it would change, or changes it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["export", "import"])
        parser.add_argument("folder", type=Path)
        parser.add_argument("--apply", action="store_true", help="import: make the changes, not only show them")
        parser.add_argument("--workspace", default="default")

    def handle(self, *, action: str, folder: Path, apply: bool, workspace: str, **options: Any) -> None:
        owner = Workspace.objects.filter(slug=workspace).first()
        if owner is None:
            raise CommandError(f"There is no workspace {workspace}.")
        try:
            self._export(owner, folder) if action == "export" else self._import(owner, folder, apply=apply)
        except (OSError, ValidationError) as error:
            raise CommandError(
                "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            ) from error

    def _export(self, workspace: Workspace, folder: Path) -> None:
        for path in prompt_folder.write(workspace, folder):
            self.stdout.write(str(path))

    def _import(self, workspace: Workspace, folder: Path, *, apply: bool) -> None:
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
        found = list(prompt_folder.changes(workspace, folder))
        for change in found:
            if apply:
                prompt_folder.apply(workspace, change)
            self.stdout.write(f"{change.kind}\t{change.slug}")
        if not apply and any(change.kind != "same" for change in found):
            self.stdout.write("Nothing is changed yet; --apply does it.")
