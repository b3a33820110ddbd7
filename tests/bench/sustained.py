"""`python -m tests.bench.sustained`: the rate that can be kept for ever, in an hour as in the first minute.

The provider takes 200 ms. The gateway has one core; everything that is done after the answer (ingest, thumbnails, index) shares
the other with the load. A rate is kept when all calls are answered, 99 of 100 within half a second of what the provider
takes, and when at the end no more waits to be recorded or drawn than came in two seconds. The highest one is found by
halving, then held (or nine tenths of it, and so on); what waits at its end is worked off, and its CPU counted. Latency
is that at half of it. A gateway that records nothing keeps what it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.__main__ import event_loop, say
from tests.bench.bodies import Body, make_bodies, streamed
from tests.bench.gateways import Gateway, Rig, Started, started, until_ready
from tests.bench.load import Load, Outcome
from tests.bench.loupe import loupe
from tests.bench.peers import PEERS
from tests.bench.processes import Unavailable, divide_cores, usage
from tests.bench.upstream import Upstream, start_upstream

PROVIDER_SECONDS = 0.2
TRIAL_SECONDS, HELD_SECONDS, LONG_SECONDS = 10.0, 60.0, 600.0
LATEST = Path(__file__).with_name("sustained.md")
HEAD = """# The rate that is kept

Written by `python -m tests.bench.sustained`: the highest rate at which everything that came is answered, recorded and drawn,
found by halving, then held for {held:.0f} s. The provider takes 200 ms. One core for the gateway, one for all that Loupe
does after the answer, which the load shares. Portkey records nothing.

