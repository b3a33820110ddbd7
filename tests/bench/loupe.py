"""Loupe itself: a server on the gateway's core, ingest on the other one, and the time ingest lags behind."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.client import Target, call
from tests.bench.gateways import Gateway, Rig, Started, clean_env
from tests.bench.processes import Running, Unavailable, free_port, run

if TYPE_CHECKING:
    from tests.bench.bodies import Body

HOUSE = Path(__file__).resolve().parents[2]
LAG_LIMIT = 120.0
JOURNAL_MB = 8192
POLL_SECONDS = 0.25


def prepare(rig: Rig) -> str:
    if not (HOUSE / "manage.py").exists():
        raise Unavailable("there is no manage.py")
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    return str(project["version"])


@dataclass(frozen=True, slots=True)
class Serving:
    """The server half alone: where it keeps its things, and how it is reached."""

    data: Path
    env: dict[str, str]
    target: Target
    server: Running


def start_with(mark: Body, provider: str) -> Callable[[Rig], Started]:
    def start(rig: Rig) -> Started:
        return _start(rig, mark, provider)

    return start


def serving(rig: Rig, provider: str = "openai") -> Serving:
    """A server on a fresh data folder, with a key of its own."""
    folder = rig.folder("loupe")
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    env = clean_env(
        LOUPE_DATA=str(data), LOUPE_SNAPSHOT="off", BENCH_SECRET="sk-bench", LOUPE_PROVIDER_HOSTS="loopback"
    )
    env["LOUPE_JOURNAL_LIMIT_MB"] = str(JOURNAL_MB)
    manage = [sys.executable, str(HOUSE / "manage.py")]
    credential = [
        "--provider",
        provider,
        "--secret-env",
        "BENCH_SECRET",
        "--base-url",
        f"http://127.0.0.1:{rig.upstream}/v1",
    ]
    printed = run([*manage, "apikey", "create", "bench"], env=env, folder=HOUSE)
    if not printed:
        raise Unavailable("`manage.py apikey create` printed no key")
    key = printed.splitlines()[-1]
    run([*manage, "virtualkey", "add", "bench", *credential], env=env, folder=HOUSE)
    port = free_port()
    serve = [*manage, "serve", "--port", str(port), "--workers", "1"]
    server = Running(serve, core=rig.cores.gateway, log=folder / "serve.txt", env=env, folder=HOUSE)
    return Serving(data, env, Target(port, {"x-portkey-api-key": key, "x-portkey-virtual-key": "bench"}), server)


def _start(rig: Rig, mark: Body, provider: str) -> Started:
    half = serving(rig, provider)
    ingest, others = (_worker(rig, half, jobs) for jobs in (["ingest"], ["pictures", "index", "upkeep"]))
    caught_up = _catching_up(half.target, ingest, mark)
    return Started(half.target, half.server, [ingest, others], caught_up=caught_up, data=half.data)


def _worker(rig: Rig, half: Serving, jobs: list[str]) -> Running:
    """One of the processes that `up` starts besides the server."""
    work = [sys.executable, str(HOUSE / "manage.py"), "work", "--jobs", *jobs]
    log = half.data.parent / f"work-{jobs[0]}.txt"
    return Running(work, core=rig.cores.rig, log=log, env=half.env, folder=HOUSE)


def _catching_up(target: Target, worker: Running, mark: Body) -> Callable[[], Awaitable[float]]:
    """Ingest takes requests in their order, so all is recorded once a marked last request is."""
    marks = 0
    given_up = False

    async def caught_up() -> float:
        nonlocal marks, given_up
        if given_up:
            return float("inf")
        marks += 1
        trace = f"bench-last-{marks}"
        loop = asyncio.get_running_loop()
        begin = loop.time()
        status, said = await call(target, mark.whole(), x_portkey_trace_id=trace)
        if status != 200:
            raise Unavailable(f"the marked request got {status}: {said[:200].decode(errors='replace')}")
        while loop.time() < begin + LAG_LIMIT:
            if not worker.alive():
                raise Unavailable(f"ingest ended: {worker.last_words()}")
            status, said = await call(target, method="GET", path=f"/v1/logs?trace_id={trace}")
            if status != 200:
                raise Unavailable(f"`GET /v1/logs` got {status}: {said[:200].decode(errors='replace')}")
            if any(log.get("state") == "ok" for log in json.loads(said)["data"]):
                return loop.time() - begin
            await asyncio.sleep(POLL_SECONDS)
        given_up = True
        return float("inf")

    return caught_up


def loupe(mark: Body) -> Gateway:
    return Gateway("loupe", prepare, start_with(mark, "openai"))


def translating(mark: Body) -> list[Gateway]:
    """Loupe before providers that do not speak the caller's format."""
    return [
        Gateway("loupe to gemini", prepare, start_with(mark, "google"), links=False),
        Gateway("loupe to anthropic", prepare, start_with(mark, "anthropic"), links=False),
    ]
