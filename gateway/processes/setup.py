"""First-run set-up, shared by all commands that need a working database: migrations, workspace, static files."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from gateway.keys.people import create_workspace
from gateway.models import Workspace
from gateway.processes.mending import mend


def prepare(*, static: bool = False) -> Workspace:
    """Make the database ready; answers the workspace `default`."""
    check_folder(settings.LOUPE_DATA)
    with _alone(settings.LOUPE_DATA):
        executor = MigrationExecutor(connections["default"])
        _check_age(executor)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        mended = settings.LOUPE_DATA / ".mended"  # looking takes longer than all else of a command
        if plan or not mended.exists():
            mend(executor)
            mended.touch()
        if plan:
            call_command("migrate", interactive=False, verbosity=0)
        if static:
            _collect_static()
        workspace = Workspace.objects.filter(slug="default").first()
        return workspace or create_workspace(slug="default", name="Default")


def _check_age(executor: MigrationExecutor) -> None:
    """Raises CommandError when a later release has changed the tables."""
    ours = {app for app, _ in executor.loader.disk_migrations}
    newer = sorted(
        f"{app}.{name}"
        for app, name in executor.loader.applied_migrations.keys() - executor.loader.disk_migrations.keys()
        if app in ours
    )
    if newer:
        raise CommandError(
            f"The database is of a newer Loupe than this: it has {', '.join(newer)}. Run that release or a later one, or "
            "restore the backup from before the upgrade."
        )


def _collect_static() -> None:
    """Only when a file has changed: to pack them takes longer than all else of a start."""
    mark = Path(settings.STATIC_ROOT) / ".collected"
    now = "\n".join(sorted(_static_files()))
    if not mark.exists() or mark.read_text() != now:
        call_command("collectstatic", interactive=False, verbosity=0)
        mark.write_text(now)


def _static_files() -> Iterator[str]:
    """Each with its size and the time of its last change."""
    for finder in get_finders():
        for path, storage in finder.list([]):
            file = Path(storage.path(path)).stat()
            yield f"{path} {file.st_size} {file.st_mtime_ns}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """`serve` and `work` may be started together: one makes the tables, the other waits for it."""
    with (folder / ".setting-up").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check_folder(folder: Path) -> None:
    """Raises CommandError when nothing can be written there."""
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise CommandError(
            f"The data folder {folder} is not writable ({error.strerror}). "
            "Name another one with LOUPE_DATA, or give this one to the user who runs Loupe."
        ) from error


def find_workspace(slug: str) -> Workspace:
    prepare()
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        known = ", ".join(Workspace.objects.values_list("slug", flat=True))
        raise CommandError(f"There is no workspace {slug!r}. There is: {known}.")
    return workspace
