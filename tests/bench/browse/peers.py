"""`python -m tests.bench.browse.peers`: Loupe's log browser beside those of Arize Phoenix and MLflow, on the same requests.

Sample logs are written into Loupe, exported from it, and loaded into the peers through their public APIs, each on its own
default of SQLite; pictures stay links there, as base64 in their rows would slow them. Each is then asked what its own pages
ask when a person opens the list, searches for a text, and opens one request. The peers' figures are of the one query behind
that page, which answers with JSON; beside them stand Loupe's API, which does the same, and Loupe's whole page, with facets and
chart.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.bench.browse.log_browsers import PEERS, ROWS, TEXTS, Ask, Peer, Record
from tests.bench.browse.pages import Reader, filled
from tests.loupe import Loupe, free_port, until

ROUNDS = 20
PATIENCE_SECONDS = 30
LATEST = Path(__file__).with_name("peers.md")


def records(path: Path) -> Iterator[Record]:
    """From Loupe's own export as JSON Lines."""
    for line in path.open("rb"):
        log = json.loads(line)
        started = int(time.mktime(time.strptime(log["created_at"][:19], "%Y-%m-%dT%H:%M:%S"))) * 10**9
        yield Record(
            zlib.crc32(log["id"].encode()) << 32 | int(log["id"][-8:], 16),
            log["ai_model"],
            json.dumps(log["request"]["body"]),
            json.dumps(log["response"]["body"]),
            bool(log["is_success"]),
            started,
            started + int((log["response_time"] or 0) * 10**6),
            (log["req_units"] or 0, log["res_units"] or 0),
        )


def asks_of_loupe(reader: Reader, ids: Sequence[str]) -> dict[str, list[Ask]]:
    base = "/w/default/logs"
    searches = [f'{base}?w=all&q="{text}"' if " " in text else f"{base}?w=all&q={text}" for text in TEXTS]
    return {
        "list": [partial(reader.get, f"{base}?w=all")],
        "text search": [partial(reader.get, path) for path in searches],
        "one request": [partial(reader.get, f"{base}/{id}") for id in ids],
    }


def asks_of_api(loupe: Loupe, ids: Sequence[str]) -> dict[str, list[Ask]]:
    """The same as JSON, as the peers answer."""
    key = loupe.manage("apikey", "create", f"bench {time.time()}", "--scope", "logs.read")
    base = "/v1/logs"

    def get(path: str) -> bytes:
        status, _, body = loupe.call(path, headers={"x-portkey-api-key": key})
        assert status == 200, body
        return body

    words = [urllib.parse.quote(f'"{text}"' if " " in text else text) for text in TEXTS]
    return {
        "list": [partial(get, f"{base}?limit={ROWS}")],
        "text search": [partial(get, f"{base}?limit={ROWS}&q={word}") for word in words],
        "one request": [partial(get, f"{base}/{id}") for id in ids],
    }


def installed(peer: Peer, folder: Path) -> Path:
    """The programs of a virtual environment of its own, made once."""
    home = folder / f"venv-{peer.package}"
    if not home.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(home / "bin" / "pip"), "install", "--quiet", peer.package], check=True)
    return home / "bin"


