"""Room that is shared by those who are known, so that nobody can keep others out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

GREED, GREED_OF_GROUP = 3, 15


class Shares:
    """Room for `most` bytes, calls or links.

    A holder may have up to `GREED` times what is then still free: alone three quarters of the room, two of them three
    sevenths each, and something is always left for the next (dynamic thresholds: Choudhury and Hahne, 1998). Those of a
    group may have fifteen times what is free together, so that one of them leaves room for the others of it. Whoever has
    nothing gets what is free; and whoever is alone, as much as he asks for.
    """

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0
        self.by: dict[Hashable, int] = {}

    def take(self, amount: int, holder: Hashable, *groups: Hashable, alone: bool = False) -> bool:
        """Take it for a holder and his groups (a key and its workspace), or answer False."""
        holders = (holder, *groups)
        if self.used and not alone and not self._is_fair(amount, holders):
            return False
        self.used += amount
        for holder in holders:
            self.by[holder] = self.by.get(holder, 0) + amount
        return True

    def give_back(self, amount: int, *holders: Hashable) -> None:
        self.used -= amount
        for holder in holders:
            left = self.by.get(holder, 0) - amount
            if left:
                self.by[holder] = left
            else:
                self.by.pop(holder, None)

    def _is_fair(self, amount: int, holders: Sequence[Hashable]) -> bool:
        free = self.most - self.used - amount
        if self.used + amount <= GREED * free:  # nobody can hold more than all do
            return True
        if free < 0:
            return False
        own, *others = (self.by.get(holder, 0) for holder in holders)
        is_own_fair = not own or own + amount <= GREED * free
        return is_own_fair and all(not one or one + amount <= GREED_OF_GROUP * free for one in others)
