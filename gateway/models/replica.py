"""A read replica of the database, for pages that only look: what they show is as old as the replica is behind."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connections

log = logging.getLogger(__name__)

REPLICA = "replica"
# One that did not answer is not asked again for so long: each page would wait for it.
AWAY_SECONDS = 10.0

_away_until = 0.0


@contextmanager
def reading() -> Iterator[None]:
    """Within it this thread asks the replica whatever it asks, where there is one that answers, and can write nothing."""
    if not _answers():
        yield
        return
    usual, replica = connections["default"], connections[REPLICA]
    replica.execute_wrappers = usual.execute_wrappers  # who measures a page measures this too
    connections["default"] = replica
    try:
        yield
    finally:
        connections["default"] = usual


def _answers() -> bool:
    global _away_until
    if REPLICA not in connections.settings or time.monotonic() < _away_until:
        return False
    try:
        connections[REPLICA].ensure_connection()
    except OperationalError as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        log.warning("the replica does not answer, the database itself is asked: %s", error)
        return False
    return True
