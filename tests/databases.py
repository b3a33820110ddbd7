"""Runs code of this process, not of a server, on a database of our choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import dj_database_url
from django.core.management import call_command
from django.db import connections
from django.db.utils import ConnectionHandler


def default_database(url: str) -> AbstractContextManager[None]:
    """Within it, this thread's `default` connection is the database at this URL."""
    return database_of(dict(dj_database_url.parse(url)))


@contextmanager
def database_of(settings: dict[str, Any]) -> Iterator[None]:
    """The same for the settings of another thread's connection."""
    usual = connections["default"]
    other = ConnectionHandler({"default": settings})["default"]
    connections["default"] = other
    try:
        yield
    finally:
        other.close()
        connections["default"] = usual


def migrate(url: str) -> None:
    with default_database(url):
        call_command("migrate", verbosity=0)
