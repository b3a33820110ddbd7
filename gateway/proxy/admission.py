"""Bounds for whoever is not known: few requests at once, fewer from one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import Overloaded
from gateway.network.addresses import address_group

STRANGERS = 256
STRANGERS_OF_ADDRESS = 32


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
