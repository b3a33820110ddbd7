"""The signatures and the reasoning of models' turns, in memory, for the next turn of the same conversation."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from gateway.dialects.kept_turns import Kept, restored, wanted
from gateway.errors import NotRecorded
from gateway.translation.neutral import Request

log = logging.getLogger(__name__)

MOST_ENTRIES, MOST_BYTES = 20_000, 64 * 1024 * 1024
LOOK_SECONDS = 2.0
Find = Callable[[int, list[str]], Awaitable[Mapping[str, Kept]]]


class TurnMemory:
    """One a process; what was kept longest goes first. What another process heard, `find` looks for in the log."""

    def __init__(self, find: Find | None = None) -> None:
        self.find = find
        self.entries: OrderedDict[tuple[int, str], Kept] = OrderedDict()
        self.bytes = 0

    def keep(self, workspace: int, key: str, kept: Kept) -> None:
        self._forget(workspace, key)
        self.entries[workspace, key] = kept
        self.bytes += kept.size
        while len(self.entries) > MOST_ENTRIES or self.bytes > MOST_BYTES:
            (_, gone) = self.entries.popitem(last=False)
            self.bytes -= gone.size

    def _forget(self, workspace: int, key: str) -> None:
        gone = self.entries.pop((workspace, key), None)
        self.bytes -= gone.size if gone else 0

    async def restored(self, workspace: int, request: Request, *, ask_log: bool) -> Request:
        """The request with what its client dropped. The log is asked where the vendor would refuse the turn without it."""
        keys = wanted(request)
        if not keys:
            return request
        known = {key: self.entries[workspace, key] for key in keys if (workspace, key) in self.entries}
        missing = [key for key in keys if key not in known]
        if ask_log and missing and self.find is not None:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    known |= await self.find(workspace, missing)
            except (TimeoutError, NotRecorded) as error:
                log.warning("the log was not asked for what a vendor wants back: %r", error)
        return restored(request, known.get) if known else request
