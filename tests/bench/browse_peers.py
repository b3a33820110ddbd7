"""`python -m tests.bench.browse_peers`: Loupe's log browser beside those of Arize Phoenix and MLflow, on the same requests.

Sample logs are written into Loupe, exported from it, and loaded into the peers through their public APIs, each on its own
default of SQLite; pictures stay links there, as base64 in their rows would slow them. Each is then asked what its own pages
ask when a person opens the list, searches for a text, and opens one request. Loupe answers with whole pages, facets and chart
included; the peers' figures are of the one query behind the list, without the page around it.
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
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.browse import Reader, filled
from tests.loupe import free_port, until

ROUNDS = 20
PATIENCE_SECONDS = 30
LATEST = Path(__file__).with_name("browse_peers.md")
TEXTS = ("receipt", "picture", "total due", "zebra")
BATCH = 500
ROWS = 50
Ask = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Record:
    """One logged request as the peers take it; times in nanoseconds."""

    number: int
    model: str
    question: str
    answer: str
    is_ok: bool
    started: int
    ended: int
    tokens: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Peer:
    """`load` takes the records; `asks` gives what a page asks for, by the name of the page. `serve` and `env` start it."""

    name: str
    package: str
    serve: str
    env: dict[str, str]
    load: Callable[[str, Sequence[Record]], None]
    asks: Callable[[str], dict[str, list[Ask]]]


def post(url: str, document: object, **headers: str) -> Any:
    """The JSON answer; waits while the server says that it is too busy to take more."""
    named = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    for _ in range(600):
        request = urllib.request.Request(url, json.dumps(document).encode(), named)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(0.5)
    raise TimeoutError(url)


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


def batches(found: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(found), BATCH):
        yield found[start : start + BATCH]


# Arize Phoenix: spans by its REST API; lists and details by GraphQL, as the queries of its pages SpansTable and SpanDetails.

PHOENIX_LIST = """query($id: ID!, $filter: String) { node(id: $id) { ... on Project {
  spans(first: %d, sort: {col: startTime, dir: desc}, filterCondition: $filter) { edges { node {
    id spanKind name statusCode startTime latencyMs tokenCountTotal costSummary { total { cost } } trace { traceId }
    input { value: truncatedValue } output { value: truncatedValue } } } pageInfo { endCursor hasNextPage } } } } }"""
PHOENIX_DETAIL = """query($id: ID!) { node(id: $id) { ... on Span { id spanId trace { traceId } name spanKind statusCode
  startTime latencyMs tokenCountTotal endTime input { value mimeType } output { value mimeType } attributes
  events { name message timestamp } spanAnnotations { id name label score } } } }"""


def load_phoenix(root: str, found: Sequence[Record]) -> None:
    for some in batches(found):
        post(f"{root}/v1/projects/default/spans", {"data": [_phoenix_span(one) for one in some]})
    count = "{ projects { edges { node { recordCount } } } }"
    graphql = f"{root}/graphql"
    until(lambda: _first(post(graphql, {"query": count}))["recordCount"] >= len(found), "Phoenix holds all", 3600)


def _first(answer: Any) -> Any:
    return answer["data"]["projects"]["edges"][0]["node"]


def _phoenix_span(one: Record) -> dict[str, Any]:
    return {
        "name": "chat",
        "context": {"trace_id": f"{one.number:032x}", "span_id": f"{one.number:016x}"},
        "span_kind": "LLM",
        "start_time": _iso(one.started),
        "end_time": _iso(one.ended),
        "status_code": "OK" if one.is_ok else "ERROR",
        "attributes": {
            "input.value": one.question,
            "input.mime_type": "application/json",
            "output.value": one.answer,
            "output.mime_type": "application/json",
            "llm.model_name": one.model,
            "llm.token_count.prompt": one.tokens[0],
            "llm.token_count.completion": one.tokens[1],
        },
    }


def _iso(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9)) + f".{nanoseconds // 1000 % 10**6:06}Z"


def asks_of_phoenix(root: str) -> dict[str, list[Ask]]:
    graphql = f"{root}/graphql"
    project = _first(post(graphql, {"query": "{ projects { edges { node { id } } } }"}))["id"]

    def page(condition: str) -> Any:
        query = {"query": PHOENIX_LIST % ROWS, "variables": {"id": project, "filter": condition}}
        return _answered(post(graphql, query))

    def detail(id: str) -> Any:
        return _answered(post(graphql, {"query": PHOENIX_DETAIL, "variables": {"id": id}}))

    shown = [edge["node"]["id"] for edge in page("")["data"]["node"]["spans"]["edges"][:6]]
    searches = [f"'{text}' in input.value or '{text}' in output.value" for text in TEXTS]
    return {
        "list": [partial(page, "")],
        "text search": [partial(page, condition) for condition in searches],
        "one request": [partial(detail, id) for id in shown],
    }


def _answered(answer: Any) -> Any:
    assert "errors" not in answer, answer
    return answer


# MLflow: traces by OpenTelemetry's JSON; lists and details as its own pages ask for them.


def load_mlflow(root: str, found: Sequence[Record]) -> None:
    for some in batches(found):
        spans = [{"scope": {"name": "bench"}, "spans": [_otlp_span(one) for one in some]}]
        document = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": spans}]}
        post(f"{root}/v1/traces", document, x_mlflow_experiment_id="0")


def _otlp_span(one: Record) -> dict[str, Any]:
    named = {
        "mlflow.spanType": '"CHAT_MODEL"',
        "mlflow.spanInputs": one.question,
        "mlflow.spanOutputs": one.answer,
        "mlflow.llm.model": json.dumps(one.model),
    }
    return {
        "traceId": f"{one.number:032x}",
        "spanId": f"{one.number:016x}",
        "name": "chat",
        "kind": 1,
        "startTimeUnixNano": str(one.started),
        "endTimeUnixNano": str(one.ended),
        "status": {"code": 1 if one.is_ok else 2},
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in named.items()],
    }


def asks_of_mlflow(root: str) -> dict[str, list[Ask]]:
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
    basis = {"locations": [place], "max_results": ROWS, "order_by": ["timestamp_ms DESC"]}
    api = f"{root}/ajax-api/3.0/mlflow"

    def page(**more: str) -> Any:
        return post(f"{api}/traces/search", basis | more)

    def detail(id: str) -> bytes:
        with urllib.request.urlopen(f"{api}/traces/get?trace_id={id}", timeout=120) as answer:
            return bytes(answer.read())

    shown = [one["trace_id"] for one in page()["traces"][:6]]
    searches = [f"trace.text ILIKE '%{text}%'" for text in TEXTS]
    return {
        "list": [page],
        "text search": [partial(page, filter=text) for text in searches],
        "one request": [partial(detail, id) for id in shown],
    }


def asks_of_loupe(reader: Reader, ids: Sequence[str]) -> dict[str, list[Ask]]:
    base = "/w/default/logs"
    searches = [f'{base}?w=all&q="{text}"' if " " in text else f"{base}?w=all&q={text}" for text in TEXTS]
    return {
        "list": [partial(reader.get, f"{base}?w=all")],
        "text search": [partial(reader.get, path) for path in searches],
        "one request": [partial(reader.get, f"{base}/{id}") for id in ids],
    }


PEERS = (
    Peer(
        "Arize Phoenix",
        "arize-phoenix",
        "phoenix serve",
        {"PHOENIX_WORKING_DIR": "{folder}", "PHOENIX_PORT": "{port}", "PHOENIX_GRPC_PORT": "{other}"},
        load_phoenix,
        asks_of_phoenix,
    ),
    Peer(
        "MLflow",
        "mlflow",
        "mlflow server --host 127.0.0.1 --port {port} --backend-store-uri sqlite:///{folder}/mlflow.db",
        {},
        load_mlflow,
        asks_of_mlflow,
    ),
)


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


def of_loupe(count: int, folder: Path, export: Path) -> dict[str, list[float]]:
    """Measures Loupe, and leaves its logs in a file."""
    with filled("sqlite", count, folder) as loupe:
        reader = Reader(loupe)
        if not export.exists():
            export.write_bytes(reader.get("/w/default/logs/export/jsonl?w=all")[1])
        newest = [json.loads(line)["id"] for line, _ in zip(export.open("rb"), range(6), strict=False)]
        return measured(asks_of_loupe(reader, newest))


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


def table(count: int, ours: dict[str, list[float]], theirs: dict[str, dict[str, list[float]]]) -> str:
    lines = [f"# The log browser beside its peers, {count:,} requests, SQLite", ""]
    lines += ["| | " + " | ".join(f"{name}, median ms | p95 ms" for name in ours) + " |"]
    lines += ["| --- |" + " ---: | ---: |" * len(ours)]
    for name, found in {"Loupe, whole page": ours, **theirs}.items():
        cells = [f"{_median(found[page])} | {_p95(found[page])}" for page in ours]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, found in theirs.items():
        ratios = [f"{statistics.median(found[page]) / statistics.median(ours[page]):.1f} | " for page in ours]
        lines.append(f"| {name} : Loupe | " + " | ".join(ratios) + " |")
    return "\n".join(lines) + "\n"


def _median(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.0f}"


def _p95(times: Sequence[float]) -> str:
    return f"{sorted(times)[max(round(len(times) * 0.95) - 1, 0)]:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.browse_peers", description=__doc__)
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
            title = f"{peer.name} {version_of(peer.package, programs)}, list query"
            theirs[title] = of_peer(peer, programs, folder, export)
    text = table(given.logs, ours, theirs)
    LATEST.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
