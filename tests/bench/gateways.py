"""What a gateway is to the bench: how it is started, where requests go, and which processes it consists of."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.client import Target, call
from tests.bench.processes import Cores, Running, Unavailable
from tests.bench.upstream import Upstream

if TYPE_CHECKING:
    from tests.bench.bodies import Body

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Rig:
    """What every gateway is given: cores, the upstream's port, a folder of its own."""

    cores: Cores
    upstream: int
    scratch: Path

    def folder(self, name: str) -> Path:
        made = self.scratch / "runs" / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    def install_folder(self, name: str) -> Path:
        made = self.scratch / "peers" / name
        made.mkdir(parents=True, exist_ok=True)
        return made


@dataclass(slots=True)
class Started:
    target: Target
    server: Running
    helpers: list[Running] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    """Frees disk space between two phases, where a gateway writes what it saw."""
    caught_up: Callable[[], Awaitable[float]] | None = None
    """Waits until everything seen is recorded; answers how many seconds that took."""
    data: Path | None = None
    """Where what is recorded can be counted."""
    served_before: int = field(default_factory=lambda: Upstream.served)
    """Calls that the upstream had answered before this gateway was there."""

    def check_alive(self) -> None:
        for process in (self.server, *self.helpers):
            if not process.alive():
                raise Unavailable(f"ended with {process.process.returncode}: {process.last_words()}")

    def stop(self) -> None:
        for process in (self.server, *self.helpers):
            process.stop()


@dataclass(frozen=True, slots=True)
class Gateway:
    name: str
    prepare: Callable[[Rig], str]
    """Installs what is missing and answers the version."""
    start: Callable[[Rig], Started]
    links: bool = True
    """Whether it is measured with a picture behind a link, which nobody here can open."""


def clean_env(**more: str) -> dict[str, str]:
    """The environment without proxies and Python paths, which would reach into a peer."""
    unwanted = ("proxy", "pythonpath", "virtual_env", "django", "loupe")
    kept = {name: value for name, value in os.environ.items() if not any(word in name.lower() for word in unwanted)}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", **more}


@contextmanager
def started(gateway: Gateway, rig: Rig) -> Iterator[Started]:
    running = gateway.start(rig)
    try:
        yield running
    finally:
        running.stop()


async def until_ready(running: Started, body: Body) -> None:
    """Waits until a real request is answered well through the gateway."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + START_SECONDS
    status, said = 0, b""
    while loop.time() < limit:
        running.check_alive()
        try:
            status, said = await call(running.target, body.whole())
        except OSError:
            await asyncio.sleep(0.2)
            continue
        if status == 200:
            return
        await asyncio.sleep(1)
    raise Unavailable(
        f"no good answer after {START_SECONDS:.0f} s (status {status}): {said[:200].decode(errors='replace')}"
    )
