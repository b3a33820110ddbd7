"""Journals of real calls, for ingest to be measured with: what a server recorded while no worker ran."""

from __future__ import annotations

from tests.bench.bodies import Body
from tests.bench.gateways import Rig, Started, until_ready
from tests.bench.load import Load
from tests.bench.loupe import Serving, serving
from tests.bench.processes import Unavailable


async def record(rig: Rig, body: Body, calls: int) -> Serving:
    """Have a server on a fresh data folder record so many calls; it has ended when this returns."""
    half = serving(rig)
    running = Started(half.target, half.server)
    try:
        await until_ready(running, body)
        outcome = await Load(half.target, body).some(calls)
    finally:
        running.stop()
    if outcome.finished != calls:
        raise Unavailable(f"{outcome.finished} of {calls} calls were recorded: {dict(outcome.errors)}")
    return half
