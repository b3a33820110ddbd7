"""Copies what cannot be made again, database and pictures, to a folder or an object store, while Loupe runs; and brings it back.

A snapshot of the database is whole and of one moment (SQLite's backup API, `pg_dump`); pictures are copied once, under their
hash, so that the second backup copies what is new.
"""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection, connections

from gateway.pictures import blobs
from gateway.pictures.blobs import Copied, Store

KINDS = {"sqlite": ".sqlite3.gz", "postgresql": ".pgdump"}


class CannotBackUp(Exception):
    """The cause and the cure."""


@dataclass(frozen=True, slots=True)
class Backup:
    """`name` is that of the snapshot, by which it is asked for again."""

    name: str
    pictures: Copied


def back_up(url: str) -> Backup:
    """Raises CannotBackUp, faults.Away, ImproperlyConfigured."""
    now = datetime.now(UTC)
    name = f"{now.year // 100}/{now:%y}/{now:%Y-%m-%dT%H-%M-%SZ}{KINDS[connection.vendor]}"
    with tempfile.TemporaryDirectory(dir=settings.LOUPE_DATA) as scratch:
        snapshot = Path(scratch) / "snapshot"
        _SNAPSHOTS[connection.vendor](snapshot)
        _part(url, "database").put_file(name, snapshot)
    return Backup(name, blobs.copy_all(blobs.store(), _part(url, "pictures")))


def restore(url: str, name: str = "") -> Backup:
    """Bring the newest snapshot back, or the one of this name, into a database without logs, and every picture.

    Raises:
        CannotBackUp, faults.Away, ImproperlyConfigured.
    """
    database = _part(url, "database")
    wanted = name or max(_snapshots(database), default="")
    if not wanted:
        raise CannotBackUp(f"There is no snapshot of a {connection.vendor} database in {url}.")
    with tempfile.TemporaryDirectory(dir=settings.LOUPE_DATA) as scratch:
        snapshot = Path(scratch) / "snapshot"
        try:
            database.get_file(wanted, snapshot)
        except FileNotFoundError:
            known = ", ".join(sorted(_snapshots(database))[-5:])
            raise CannotBackUp(f"There is no snapshot {wanted} in {url}. The newest are {known}.") from None
        _RESTORES[connection.vendor](snapshot)
    return Backup(wanted, blobs.copy_all(_part(url, "pictures"), blobs.store()))


def _snapshots(database: Store) -> list[str]:
    return [name for name in database.names(blobs.EVERY) if name.endswith(KINDS[connection.vendor])]


def _part(url: str, name: str) -> Store:
    parts = urlsplit(url)
    return blobs.at(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}")))


def _of_sqlite(snapshot: Path) -> None:
    """In one step: it reads what there was when it began, whoever writes meanwhile."""
    whole = snapshot.with_name("whole")
    with closing(sqlite3.connect(_file())) as source, closing(sqlite3.connect(whole)) as target:
        source.backup(target)
    with whole.open("rb") as read, gzip.open(snapshot, "wb", compresslevel=3) as write:
        shutil.copyfileobj(read, write)


def _to_sqlite(snapshot: Path) -> None:
    file = _file()
    if file.exists() and file.stat().st_size:
        raise CannotBackUp(f"There is a database already: {file}. Restore into an empty folder (LOUPE_DATA).")
    whole = snapshot.with_name("whole")
    with gzip.open(snapshot, "rb") as read, whole.open("wb") as write:
        shutil.copyfileobj(read, write)
    whole.rename(file)


def _file() -> Path:
    connections.close_all()
    return Path(settings.DATABASES["default"]["NAME"])


def _of_postgres(snapshot: Path) -> None:
    _run("pg_dump", "--format=custom", "--no-owner", f"--file={snapshot}", f"--dbname={settings.DATABASE_URL}")


def _to_postgres(snapshot: Path) -> None:
    if connection.introspection.table_names():
        raise CannotBackUp("The database of DATABASE_URL has tables already. Restore into an empty one.")
    _run(
        "pg_restore",
        "--no-owner",
        "--single-transaction",
        "--exit-on-error",
        f"--dbname={settings.DATABASE_URL}",
        str(snapshot),
    )


def _run(program: str, *options: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise CannotBackUp(f"{program} is not on the PATH. It comes with PostgreSQL's client programs.")
    done = subprocess.run([path, *options], capture_output=True, text=True, check=False)  # noqa: S603 - PostgreSQL's own
    if done.returncode:
        raise CannotBackUp(f"{program} failed: {done.stderr.strip()[:1000]}")


_SNAPSHOTS = {"sqlite": _of_sqlite, "postgresql": _of_postgres}
_RESTORES = {"sqlite": _to_sqlite, "postgresql": _to_postgres}
