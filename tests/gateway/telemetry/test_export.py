"""An OpenTelemetry collector hears of every log, as spans, whatever happens to it or to us."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fake_upstream import Case, FakeUpstream, Received, chat_events, response, stream
from tests.gateway.processes.test_durability import processes
from tests.loupe import ROOT, Loupe, until
from tests.pictures import data_url, picture

TOOK_ALL = response(body=b"", headers={"content-type": "application/x-protobuf"})
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector(upstream: FakeUpstream) -> Case:
    case = upstream.on(f"otel-{uuid.uuid4()}").will(TOOK_ALL)
    case.requests.clear()
    return case


@pytest.fixture
def telling(own_loupe: Callable[..., Loupe], upstream: FakeUpstream, collector: Case) -> Callable[..., Loupe]:
    """Makes a Loupe that tells the collector, with a key for the fake vendor."""

    def make(**env: str) -> Loupe:
        name = next(name for name, case in upstream.cases.items() if case is collector)
        upstream.on("told").will(response())
        endpoint = f"http://127.0.0.1:{upstream.port}/{name}"
        loupe = own_loupe(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, LOUPE_METRICS_TOKEN="t", **env)
        loupe.add_virtual_key("told", upstream.url("told"))
        return loupe

    return make


def exported(request: Received) -> ExportTraceServiceRequest:
    assert request.path == "/v1/traces"
    assert request.header("content-type") == "application/x-protobuf"
    return ExportTraceServiceRequest.FromString(gzip.decompress(request.body))


def spans(collector: Case) -> list[Span]:
    return [
        span
        for request in collector.requests
        for resource in exported(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def attributes(span: Any) -> dict[str, Any]:
    return {
        one.key: [inner.string_value for inner in one.value.array_value.values]
        if (kind := one.value.WhichOneof("value")) == "array_value"
        else getattr(one.value, kind)
        for one in span.attributes
    }


def call(loupe: Loupe, content: Any = "hello", **more: Any) -> int:
    headers = more.pop("headers", {})
    body = {"model": "@told/gpt-4o", "messages": [{"role": "user", "content": content}], **more}
    return loupe.call("/v1/chat/completions", body, headers=headers)[0]


def both(collector: Case, trace: str = TRACE) -> tuple[Span, Span]:
    """The gateway's span of a trace and that of the model's call."""
    found = until(lambda: [one for one in spans(collector) if one.trace_id.hex() == trace], "the spans come")
    served, called = found
    return served, called


def test_a_call_becomes_the_gateways_span_and_the_models_span_in_the_callers_trace(
    telling: Callable[..., Loupe], collector: Case
) -> None:
    loupe = telling(
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test%20bed", LOUPE_URL="https://loupe.example"
    )
    metadata = json.dumps({"_user": "ada", "session_id": "s-7", "team": "vision"})
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-portkey-metadata": metadata}
    part = {"type": "image_url", "image_url": {"url": data_url(picture())}}
    assert call(loupe, ["What is it?", part], temperature=0.5, max_tokens=300, stop="END", headers=headers) == 200
    served, called = both(collector)

    resource = attributes(exported(collector.requests[0]).resource_spans[0].resource)
    assert resource == {"service.name": "loupe", "deployment.environment.name": "test bed"}
    assert (served.name, served.kind) == ("POST /v1/chat/completions", Span.SPAN_KIND_SERVER)
    assert (called.name, called.kind) == ("chat gpt-4o", Span.SPAN_KIND_CLIENT)
    assert served.parent_span_id.hex() == PARENT
    assert called.parent_span_id == served.span_id
    assert served.start_time_unix_nano <= called.start_time_unix_nano <= called.end_time_unix_nano
    assert called.end_time_unix_nano == served.end_time_unix_nano

    log = loupe.log(TRACE)
    own = attributes(served)
    assert own["loupe.log.id"] == log["id"]
    assert own["loupe.log.url"] == f"https://loupe.example/w/default/logs/{log['id']}"
    assert (own["user.id"], own["session.id"], own["loupe.metadata.team"]) == ("ada", "s-7", "vision")
    assert own["http.response.status_code"] == 200
    model = attributes(called)
    assert model["gen_ai.operation.name"] == "chat"
    assert model["gen_ai.provider.name"] == "openai"
    assert (model["gen_ai.request.model"], model["gen_ai.response.model"]) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert (model["gen_ai.usage.input_tokens"], model["gen_ai.usage.output_tokens"]) == (1100, 10)
    assert (model["gen_ai.request.temperature"], model["gen_ai.request.max_tokens"]) == (0.5, 300)
    assert (model["gen_ai.request.stop_sequences"], model["gen_ai.response.finish_reasons"]) == (["END"], ["stop"])
    assert (model["gen_ai.conversation.id"], model["gen_ai.response.id"]) == ("s-7", "chatcmpl-1")
    assert model["loupe.cost_usd"] == pytest.approx(float(log["cost"]))
    assert model["server.address"] == "127.0.0.1"
    assert not {name for name in model if "messages" in name}, "what was said goes along only where that is asked for"


def test_what_was_said_goes_along_when_asked_for_with_links_to_the_pictures(
    telling: Callable[..., Loupe], collector: Case
) -> None:
    loupe = telling(
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY", LOUPE_URL="https://loupe.example/l/"
    )
    image = picture()
    parts = [
        {"type": "text", "text": "What is \u2018it\u2019?"},
        {"type": "image_url", "image_url": {"url": data_url(image)}},
    ]
    parts.append({"type": "image_url", "image_url": {"url": "https://pictures.example/b.jpg"}})
    assert call(loupe, parts, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}) == 200
    model = attributes(both(collector)[1])
    id = loupe.log(TRACE)["id"]
    assert json.loads(model["gen_ai.input.messages"]) == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is \u2018it\u2019?"},
                {
                    "type": "uri",
                    "modality": "image",
                    "mime_type": "image/png",
                    "uri": f"https://loupe.example/l/w/default/logs/{id}/images/i0",
                },
                {"type": "uri", "modality": "image", "uri": "https://pictures.example/b.jpg"},
            ],
        }
    ]
    answer = {"role": "assistant", "parts": [{"type": "text", "content": "A red square."}], "finish_reason": "stop"}
    assert json.loads(model["gen_ai.output.messages"]) == [answer]


def test_a_stream_tells_when_its_first_chunk_came(
    telling: Callable[..., Loupe], collector: Case, upstream: FakeUpstream
) -> None:
    loupe = telling()
    upstream.on("told").will(stream(chat_events("A red", " square.")))
    assert call(loupe, stream=True, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}) == 200
    model = attributes(both(collector)[1])
    assert model["gen_ai.request.stream"] is True
    assert model["gen_ai.response.time_to_first_chunk"] > 0


def test_a_providers_error_and_a_refusal_are_errors_of_their_spans(
    telling: Callable[..., Loupe], collector: Case, upstream: FakeUpstream
) -> None:
    loupe = telling()
    error = {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}
    upstream.on("told").will(response(status=429, body=error))
    assert call(loupe, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}) == 429
    for span in both(collector):
        assert (span.status.code, span.status.message) == (2, "You exceeded your quota.")
        assert attributes(span)["error.type"] == "429"


def test_a_call_that_the_gateway_refused_has_no_span_of_a_model(telling: Callable[..., Loupe], collector: Case) -> None:
    loupe = telling()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert loupe.call("/v1/chat/completions", {"model": "@nowhere/gpt-4o", "messages": []}, headers=headers)[0] == 404
    until(lambda: [one for one in spans(collector) if one.trace_id.hex() == TRACE] or None, "it comes")
    (span,) = [one for one in spans(collector) if one.trace_id.hex() == TRACE]
    assert (span.kind, span.status.code) == (Span.SPAN_KIND_SERVER, 2)
    assert attributes(span)["loupe.state"] == "refused"


def test_what_the_collector_does_not_take_now_waits_and_comes_once(
    telling: Callable[..., Loupe], collector: Case
) -> None:
    loupe = telling()
    collector.will(response(status=503))
    traces = [uuid.uuid4().hex for _ in range(20)]
    for trace in traces:
        assert call(loupe, headers={"traceparent": f"00-{trace}-{PARENT}-01"}) == 200
    collector.wait_request()
    until(lambda: waiting(loupe) >= 20 or None, "all wait")
    for pid in processes(loupe, "work"):
        os.kill(pid, signal.SIGKILL)
    collector.requests.clear()
    collector.will(TOOK_ALL)
    until(lambda: waiting(loupe) == 0 or None, "none waits")
    taken = Counter(span.trace_id.hex() for span in spans(collector))
    assert [taken[trace] for trace in traces] == [2] * 20


def waiting(loupe: Loupe) -> float:
    text = loupe.call("/metrics", headers={"authorization": "Bearer t"})[2].decode()
    line = next(line for line in text.splitlines() if line.startswith('loupe_waiting{what="spans"}'))
    return float(line.split()[1])


def test_one_log_that_the_collector_refuses_keeps_no_other_back(telling: Callable[..., Loupe], collector: Case) -> None:
    taken: set[str] = set()

    def picky(connection: Any, request: Received) -> None:
        found = spans_of(request)
        if any(attributes(span).get("user.id") == "poison" for span in found):
            return response(status=400, body=b"too odd")(connection, request)
        taken.update(span.trace_id.hex() for span in found)
        return TOOK_ALL(connection, request)

    loupe = telling()
    collector.will(picky)
    traces = [uuid.uuid4().hex for _ in range(8)]
    for number, trace in enumerate(traces):
        user = json.dumps({"_user": "poison" if number == 3 else "ada"})
        headers = {"traceparent": f"00-{trace}-{PARENT}-01", "x-portkey-metadata": user}
        assert call(loupe, headers=headers) == 200
    good = {trace for number, trace in enumerate(traces) if number != 3}
    until(lambda: good <= taken or None, "the others come")
    until(lambda: waiting(loupe) == 0 or None, "none waits")
    assert "answered 400: too odd" in loupe.output()


def spans_of(request: Received) -> list[Span]:
    return list(exported(request).resource_spans[0].scope_spans[0].spans)


def test_what_a_collector_says_beside_is_told(telling: Callable[..., Loupe], collector: Case) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=1, error_message="attribute too long")
    body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    loupe = telling()
    collector.will(response(body=body, headers={"content-type": "application/x-protobuf"}))
    assert call(loupe) == 200
    until(lambda: "refused 1 spans: attribute too long" in loupe.output() or None, "it is told")


def test_headers_for_the_collector_come_from_its_own_variables(telling: Callable[..., Loupe], collector: Case) -> None:
    loupe = telling(OTEL_EXPORTER_OTLP_HEADERS="authorization=Basic%20c2VjcmV0,x-scope=a")
    assert call(loupe) == 200
    request = collector.wait_request()
    assert (request.header("authorization"), request.header("x-scope")) == ("Basic c2VjcmV0", "a")
    assert "c2VjcmV0" not in loupe.output()


def test_without_the_variable_nothing_is_told_or_kept(loupe: Loupe) -> None:
    told = loupe.manage("shell", "-c", "from gateway.models import SpanToSend as S; print(S.objects.count())")
    assert told.splitlines()[-1] == "0"


@pytest.mark.parametrize(
    ("env", "cure"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "speaks OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "must be an address such as https://"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "secret"}, "is written name=value,name=value"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_refused_with_the_cure(env: dict[str, str], cure: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert cure in done.stderr
