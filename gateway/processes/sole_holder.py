"""Jobs that exist once, however many workers there are: who holds one, and that another takes it over when that one is gone.

On one machine a job is held by a lock on a file, which the system lets go of when the process ends. With PostgreSQL it is an
advisory lock of a connection, which the database lets go of when the connection ends, on whatever machine it was.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import zlib
from pathlib import Path
from typing import Any, Protocol

import psycopg
from django.db import connection

LOOK_SECONDS = 2.0
HEAP = 7023  # the first of a heap's two numbers, among PostgreSQL's advisory locks


class Holder(Protocol):
    """One process's hold on its jobs."""

    def holds(self, job: str) -> bool:
        """Whether the job is ours now; takes it when it is free."""
        ...


class FileHolder:
    """What it holds it holds for as long as this process lives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.held: dict[str, int] = {}

    def holds(self, job: str) -> bool:
        if job not in self.held and (descriptor := self._taken(job)) is not None:
            self.held[job] = descriptor
        return job in self.held

    def _taken(self, job: str) -> int | None:
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / f"{job}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor


class DatabaseHolder:
    """One connection that holds locks and does nothing else: while it lives, nobody else can have its jobs, nor the heaps into
    which the work of a shared one is divided.
    """

    def __init__(self) -> None:
        self.link: psycopg.Connection | None = None
        self.held: set[str] = set()
        self.looked_at: dict[str, float] = {}
        self.lock = threading.Lock()

    def holds(self, job: str) -> bool:
        """As it was known within the last two seconds. Raises django.db.OperationalError when the database is away."""
        with self.lock:
            if time.monotonic() >= self.looked_at.get(job, 0) + LOOK_SECONDS:
                with connection.wrap_database_errors:
                    self._look(job)
                self.looked_at[job] = time.monotonic()
            return job in self.held

    def take(self, heap: int) -> bool:
        """Whether the heap is ours from now on. Raises django.db.OperationalError when the database is away."""
        with self.lock, connection.wrap_database_errors:
            return self._asked(f"SELECT pg_try_advisory_lock({HEAP}, {heap})")

    def let_go(self, heap: int) -> None:
        """Raises django.db.OperationalError when the database is away."""
        with self.lock, connection.wrap_database_errors:
            self._asked(f"SELECT pg_advisory_unlock({HEAP}, {heap})")

    def _look(self, job: str) -> None:
        if self._asked("SELECT true" if job in self.held else f"SELECT pg_try_advisory_lock({_number(job)})"):
            self.held.add(job)

    def _asked(self, question: str) -> bool:
        try:
            link = self.link = self.link or psycopg.connect(**_parameters(), autocommit=True)
            answer = link.execute(question).fetchone()
        except psycopg.Error:
            self.held.clear()  # with the connection went every lock
            if self.link is not None:
                self.link.close()
            self.link = None
            raise
        return bool(answer and answer[0])


def _number(job: str) -> int:
    return zlib.crc32(f"loupe job {job}".encode())


def _parameters() -> dict[str, Any]:
    """Those of Django's connection, noticing within seconds that the other side is gone."""
    given = connection.get_connection_params()
    known = {name: value for name, value in given.items() if isinstance(value, str)}
    alive = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    return known | alive | {"connect_timeout": 5, "application_name": "loupe-jobs"}


def holder(root: Path) -> Holder:
    return DatabaseHolder() if connection.vendor == "postgresql" else FileHolder(root)
