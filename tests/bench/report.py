"""The Markdown the bench prints: the machine, one table, and what its columns mean."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench.load import CONNECTIONS
from tests.bench.loupe import LAG_LIMIT
from tests.bench.measure import RATE, WARM_UP_SECONDS, Row, Straight

if TYPE_CHECKING:
    from tests.bench.bodies import Body

COLUMNS = [
    "body",
    "gateway",
    "requests/s",
    "x portkey",
    "x mitmdump",
    "added p50 ms",
    "added p99 ms",
    "CPU s per 1,000",
    "of it ingest",
    "peak MiB",
    "ingest lag s",
    "errors",
]
NOTHING = "·"
DISTURBED = 0.15
"""The part of a core in other hands above which a gateway's numbers are marked as too low."""


@dataclass(slots=True)
class Results:
    date: str
    cores: int
    seconds: float
    loop: str
    note: str
    bodies: list[Body]
    straight: dict[str, Straight]
    versions: dict[str, str] = field(default_factory=dict)
    bystanders: dict[str, float] = field(default_factory=dict)
    """The part of a core that processes other than the bench's took while a gateway was measured."""
    rows: dict[str, list[Row]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def report(results: Results) -> str:
    lines = ["# The bench", "", "Written by `python -m tests.bench`.", "", _machine(results), ""]
    lines += _table(results)
    lines += ["", *_notes(results)]
    return "\n".join(lines) + "\n"


def _machine(results: Results) -> str:
    system = f"{results.cores} cores, {platform.machine()}, Linux {platform.release().partition('-')[0]}"
    python = f"Python {platform.python_version()} with {results.loop}"
    versions = "; ".join(f"{name} {version}" for name, version in results.versions.items())
    parts = [
        results.date,
        system,
        python,
        versions,
        f"{results.seconds:g} s per phase",
        _others(results),
        results.note,
    ]
    return "Machine: " + " · ".join(part for part in parts if part)


def _others(results: Results) -> str:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in results.bystanders.items())
    return f"of a core, other processes took during {shares}" if shares else ""


def _table(results: Results) -> Iterable[str]:
    yield _line(COLUMNS)
    yield _line(["---", "---"] + ["---:"] * (len(COLUMNS) - 3) + ["---"])
    for body in results.bodies:
        title = f"{body.name} ({_size(body.size)})"
        for name, rows in results.rows.items():
            for row in rows:
                if row.body == body.name:
                    yield _line([title, _name(name, results), *_cells(row, results)])
        straight = results.straight[body.name]
        floor = [f"({straight.p50:.2f})", f"({straight.p99:.2f})"]
        yield _line([title, "(no gateway)", _count(straight.per_second), NOTHING, NOTHING, *floor, *[NOTHING] * 5])
    for name, reason in results.missing.items():
        yield _line(["all", name, f"not measured: {reason}".replace("|", "/"), *[NOTHING] * (len(COLUMNS) - 3)])


def _name(gateway: str, results: Results) -> str:
    return f"{gateway} (disturbed)" if results.bystanders.get(gateway, 0.0) > DISTURBED else gateway


def _cells(row: Row, results: Results) -> list[str]:
    at = "" if row.rate == RATE else f" (at {row.rate:.0f}/s)"
    errors = ", ".join(f"{count} times {what}" for what, count in row.errors.most_common(3))
    return [
        _count(row.per_second),
        _ratio(row, results, "portkey"),
        _ratio(row, results, "mitmdump"),
        f"{row.p50:.2f}{at}",
        f"{row.p99:.2f}{at}",
        f"{row.cpu:.3f}",
        NOTHING if row.ingest_cpu is None else f"{row.ingest_cpu:.3f}",
        f"{row.peak:.0f}",
        NOTHING if row.lag is None else (f"> {LAG_LIMIT:.0f}" if math.isinf(row.lag) else f"{row.lag:.1f}"),
        errors or "none",
    ]


def _ratio(row: Row, results: Results, peer: str) -> str:
    for other in results.rows.get(peer, []):
        if other.body == row.body and other.per_second:
            return f"{row.per_second / other.per_second:.2f}"
    return NOTHING


def _translating(results: Results) -> Iterable[str]:
    """What the server's CPU per request is, over that of passing the same body on."""
    plain = {row.body: row.server_cpu for row in results.rows.get("loupe", [])}
    for name, rows in results.rows.items():
        if name.startswith("loupe to "):
            costs = ", ".join(
                f"{row.server_cpu / plain[row.body]:.2f} times ({row.body})" for row in rows if plain.get(row.body)
            )
            yield f"{name}: the server's CPU for a call, over passing the same body on: {costs}. "


def _notes(results: Results) -> Iterable[str]:
    yield from _translating(results)
    yield (
        "The gateway has one core to itself; the load generator, the fake upstream and Loupe's ingest share the other. "
        f"requests/s: {CONNECTIONS} keep-alive connections that never pause, after {WARM_UP_SECONDS:.0f} s of warm-up. "
        f"Added latency: at a steady {RATE:.0f} requests/s, through the gateway less straight to the upstream; "
        "a gateway whose maximum is too near that rate (or below it) gets half its maximum instead, which its cell says. "
        "(no gateway) is the rig itself: the most it can generate, and in brackets its own latency. A gateway near that "
        "number may be faster than shown. CPU and memory are those of the gateway's process tree, Loupe's with ingest; "
        "memory is the highest sum of resident sizes, so shared pages count once per process. Ingest lag: from the end of the "
        "closed loop until a marked last request can be read back through `GET /v1/logs`. "
        f"(disturbed): other processes took more than {DISTURBED:.0%} of a core meanwhile, so measure again on a quiet machine."
    )
    yield ""
    pictures = (
        "a different one in each request" if any(body.stamped for body in results.bodies) else "the same one each time"
    )
    yield (
        f"Sizes in brackets are whole request bodies. Pictures are JPEGs of noise and soft shapes, {pictures}; "
        "what each gateway does besides forwarding differs: Loupe and mitmdump record every byte of both sides on disk, "
        "Portkey, LiteLLM and nginx record nothing. nginx knows nothing of models and is there as the limit."
    )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _size(size: int) -> str:
    return f"{size} B" if size < 10_000 else f"{size / 1000:,.0f} kB"
