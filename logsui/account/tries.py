"""How often a password may be wrong: by name and address, and for all names of an address. A process counts for itself, so that
a flood of tries costs no writes, and all processes of all machines count together in the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.core.cache import cache

from gateway.models import LoginTries

OF_A_NAME = 10
OF_AN_ADDRESS, STILL_OF_A_NAME = 100, 3
MOST_OF_AN_ADDRESS = 1000  # whatever the names are: each try costs a hash
SECONDS = 15 * 60
Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Tries:
    """Of one name from one address."""

    address: str
    name: str

    def begin(self) -> bool:
        """Whether one more may be made. It counts as wrong until it succeeded: many at once are no way around.

        Where an address has been wrong too often, a name may still be tried a few times: others share the address.
        """
        return self._may(_in_this_process) and self._may(_in_all)

    def _may(self, count: Count) -> bool:
        of_name, of_address = count(self._of_name), count(self._of_address)
        if of_address > MOST_OF_AN_ADDRESS:
            return False
        return of_name <= (OF_A_NAME if of_address <= OF_AN_ADDRESS else STILL_OF_A_NAME)

    def succeeded(self) -> None:
        cache.delete(f"login:{self._of_name}")
        with suppress(ValueError):  # its quarter of an hour is over
            cache.decr(f"login:{self._of_address}")
        LoginTries.objects.filter(key=self._of_name).delete()
        LoginTries.objects.filter(key=self._of_address).take_one_back()

    @property
    def _of_name(self) -> str:
        return hashlib.sha256(f"{self.address}:{self.name[:150]}".encode()).hexdigest()

    @property
    def _of_address(self) -> str:
        return hashlib.sha256(self.address.encode()).hexdigest()


def _in_this_process(key: str) -> int:
    key = f"login:{key}"
    cache.add(key, 0, SECONDS)
    try:
        return cache.incr(key)
    except ValueError:  # its quarter of an hour was over between the two
        cache.set(key, 1, SECONDS)
        return 1


def _in_all(key: str) -> int:
    return LoginTries.objects.all().one_more(key, SECONDS)
