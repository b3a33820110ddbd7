"""`python -m tests.bench.ingest`: what a recorded call costs after it is answered, by kind of call.

Journals of real calls are recorded once and taken in several times, each in a fresh process; the least CPU counts. Seconds mean
little on another machine, so each is also told in yardsticks (`taking_in.yardstick`), which the same process measured.
`--guard` compares those with the committed table, ingest.md, and fails where one has grown by more than 15 %.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.bench.__main__ import event_loop, say
from tests.bench.bodies import Body, make_bodies, streamed
from tests.bench.gateways import Rig, Started, until_ready
from tests.bench.load import Load
from tests.bench.loupe import HOUSE, Serving, serving
from tests.bench.processes import Unavailable, divide_cores, run
from tests.bench.upstream import start_upstream

TABLE = Path(__file__).with_name("ingest.md")
CALLS = {"picture by URL": 2000, "stream of 50 chunks": 1000, "100 KB picture": 400, "1 MB picture": 150}
TIMES = 2
MORE_THAN = 1.15
STEPS = ("ingest", "thumbnails", "index")
ROW = re.compile(r"\| (?P<body>[^|]+) \| [^|]+ \| (?P<units>[^|]+) \|")


@dataclass(frozen=True, slots=True)
class Cost:
    """Per 1,000 calls: CPU seconds by step, and those of ingest in yardsticks."""

    body: str
    seconds: dict[str, float]
    units: float
    bytes_a_log: float

    def row(self) -> str:
        ingest, *others = (f"{self.seconds[step]:.3f}" for step in STEPS)
        return f"| {' | '.join([self.body, ingest, f'{self.units:.3f}', *others, f'{self.bytes_a_log:,.0f}'])} |"


async def record(rig: Rig, body: Body, calls: int) -> Serving:
    """Have a server on a fresh data folder record so many calls; it has ended when this returns, and no worker ran."""
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


def taken_in(half: Serving, calls: int, body: Body) -> Cost:
    """The cheapest of some times, each on a copy of what was recorded."""
    found = [_once(half) for _ in range(TIMES)]
    best = min(found, key=lambda one: one["ingest"] / one["yardstick"])
    thousands = calls / 1000
    seconds = {step: best[step] / thousands for step in STEPS}
    return Cost(body.name, seconds, seconds["ingest"] / best["yardstick"], best["database"] / calls)


def _once(half: Serving) -> dict[str, float]:
    copy = half.data.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(half.data, copy)
    said = run([sys.executable, "-m", "tests.bench.taking_in"], env=half.env | {"LOUPE_DATA": str(copy)}, folder=HOUSE)
    costs: dict[str, float] = json.loads(said.splitlines()[-1])
    return costs


async def costs(scratch: Path) -> list[Cost]:
    server, port = await start_upstream()
    rig = Rig(divide_cores(), port, scratch.resolve())
    plain, *pictures = make_bodies()
    found = []
    for body in [plain, streamed(), *pictures]:
        half = await record(rig, body, CALLS[body.name])
        found.append(taken_in(half, CALLS[body.name], body))
        say(found[-1].row())
    server.close()
    return found


def table(found: list[Cost]) -> str:
    return "\n".join(
        [
            "# What a recorded call costs after its answer",
            "",
            "Written by `python -m tests.bench.ingest`: CPU seconds per 1,000 calls on SQLite, every picture a new one.",
            "",
            "| call | ingest | ingest, in yardsticks | thumbnails | index | bytes a log |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *(one.row() for one in found),
            "",
        ]
    )


def grown(found: list[Cost], committed: str) -> list[str]:
    """What costs more than the committed table allows."""
    before = {match["body"]: float(match["units"]) for line in committed.splitlines() if (match := _numbers(line))}
    return [
        f"{one.body}: {one.units:.3f} yardsticks, {one.units / before[one.body]:.2f} times what it was"
        for one in found
        if one.body in before and one.units > before[one.body] * MORE_THAN
    ]


def _numbers(line: str) -> re.Match[str] | None:
    match = ROW.match(line)
    return match if match and match["body"] in CALLS else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__)
    parser.add_argument("--guard", action="store_true", help="fail where a call costs more than the table says")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "loupe-bench")
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    with asyncio.Runner(loop_factory=event_loop()[1]) as runner:
        found = runner.run(costs(options.scratch))
    print(table(found))
    if not options.guard:
        TABLE.write_text(table(found))
    elif worse := grown(found, TABLE.read_text()):
        sys.exit("\n".join(worse))


if __name__ == "__main__":
    main()
