"""The load generator: closed loop for requests per second, open loop for latency at a fixed rate."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench.bodies import Body, stamp
from tests.bench.client import Connection, Target

CONNECTIONS = 32
OPEN_LOOP_CONNECTIONS = 256
DRAIN_SECONDS = 10.0
ERROR_LIMIT = 2_000
SOME_SECONDS = 120.0


@dataclass(slots=True)
class Outcome:
    """What one phase of load saw; `finished` counts good answers, `in_time` those before the phase's end."""

    seconds: float
    finished: int = 0
    in_time: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.in_time / self.seconds

    def quantile(self, part: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1e3 if ordered else float("nan")


class Load:
    """Keep-alive connections to one target that send one body again and again."""

    number = 0

    def __init__(self, target: Target, body: Body) -> None:
        self.target = target
        self.body = body
        self.before = target.head(body.size) + body.before
        self.outcome = Outcome(seconds=0.0)
        self.connections: set[Connection] = set()
        self.idle: deque[Connection] = deque()
        self.waiting: deque[float] = deque()
        self.in_flight = 0
        self.closed_loop = True
        self.ends = 0.0
        self.left = sys.maxsize
        self.most = OPEN_LOOP_CONNECTIONS
        self.opening = 0
        self.stopped = False

    async def closed(self, seconds: float, connections: int = CONNECTIONS) -> Outcome:
        """Each connection sends its next request as soon as its answer is complete."""
        await self._open(connections)
        self._start(seconds)
        with _no_collector():
            while self.idle:
                self._send(self.idle.popleft(), time.perf_counter())
            await asyncio.sleep(seconds)
            await self._drain()
        return self.outcome

    async def some(self, calls: int, connections: int = CONNECTIONS) -> Outcome:
        """So many calls in a closed loop, then no more."""
        self.left = calls
        await self._open(connections)
        self._start(SOME_SECONDS)
        while self.idle and self.left:
            self._send(self.idle.popleft(), time.perf_counter())
        while self.left and not self.stopped and time.perf_counter() < self.ends:
            await asyncio.sleep(0.01)
        await self._drain()
        return self.outcome

    async def open(self, seconds: float, rate: float, connections: int = OPEN_LOOP_CONNECTIONS) -> Outcome:
        """Requests start by the clock, however slow the answers; waiting for a free connection counts."""
        self.closed_loop, self.most = False, connections
        await self._open(CONNECTIONS)
        self._start(seconds)
        begin = time.perf_counter()
        due = 0
        with _no_collector():
            while (now := time.perf_counter()) < self.ends and not self.stopped:
                while due <= (now - begin) * rate:
                    due += 1
                    self._issue(now)
                await asyncio.sleep(max(0.0, begin + due / rate - time.perf_counter()))
            await self._drain()
        return self.outcome

    def _start(self, seconds: float) -> None:
        self.outcome.seconds = seconds
        self.ends = time.perf_counter() + seconds

    async def _open(self, count: int) -> None:
        await asyncio.gather(*(self._connect() for _ in range(count)))

    async def _connect(self) -> None:
        self.opening += 1
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.target.port)
        except OSError as error:
            self.error(f"connect: {type(error).__name__}")
            await asyncio.sleep(0.05)
        finally:
            self.opening -= 1

    def _issue(self, now: float) -> None:
        if self.idle:
            self._send(self.idle.popleft(), now)
            return
        self.waiting.append(now)
        if len(self.connections) + self.opening < self.most:
            self._reconnect()

    def _send(self, connection: Connection, started: float) -> None:
        self.in_flight += 1
        self.left -= 1
        if self.body.stamped:
            Load.number += 1
            connection.send(started, self.before, stamp(Load.number), self.body.after)
        else:
            connection.send(started, self.before)

    def ready(self, connection: Connection) -> None:
        """A connection was made, or is free again."""
        self.connections.add(connection)
        if self.waiting and not self.stopped:
            self._send(connection, self.waiting.popleft())
        elif self.closed_loop and self.left and self.ends and not self.stopped and time.perf_counter() < self.ends:
            self._send(connection, time.perf_counter())
        else:
            self.idle.append(connection)

    def answered(self, started: float, status: bytes) -> None:
        now = time.perf_counter()
        self.in_flight -= 1
        if status != b"200":
            self.error(f"status {status.decode('latin-1')}")
            return
        self.outcome.finished += 1
        self.outcome.in_time += now <= self.ends
        self.outcome.latencies.append(now - started)

    def lost(self, connection: Connection, *, during_request: bool) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        if during_request:
            self.in_flight -= 1
            self.error("connection lost")
        if not self.stopped and time.perf_counter() < self.ends:
            self._reconnect()

    def error(self, what: str) -> None:
        self.outcome.errors[what] += 1
        if self.outcome.errors.total() > ERROR_LIMIT:
            self.stopped = True

    def _reconnect(self) -> None:
        task = asyncio.get_running_loop().create_task(self._connect())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    async def _drain(self) -> None:
        """Lets what is under way come in, so that no phase leaves work to the next one."""
        limit = time.perf_counter() + DRAIN_SECONDS
        while (self.in_flight or self.waiting) and time.perf_counter() < limit and not self.stopped:
            await asyncio.sleep(0.01)
        self.stopped = True
        if unanswered := self.in_flight + len(self.waiting):
            self.outcome.errors["unanswered"] += unanswered
        for connection in list(self.connections):
            connection.close()
        await asyncio.sleep(0.05)


_tasks: set[asyncio.Task[None]] = set()


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keeps Python's garbage collector out of the latencies."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
