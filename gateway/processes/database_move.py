"""Copies everything from the SQLite of the data folder to an empty PostgreSQL: rows as they are, with their numbers.

All of it in one transaction: a move that is broken off leaves nothing, and can be begun again. The words of logs are not copied:
each engine has its own index of them, and the worker cuts them anew.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import dj_database_url
from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection, connections, transaction
from django.db.models import Model
from django.db.utils import ConnectionHandler

from gateway.models import LogText, Workspace, engine
from gateway.processes.sole_holder import FileHolder
from gateway.processes.worker import JOBS

TARGET = "target"
AT_ONCE = 1000


class CannotMove(Exception):
    """The cause and the cure."""


def move(url: str) -> Iterator[tuple[str, int]]:
    """Each table with its count, as it is done. Nothing is there before the last one. Raises CannotMove."""
    _check_source()
    _connect(url)
    _make_tables(url)
    if Workspace.objects.using(TARGET).exists():
        raise CannotMove("The database to move to has a Loupe in it already. Name an empty one.")
    with transaction.atomic(using=TARGET), transaction.atomic():
        ContentType.objects.using(TARGET).all().delete()  # and the permissions on them, which come with the rest
        for model in _models():
            yield model._meta.db_table, _copy(model)
    (settings.LOUPE_DATA / "words-filled").unlink(missing_ok=True)


def _copy(model: type[Model]) -> int:
    try:
        return engine.copy(_rows(model), model, TARGET)
    except Error as error:
        raise CannotMove(f"The table {model._meta.db_table} could not be moved, so nothing was: {error}") from error


def _check_source() -> None:
    if connection.vendor != "sqlite":
        raise CannotMove(
            "DATABASE_URL names a PostgreSQL already. Unset it: what is moved is the SQLite of the data folder."
        )
    holder = FileHolder(settings.JOURNAL_ROOT)
    if not all(holder.holds(job) for job in JOBS):
        raise CannotMove(
            "A worker runs on this data folder. Stop Loupe first: what it writes meanwhile would stay behind."
        )


def _connect(url: str) -> None:
    try:
        found = dict(dj_database_url.parse(url))
    except (ValueError, dj_database_url.ParseError) as error:
        raise CannotMove(f"{url[:200]!r} is not the address of a database: {error}.") from None
    if not str(found["ENGINE"]).endswith("postgresql"):
        raise CannotMove("A Loupe moves to a PostgreSQL: postgresql://user:password@host/name.")
    connections.settings[TARGET] = ConnectionHandler({"default": {}, TARGET: found}).settings[TARGET]
    try:
        connections[TARGET].ensure_connection()
    except (Error, ImproperlyConfigured) as error:
        raise CannotMove(f"The database to move to does not answer: {error}") from None


def _make_tables(url: str) -> None:
    """By a process of its own: a migration may do what is of the database that the settings name."""
    command = [sys.executable, "-m", "gateway", "migrate", "--no-input", "--verbosity", "0"]
    done = subprocess.run(  # noqa: S603 - ourselves
        command,
        env={**settings.ENVIRONMENT, "DATABASE_URL": url},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotMove(f"The tables could not be made: {done.stderr.strip()[-1000:]}")


def _models() -> list[type[Model]]:
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model is not LogText and model._meta.managed and not model._meta.proxy]


def _rows(model: type[Model]) -> Iterator[Model]:
    return iter(model._base_manager.order_by("pk").iterator(AT_ONCE))