"""
HALF_SECONDS, LESS = 20.0, 0.9  # a rate that is not kept to the end is tried again with a tenth less
HALVINGS = 6
CONNECTIONS = 2048
MAY_WAIT_SECONDS = 2.0
IN_TIME = 0.97
DRAIN_SECONDS = 300.0
LATE_SECONDS = 0.5
FASTEST = {"picture by URL": 3200.0, "stream of 50 chunks": 1600.0, "100 KB picture": 640.0, "1 MB picture": 128.0}


@dataclass(frozen=True, slots=True)
class Held:
    """What a gateway did at the highest rate that it kept; latencies, in ms, are those at half of it."""

    gateway: str
    body: str
    rate: float
    p50: float
    p99: float
    cpu: float


def waiting(running: Started) -> int:
    """Calls that are not recorded yet and pictures that are not drawn; the index may be seconds behind."""
    if running.data is None:
        return 0
    with closing(sqlite3.connect(f"file:{running.data / 'loupe.sqlite3'}?mode=ro", uri=True)) as database:
        flying = database.execute("SELECT count(*) FROM gateway_requestlog WHERE state = 'in_flight'").fetchone()[0]
        undrawn = database.execute("SELECT count(*) FROM gateway_image WHERE thumbnail = 'pending'").fetchone()[0]
        rows = database.execute("SELECT count(*) FROM gateway_requestlog").fetchone()[0]
    return max(Upstream.served - running.served_before - int(rows), 0) + int(flying) + int(undrawn)


async def hold(running: Started, body: Body, rate: float, seconds: float) -> tuple[Outcome, str]:
    """What the load saw, and why the rate was not kept; empty when it was."""
    outcome = await Load(running.target, body).open(seconds, rate, CONNECTIONS)
    due, p99, behind = rate * (seconds - PROVIDER_SECONDS), outcome.quantile(0.99), waiting(running)
    checks = {
        f"errors: {dict(outcome.errors)}": not outcome.errors,
        f"{outcome.in_time} answered of {due:.0f}": outcome.in_time >= IN_TIME * due,
        f"p99 {p99:.0f} ms": p99 < 1000 * (PROVIDER_SECONDS + LATE_SECONDS),
        f"{behind} behind": behind <= MAY_WAIT_SECONDS * rate,
    }
    return outcome, "; ".join(problem for problem, is_fine in checks.items() if not is_fine)


async def drained(running: Started) -> None:
    end = asyncio.get_running_loop().time() + DRAIN_SECONDS
    while waiting(running) and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.5)


async def highest(running: Started, body: Body) -> float:
    low, high = 0.0, FASTEST[body.name]
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        _, problem = await hold(running, body, rate, TRIAL_SECONDS)
        say(f"  {body.name}: {rate:.0f}/s {problem or 'kept'}")
        low, high = (low, rate) if problem else (rate, high)
        await drained(running)
    return low


async def measured(gateway: Gateway, rig: Rig, body: Body, seconds: float, begin: float | None) -> Held:
    """`begin` is the rate that is tried first; else the highest that is kept for a moment."""
    with started(gateway, rig) as running:
        await until_ready(running, body)
        await drained(running)
        rate, problem = begin or await highest(running, body), "not tried"
        while problem and rate > 1:
            before = _cpu(running)
            outcome, problem = await hold(running, body, rate, seconds)
            say(f"  {body.name}: {rate:.0f}/s for {seconds:.0f} s {problem or 'kept'}")
            await drained(running)
            cpu = (_cpu(running) - before) / max(outcome.finished, 1) * 1000
            held, rate = rate, rate * LESS
        quick = 1000 * PROVIDER_SECONDS
        half, _ = await hold(running, body, held / 2, HALF_SECONDS)
        return Held(gateway.name, body.name, held, half.quantile(0.5) - quick, half.quantile(0.99) - quick, cpu)


def _cpu(running: Started) -> float:
    return sum(usage(process.pid).cpu for process in (running.server, *running.helpers))


async def run(options: argparse.Namespace) -> list[Held]:
    server, port = await start_upstream()
    Upstream.delay = PROVIDER_SECONDS
    rig = Rig(divide_cores(), port, options.scratch.resolve())
    bodies = make_bodies()
    found = []
    for gateway in [loupe(bodies[0]), *(peer for peer in PEERS if peer.name == "portkey")]:
        if options.only and gateway.name not in options.only:
            continue
        say(f"{gateway.name} {gateway.prepare(rig)}")
        for body in [bodies[0], streamed(), *bodies[1:]]:
            if not options.body or body.name in options.body:
                try:
                    seconds = LONG_SECONDS if options.long else options.seconds
                    found.append(await measured(gateway, rig, body, seconds, options.rate))
                    say(f"  {found[-1]}")
                except Unavailable as error:
                    say(f"  {body.name}: not measured, {error}")
                shutil.rmtree(rig.scratch / "runs" / gateway.name, ignore_errors=True)
    server.close()
    return found


def table(found: list[Held]) -> str:
    head = [
        "| body | gateway | kept requests/s | x portkey | added p50 / p99 ms at half of it | CPU s per 1,000 |",
        "|" + " --- |" * 6,
    ]
    peers = {one.body: one.rate for one in found if one.gateway == "portkey"}
    lines = [
        f"| {one.body} | {one.gateway} | {one.rate:.0f} | "
        f"{f'{one.rate / peers[one.body]:.2f}' if one.body in peers else '·'} | {one.p50:.1f} / {one.p99:.1f} | {one.cpu:.2f} |"
        for one in sorted(found, key=lambda one: one.body)
    ]
    return "\n".join([*head, *lines])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sustained", description=__doc__)
    parser.add_argument("--seconds", type=float, default=HELD_SECONDS, help="how long the rate is held (default 60)")
    parser.add_argument("--long", action="store_true", help="hold it for ten minutes")
    parser.add_argument("--rate", type=float, help="hold this many a second first, instead of looking for the highest")
    parser.add_argument("--only", action="append", choices=["loupe", "portkey"])
    parser.add_argument("--body", action="append", choices=list(FASTEST))
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "loupe-bench")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    with asyncio.Runner(loop_factory=event_loop()[1]) as runner:
        text = table(runner.run(run(options)))
    print(text)
    if not (options.only or options.body or options.rate):
        LATEST.write_text(HEAD.format(held=LONG_SECONDS if options.long else options.seconds) + text + "\n")


if __name__ == "__main__":
    main()
