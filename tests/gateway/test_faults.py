"""One item's failure is put aside; what will pass is waited for."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence

import pytest
from django.db import DataError, InterfaceError, OperationalError

from gateway.faults import one_by_one, together, will_pass


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    return error


def test_an_item_that_fails_is_put_aside_and_the_next_is_taken() -> None:
    taken, aside = [], {}

    def take(item: int) -> None:
        if item == 2:
            raise ZeroDivisionError
        taken.append(item)

    one_by_one([1, 2, 3], take, lambda item, reason: aside.update({item: reason}))
    assert taken == [1, 3]
    assert aside == {2: "an unexpected failure: ZeroDivisionError"}


def test_what_is_taken_together_is_taken_one_by_one_when_one_fails() -> None:
    taken: list[list[int]] = []
    aside: dict[int, str] = {}

    def take(items: Sequence[int]) -> None:
        taken.append([10 // item for item in items])

    together([1, 2], take, aside.__setitem__)
    assert (taken, aside) == ([[10, 5]], {})
    together([5, 0, 10], take, aside.__setitem__)
    assert taken[1:] == [[2], [1]]
    assert aside == {0: "an unexpected failure: ZeroDivisionError"}


def test_what_will_pass_is_raised() -> None:
    def take(item: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        one_by_one([1], take, lambda item, reason: None)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(errno.ENOSPC, "full"), True),
        (OSError(errno.EIO, "a bad sector"), False),
        (MemoryError(), True),
        (ValueError(), False),
        (OperationalError("the connection is closed"), True),
        (InterfaceError("connection already closed"), True),
        (caused(OperationalError(), of_sqlite(sqlite3.SQLITE_BUSY)), True),
        (caused(OperationalError(), of_sqlite(sqlite3.SQLITE_IOERR_WRITE)), True),
        (caused(OperationalError(), of_sqlite(sqlite3.SQLITE_TOOBIG)), False),
        (caused(OperationalError(), of_sqlite(sqlite3.SQLITE_ERROR)), False),
        (DataError(), False),
    ],
)
def test_an_error_says_whose_fault_it_is(error: Exception, *, passes: bool) -> None:
    assert will_pass(error) is passes
