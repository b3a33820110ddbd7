"""Bounds for whoever is not known: few requests at once, fewer from one address, and few rows in the log."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import Overloaded
from gateway.network.addresses import address_group

STRANGERS = 256
STRANGERS_OF_ADDRESS = 32
TRACES, TRACE_SECONDS = 30, 60.0


class Strangers:
    """Places for requests of whoever is not known, or not yet: few in all, fewer from one address."""

    def __init__(self, most: int = STRANGERS, of_address: int = STRANGERS_OF_ADDRESS) -> None:
        self.most, self.of_address = most, of_address
        self.by: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Raises Overloaded."""
        address = address_group(address)
        if self.by.total() >= self.most or self.by[address] >= self.of_address:
            raise Overloaded("Too many requests at once without a known key or a login. Try again in a few seconds.")
        self.by[address] += 1
        try:
            yield
        finally:
            self.by[address] -= 1
            if not self.by[address]:
                del self.by[address]


class Traces:
    """How many refused strangers leave a row in the log: enough to find a client that is set up wrongly, and no more, since
    anybody can be refused.
    """

    def __init__(self, most: int = TRACES, seconds: float = TRACE_SECONDS) -> None:
        self.left: deque[float] = deque(maxlen=most)
        self.seconds = seconds

    def may_leave(self) -> bool:
        now = time.monotonic()
        if len(self.left) == self.left.maxlen and now - self.left[0] < self.seconds:
            return False
        self.left.append(now)
        return True
