"""`python -m tests.bench`: Loupe and its peers side by side, as a Markdown table.

Run it from the repository's root with Loupe's own Python. It needs two cores that nothing else uses, loopback, and on
its first run a package index for pip and npm; what it installs stays in the scratch folder. `nginx` and `node` come from the system
(Debian: nginx-light, nodejs, npm). Loupe runs with LOUPE_SNAPSHOT=off and a data folder inside the scratch folder.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from tests.bench.bodies import make_bodies
from tests.bench.gateways import Gateway, Rig
from tests.bench.loupe import loupe, translating
from tests.bench.measure import measure, measure_straight
from tests.bench.peers import PEERS
from tests.bench.processes import Bystanders, Unavailable, divide_cores
from tests.bench.report import Results, report
from tests.bench.upstream import start_upstream

LATEST = Path(__file__).with_name("latest.md")
QUICK_SECONDS = 3.0
DISK_PER_SECOND = 2.5 * 1024**3
"""What a fast gateway that records everything writes of 1 MB pictures, with room to spare."""


def arguments() -> argparse.Namespace:
    names = ["loupe", "loupe to gemini", "loupe to anthropic", *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each phase (default 10)")
    parser.add_argument("--quick", action="store_true", help=f"phases of {QUICK_SECONDS:.0f} seconds")
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        help="measure this one only; may be repeated; latest.md stays as it is",
    )
    parser.add_argument(
        "--quiet-wait",
        type=float,
        default=60.0,
        help="seconds to wait, before each gateway, for other processes to calm down (default 60)",
    )
    parser.add_argument(
        "--same-picture", action="store_true", help="send the same picture each time instead of a new one"
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path(tempfile.gettempdir()) / "loupe-bench",
        help="for installs and data",
    )
    parser.add_argument(
        "--note",
        default="",
        help="a word about the machine for the report, such as its disk or what else ran",
    )
    options = parser.parse_args()
    if options.quick:
        options.seconds = QUICK_SECONDS
    return options


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def event_loop() -> tuple[str, Callable[[], asyncio.AbstractEventLoop]]:
    try:
        import uvloop
    except ImportError:
        return "asyncio", asyncio.new_event_loop
    return f"uvloop {version('uvloop')}", uvloop.new_event_loop


async def bench(options: argparse.Namespace, loop_name: str) -> Results:
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    cores = divide_cores()
    if cores.count < 2:
        say("only one core: gateway and rig share it, so every number is too low")
    say("drawing pictures")
    bodies = make_bodies(same_picture=options.same_picture)
    server, port = await start_upstream()
    rig = Rig(cores, port, options.scratch.resolve())
    await Bystanders.leave(options.quiet_wait)
    say("straight to the upstream")
    straight = await measure_straight(port, bodies, options.seconds)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    results = Results(today, cores.count, options.seconds, loop_name, options.note, bodies, straight)
    for gateway in [loupe(bodies[0]), *translating(bodies[1]), *PEERS]:
        if not options.only or gateway.name in options.only:
            await _one(gateway, rig, results, options.quiet_wait)
    server.close()
    return results


async def _one(gateway: Gateway, rig: Rig, results: Results, quiet_wait: float) -> None:
    say(gateway.name)
    try:
        results.versions[gateway.name] = gateway.prepare(rig)
        await Bystanders.leave(quiet_wait)
        bystanders = Bystanders()
        bodies = results.bodies if gateway.links else results.bodies[1:]
        results.rows[gateway.name] = await measure(gateway, rig, bodies, results.straight, results.seconds)
        results.bystanders[gateway.name] = bystanders.share()
        shutil.rmtree(rig.scratch / "runs" / gateway.name, ignore_errors=True)
    except (Unavailable, OSError) as error:
        say(f"{gateway.name}: {error}")
        results.missing[gateway.name] = str(error) or type(error).__name__


def main() -> None:
    options = arguments()
    options.scratch.mkdir(parents=True, exist_ok=True)
    needed = DISK_PER_SECOND * options.seconds
    if shutil.disk_usage(options.scratch).free < needed:
        sys.exit(f"{options.scratch}: less than {needed / 1024**3:.0f} GiB free, and 1 MB pictures are written to disk")
    loop_name, factory = event_loop()
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            results = runner.run(bench(options, loop_name))
        except asyncio.CancelledError:
            sys.exit("ended before the end")
    text = report(results)
    if not options.only:
        LATEST.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
