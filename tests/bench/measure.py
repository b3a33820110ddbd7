"""One gateway's whole measurement: warm-up, then closed and open loop for each body."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench.client import Target
from tests.bench.gateways import Gateway, Rig, Started, started, until_ready
from tests.bench.load import Load, Outcome
from tests.bench.processes import Running, Unavailable, Watch, usage
from tests.bench.upstream import Upstream

if TYPE_CHECKING:
    from tests.bench.bodies import Body

RATE = 200.0
WARM_UP_SECONDS = 6.0
SECOND_WARM_UP_SECONDS = 1.0
HEADROOM = 1.25
"""A gateway is given the fixed rate only if its own maximum is this much higher."""


@dataclass(frozen=True, slots=True)
class Straight:
    """What the rig itself does without a gateway: the ceiling of its throughput, the floor of its latency."""

    per_second: float
    p50: float
    p99: float


@dataclass(slots=True)
class Row:
    body: str
    per_second: float
    rate: float
    p50: float
    p99: float
    cpu: float = 0.0
    ingest_cpu: float | None = None
    peak: float = 0.0
    lag: float | None = None
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def server_cpu(self) -> float:
        return self.cpu - (self.ingest_cpu or 0.0)


async def measure_straight(port: int, bodies: list[Body], seconds: float) -> dict[str, Straight]:
    target = Target(port, {"authorization": "Bearer sk-bench"})
    found = {}
    for body in bodies:
        await Load(target, body).closed(SECOND_WARM_UP_SECONDS)
        closed = await Load(target, body).closed(seconds)
        opened = await Load(target, body).open(seconds, RATE)
        found[body.name] = Straight(closed.per_second, opened.quantile(0.5), opened.quantile(0.99))
    return found


async def measure(
    gateway: Gateway, rig: Rig, bodies: list[Body], straight: dict[str, Straight], seconds: float
) -> list[Row]:
    with started(gateway, rig) as running:
        await until_ready(running, bodies[0])
        try:
            await Load(running.target, bodies[0]).closed(WARM_UP_SECONDS)
            await _settle(running)
            return [await _measure_body(running, body, straight[body.name], seconds) for body in bodies]
        except OSError as error:
            running.check_alive()
            raise Unavailable(f"a single call failed: {error}") from error


async def _measure_body(running: Started, body: Body, straight: Straight, seconds: float) -> Row:
    await Load(running.target, body).closed(SECOND_WARM_UP_SECONDS)
    await _settle(running)
    async with Watch(running.server, *running.helpers) as watch:
        server_before, helpers_before = _cpu(running.server), _cpu(*running.helpers)
        served = Upstream.served
        closed = await Load(running.target, body).closed(seconds)
        forwarded = Upstream.served - served
        server = _cpu(running.server) - server_before  # before the polling for the lag costs it something
        lag = await _settle(running)
        helpers = _cpu(*running.helpers) - helpers_before
        row = _row(body, closed)
        if closed.finished > forwarded:
            row.errors["answered without the upstream"] = closed.finished - forwarded
        row.cpu = _per_thousand(server + helpers, closed)
        if running.helpers:
            row.ingest_cpu = _per_thousand(helpers, closed)
            row.lag = lag
        row.rate = RATE if closed.per_second >= RATE * HEADROOM else max(1.0, float(int(closed.per_second / 2)))
        opened = await Load(running.target, body).open(seconds, row.rate)
        row.p50 = opened.quantile(0.5) - straight.p50
        row.p99 = opened.quantile(0.99) - straight.p99
        row.errors += opened.errors
        await _settle(running)
    row.peak = watch.peak
    return row


def _row(body: Body, closed: Outcome) -> Row:
    return Row(body.name, closed.per_second, RATE, float("nan"), float("nan"), errors=Counter(closed.errors))


def _cpu(*processes: Running) -> float:
    return sum(usage(process.pid).cpu for process in processes)


def _per_thousand(seconds: float, outcome: Outcome) -> float:
    return seconds / outcome.finished * 1000 if outcome.finished else float("nan")


async def _settle(running: Started) -> float | None:
    """Leaves nothing of one phase to the next; answers how long recording took to catch up."""
    lag = await running.caught_up() if running.caught_up else None
    running.between()
    return lag