@contextmanager
def running(peer: Peer, programs: Path, folder: Path) -> Iterator[str]:
    """Its address while it runs on a folder of its own."""
    folder.mkdir(exist_ok=True)
    given = {"folder": str(folder), "port": str(free_port()), "other": str(free_port())}
    program, *arguments = peer.serve.format(**given).split()
    env = os.environ | {name: value.format(**given) for name, value in peer.env.items()}
    with (folder / "log.txt").open("wb") as out:
        process = subprocess.Popen(
            [str(programs / program), *arguments], cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
    root = f"http://127.0.0.1:{given['port']}"
    try:
        until(lambda: _answers(root), f"{peer.name} answers, see {folder / 'log.txt'}", 180)
        yield root
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its data are thrown away or only read again
        process.wait(60)


def _answers(root: str) -> bool:
    try:
        with urllib.request.urlopen(root, timeout=5):
            return True
    except OSError:
        return False


def measured(asks: dict[str, list[Ask]]) -> dict[str, list[float]]:
    """Milliseconds until the last byte of every answer, after one round that is not counted."""
    return {name: list(_rounds(some)) for name, some in asks.items()}


def _rounds(asks: Sequence[Ask]) -> Iterator[float]:
    """As many rounds as there is time for, after one that is not counted unless it takes all of it."""
    begun = time.monotonic()
    first = [_took(ask) for ask in asks]
    if time.monotonic() - begun > PATIENCE_SECONDS:
        yield from first
        return
    for _ in range(ROUNDS):
        yield from (_took(ask) for ask in asks)
        if time.monotonic() - begun > PATIENCE_SECONDS:
            return


def _took(ask: Ask) -> float:
    """What does not answer within the time of a request counts as that time."""
    started = time.perf_counter()
    with contextlib.suppress(TimeoutError):
        ask()
    return 1000 * (time.perf_counter() - started)


def of_loupe(count: int, folder: Path, export: Path) -> dict[str, dict[str, list[float]]]:
    """Measures Loupe, its pages and its API, and leaves its logs in a file."""
    with filled("sqlite", count, folder) as loupe:
        reader = Reader(loupe)
        if not export.exists():
            export.write_bytes(reader.get("/w/default/logs/export/jsonl?w=all")[1])
        newest = [json.loads(line)["id"] for line, _ in zip(export.open("rb"), range(6), strict=False)]
        return {
            "Loupe, JSON": measured(asks_of_api(loupe, newest)),
            "Loupe, whole page": measured(asks_of_loupe(reader, newest)),
        }


def of_peer(peer: Peer, programs: Path, folder: Path, export: Path) -> dict[str, list[float]]:
    home = folder / f"{peer.package}-{export.stem}"
    is_new = not home.exists()
    with running(peer, programs, home) as root:
        if is_new:
            started = time.monotonic()
            peer.load(root, list(records(export)))
            print(f"{peer.name}: loaded in {time.monotonic() - started:.0f} s", file=sys.stderr)
        found = measured(peer.asks(root))
        print(f"{peer.name}: {[(page, _median(times)) for page, times in found.items()]}", file=sys.stderr)
        return found


def version_of(package: str, programs: Path) -> str:
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.check_output([str(programs / "python"), "-c", ask], text=True).strip()


def table(count: int, loupe: dict[str, dict[str, list[float]]], theirs: dict[str, dict[str, list[float]]]) -> str:
    """Ratios are to the same kind of answer, JSON."""
    ours = loupe["Loupe, JSON"]
    lines = [f"# The log browser beside its peers, {count:,} requests, SQLite", ""]
    lines += ["| | " + " | ".join(f"{name}, median ms | p95 ms" for name in ours) + " |"]
    lines += ["| --- |" + " ---: | ---: |" * len(ours)]
    for name, found in {**loupe, **theirs}.items():
        cells = [f"{_median(found[page])} | {_p95(found[page])}" for page in ours]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, found in theirs.items():
        ratios = [f"{statistics.median(found[page]) / statistics.median(ours[page]):.1f} | " for page in ours]
        lines.append(f"| {name} : Loupe, JSON | " + " | ".join(ratios) + " |")
    return "\n".join(lines) + "\n"


def _median(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.0f}"


def _p95(times: Sequence[float]) -> str:
    return f"{sorted(times)[max(round(len(times) * 0.95) - 1, 0)]:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.browse.peers", description=__doc__)
    parser.add_argument("--logs", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="a folder in which programs and data stay, to be measured again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.keep or Path(scratch)).resolve()
        folder.mkdir(exist_ok=True)
        export = folder / f"{given.logs}.jsonl"
        ours, theirs = of_loupe(given.logs, folder, export), {}
        for peer in PEERS:
            programs = installed(peer, folder)
            title = f"{peer.name} {version_of(peer.package, programs)}, JSON"
            theirs[title] = of_peer(peer, programs, folder, export)
    text = table(given.logs, ours, theirs)
    LATEST.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
