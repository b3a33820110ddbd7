"""Where the time of a page goes: `Server-Timing` (W3C), which every browser's developer tools show.

`sql` is the database's part, `index` the search's (with its own SQL), `template` that of the HTML, `total` is everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection


class Timings:
    """Seconds by name. What is inside of its own kind is not counted twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.under_way: set[str] = set()

    @contextmanager
    def spending(self, name: str) -> Iterator[None]:
        if name in self.under_way:
            yield
            return
        self.under_way.add(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.under_way.discard(name)
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    @property
    def header(self) -> str:
        return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in self.seconds.items())


_current: ContextVar[Timings | None] = ContextVar("timings", default=None)


@contextmanager
def measured() -> Iterator[Timings]:
    """Everything that this thread spends inside."""
    timings = Timings()
    token = _current.set(timings)
    try:
        with timings.spending("total"), connection.execute_wrapper(_query):
            yield timings
    finally:
        _current.reset(token)


@contextmanager
def spending(name: str) -> Iterator[None]:
    """What is inside counts under this name, where somebody measures. Decorates functions, too."""
    if (timings := _current.get()) is None:
        yield
    else:
        with timings.spending(name):
            yield


def _query(execute: Callable[..., Any], sql: str, params: Any, *rest: Any) -> Any:
    with spending("sql"):
        return execute(sql, params, *rest)
