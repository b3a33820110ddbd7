"""Arize Phoenix and MLflow: how their log browsers are started, filled through their public APIs, and asked."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.loupe import until

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
