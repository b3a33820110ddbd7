"""What the two databases do that the ORM has no words for: locks that many may share, sizes, and writing over what was deleted."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management.color import no_style
from django.db import connection, connections
from django.db.models import Model

# PostgreSQL's advisory locks are numbers. Of the files in the blob store, and of which logs there may be: who writes shares them,
# who removes is alone with them.
FILES, LOGS = 7021, 7022


def share(lock: int) -> None:
    """Until the transaction ends nobody is alone with it. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        _ask("SELECT pg_advisory_xact_lock_shared(%s)", lock)


def be_alone(lock: int) -> None:
    """Wait for all who share it, and keep others away until the transaction ends."""
    if connection.vendor == "postgresql":
        _ask("SELECT pg_advisory_xact_lock(%s)", lock)


def bytes_used() -> int:
    """What the database takes of its disk, without the pages that it holds free for what comes."""
    if connection.vendor == "postgresql":
        return _ask("SELECT pg_database_size(current_database())")
    pages = _ask("PRAGMA page_count") - _ask("PRAGMA freelist_count")
    return pages * _ask("PRAGMA page_size")


def write_over() -> bool:
    """Have the log of writes, in which deleted rows may still stand, copied into the database and emptied; whether that went,
    which it does not while somebody reads in it.

    SQLite alone: it zeroes what it deletes (`secure_delete` in the settings). What PostgreSQL deletes is gone from its
    files when its own VACUUM has come by and the room was used again.
    """
    return connection.vendor != "sqlite" or not _ask("PRAGMA wal_checkpoint(TRUNCATE)")


def copy(rows: Iterable[Model], model: type[Model], target: str) -> int:
    """Write rows of one database, as they are, into the table of `target`, another connection, which is a PostgreSQL; how many."""
    link, fields = connections[target], model._meta.concrete_fields
    columns = ", ".join(link.ops.quote_name(str(field.column)) for field in fields)
    with link.cursor() as cursor:
        with cursor.copy(f"COPY {link.ops.quote_name(model._meta.db_table)} ({columns}) FROM STDIN") as out:
            for row in rows:
                out.write_row([field.get_db_prep_save(getattr(row, field.attname), link) for field in fields])
        count = int(cursor.rowcount)
        for statement in link.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)
    return count


def _ask(statement: str, *values: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetchone()
    return int(found[0] or 0) if found else 0
