"""Runs code of this process, not of a server, on a database of our choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dj_database_url
from django.core.management import call_command
from django.db import connections
from django.db.utils import ConnectionHandler


@contextmanager
def default_database(url: str) -> Iterator[None]:
    """Within it, this thread's `default` connection is the database at this URL."""
    usual = connections["default"]
    other = ConnectionHandler({"default": dict(dj_database_url.parse(url))})["default"]
    connections["default"] = other
    try:
        yield
    finally:
        other.close()
        connections["default"] = usual


def migrate(url: str) -> None:
    with default_database(url):
        call_command("migrate", verbosity=0)
