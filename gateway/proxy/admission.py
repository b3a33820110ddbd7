"""Who gets room, and how much of it: shares among those who are known, bounds for those who are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

from gateway.errors import Overloaded

GREED = 3
STRANGERS = 256
STRANGERS_OF_ADDRESS = 32


class Shares:
    """Room for `most` bytes or calls, so shared that nobody can keep others out.

    A holder may have up to `GREED` times what is then still free: alone three quarters of the room, two of them three
    sevenths each, and something is always left for the next (dynamic thresholds: Choudhury and Hahne, 1998). Whoever has
    nothing gets what is free; and whoever is alone, as much as he asks for.
    """

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0
        self.by: Counter[Hashable] = Counter()

    def take(self, amount: int, *holders: Hashable, alone: bool = False) -> bool:
        """Take it for all these holders (a key and its workspace), or answer False."""
        if self.used and not alone and not self._is_fair(amount, holders):
            return False
        self.used += amount
        for holder in holders:
            self.by[holder] += amount
        return True

    def give_back(self, amount: int, *holders: Hashable) -> None:
        self.used -= amount
        for holder in holders:
            self.by[holder] -= amount
            if not self.by[holder]:
                del self.by[holder]

    def _is_fair(self, amount: int, holders: Sequence[Hashable]) -> bool:
        free = self.most - self.used - amount
        held = [self.by[holder] for holder in holders]
        return free >= 0 and all(one + amount <= GREED * free for one in held if one)


class Strangers:
    """Places for requests of whoever is not known, or not yet: few in all, fewer from one address."""

    def __init__(self, most: int = STRANGERS, of_address: int = STRANGERS_OF_ADDRESS) -> None:
        self.most, self.of_address = most, of_address
        self.by: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Raises Overloaded."""
        if self.by.total() >= self.most or self.by[address] >= self.of_address:
            raise Overloaded("Too many requests at once without a known key or a login. Try again in a few seconds.")
        self.by[address] += 1
        try:
            yield
        finally:
            self.by[address] -= 1
            if not self.by[address]:
                del self.by[address]
