"""Whose fault a failure is: the machine's, which passes and is waited for, or that of one item, which is put aside.

A loop that meets an item's failure as if it were the machine's would meet it again for ever, and nothing behind it.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
# SQLite's primary result codes for what no statement is to blame for (sqlite.org/rescode.html): BUSY, LOCKED, NOMEM,
# READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
SQLITE_PASSING = frozenset({5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26})
# PostgreSQL's classes of the same (its appendix A): connection, rollback, resources, locks, intervention, system.
POSTGRES_PASSING = ("08", "40", "53", "55", "57", "58")
DISK_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Away(OSError):
    """Something on the network that we depend on does not answer, or not as it should."""


def will_pass(error: Exception) -> bool:
    """Whether the database, the disk or the memory is missing, so that the same thing may succeed later."""
    if isinstance(error, MemoryError | Away):
        return True
    if isinstance(error, OSError):
        return error.errno in DISK_PASSING
    return isinstance(error, DatabaseError | InterfaceError) and _database_is_away(error)


def one_by_one(items: Iterable[Item], take: Callable[[Item], None], put_aside: Callable[[Item, str], None]) -> None:
    """Take each item; one that fails is put aside with the reason and the next is taken. What will pass is raised."""
    for item in items:
        try:
            take(item)
        except Exception as error:
            if will_pass(error):
                raise
            log.exception("%s is put aside", item)
            put_aside(item, f"an unexpected failure: {type(error).__name__}")


def together(
    items: Sequence[Item], take: Callable[[Sequence[Item]], None], put_aside: Callable[[Item, str], None]
) -> None:
    """Take all items at once, or, if that fails, each by itself. `take` takes all or nothing, and may be called again."""
    try:
        take(items)
    except Exception as error:
        if will_pass(error):
            raise
        one_by_one(items, lambda item: take([item]), put_aside)


def _database_is_away(error: DatabaseError | InterfaceError) -> bool:
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return code is None or code & 0xFF in SQLITE_PASSING
    state = getattr(cause, "sqlstate", None)
    if state:
        return str(state).startswith(POSTGRES_PASSING)
    return isinstance(error, OperationalError | InterfaceError)
