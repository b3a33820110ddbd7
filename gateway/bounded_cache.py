"""What a process keeps of what it has worked out, up to a bound; what was asked for longest ago goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Safe to share between threads. `most` is in whatever the sizes are in."""

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: K, value: V, size: int) -> None:
        """What is there under the key stays."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value, size
                self.used += size
            while self.used > self.most:
                self.used -= self._kept.popitem(last=False)[1][1]
