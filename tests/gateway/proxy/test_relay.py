"""The way of an answer: streams, the client's leaving, and every way in which a provider breaks."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, chat_events, event, raw, reset, response, stall, stream
from tests.gateway.proxy.test_proxy import error_of
from tests.loupe import Loupe


@contextmanager
def streaming(stage: Stage, **headers: str) -> Iterator[http.client.HTTPResponse]:
    """A chat stream, read as it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.loupe.port, timeout=20)
    body = {"model": f"@{stage.slug}/gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    sent = {"content-type": "application/json", "x-portkey-api-key": stage.loupe.key, "x-portkey-trace-id": stage.trace}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), sent | headers)
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def test_a_stream_is_relayed_chunk_by_chunk(stage: Stage) -> None:
    go = threading.Event()
    events = chat_events("A", " red", " square")
    stage.case.will(stream(events, go=go))
    with streaming(stage) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.read1() == events[0]  # the provider has sent no more: nothing was held back
        go.set()
        assert answer.read() == b"".join(events[1:])
    log = stage.log()
    assert (log["state"], log["answer_preview"], log["total_units"], log["stream_mode"]) == (
        "ok",
        "A red square",
        1110,
        True,
    )
    assert log["time_to_first_byte"] < log["response_time"]


def test_when_the_client_leaves_mid_stream_the_provider_is_dropped_at_once(stage: Stage) -> None:
    stage.case.will(stream(chat_events("A", " red"), go=threading.Event()))
    with streaming(stage) as answer:
        answer.read1()
    assert stage.case.requests[0].client_left.wait(20)
    log = stage.log()
    assert (log["state"], log["failure"], log["answer_preview"]) == ("aborted", "client_left", "A")


def test_when_the_client_leaves_before_any_answer_the_provider_is_dropped_at_once(stage: Stage) -> None:
    stage.case.will(stall)
    connection = http.client.HTTPConnection("127.0.0.1", stage.loupe.port, timeout=20)
    body = json.dumps({"model": f"@{stage.slug}/gpt-4o", "messages": []})
    connection.request(
        "POST",
        "/v1/chat/completions",
        body,
        {"content-type": "application/json", "x-portkey-api-key": stage.loupe.key, "x-portkey-trace-id": stage.trace},
    )
    request = stage.case.wait_request()
    assert stage.log(finished=False)["state"] == "in_flight"
    connection.close()
    assert request.client_left.wait(20)
    assert stage.log()["state"] == "aborted"


@pytest.mark.parametrize(
    ("script", "status", "failure"),
    [
        (reset, 502, "not_http"),
        (
            raw(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{"half": '),
            502,
            "broken_off",
        ),
        (
            raw(
                b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n'
            ),
            502,
            "broken_off",
        ),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-le"), 502, "not_http"),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), 502, "not_http"),
        (raw(b"HTTP/1.1 000 What\r\ncontent-length: 0\r\n\r\n"), 502, "not_http"),
        (raw(b""), 502, "not_http"),
    ],
    ids=["reset", "half a body", "half a chunked body", "half a head", "another protocol", "no status", "nothing"],
)
def test_a_provider_that_breaks_off_is_told_and_recorded(stage: Stage, script: Any, status: int, failure: str) -> None:
    stage.case.will(script)
    got, headers, body = stage.chat()
    assert (got, error_of(body)["code"]) == (status, failure)
    assert headers["x-should-retry"] == "false"
    log = stage.log()
    assert (log["state"], log["failure"]) == ("failed", failure)
    assert log["failure_message"] in error_of(body)["message"]


def test_half_a_body_is_kept_as_far_as_it_came(stage: Stage) -> None:
    stage.case.will(raw(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{"half": '))
    _, _, body = stage.chat()
    assert "9 of 100 bytes" in error_of(body)["message"]
    assert stage.log()["response"]["body"] == '{"half": '


def test_a_stream_that_breaks_off_ends_with_an_error_event(stage: Stage) -> None:
    stage.case.will(stream([*chat_events("A", " red")[:2], b'data: {"half'], ending=reset))
    with streaming(stage) as answer:
        lines = answer.read().split(b"\n\n")
    events = [json.loads(line.strip()[6:]) for line in lines if line.strip()]
    assert [one["choices"][0]["delta"]["content"] for one in events[:2]] == ["A", " red"]
    assert events[2]["error"]["code"] == "broken_off"
    log = stage.log()
    assert (log["state"], log["failure"], log["answer_preview"]) == ("failed", "broken_off", "A red")


def test_a_provider_that_is_not_there_is_told_at_once(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        loupe.add_virtual_key("dead", f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
    status, _, body = loupe.call(
        "/v1/chat/completions", {"model": "@dead/m", "messages": []}, headers={"x-portkey-trace-id": "dead"}
    )
    assert (status, error_of(body)["code"]) == (502, "unreachable")
    assert loupe.log("dead")["failure"] == "unreachable"


def test_a_provider_that_falls_silent_is_given_up(own_loupe: Callable[..., Loupe], upstream: FakeUpstream) -> None:
    loupe = own_loupe(LOUPE_UPSTREAM_IDLE_SECONDS="1")
    loupe.add_virtual_key("silent", upstream.url("silent"))
    upstream.on("silent").will(stall)
    status, _, body = loupe.call(
        "/v1/chat/completions", {"model": "@silent/m", "messages": []}, headers={"x-portkey-trace-id": "silent"}
    )
    assert (status, error_of(body)["code"]) == (504, "read_timeout")
    assert loupe.log("silent")["failure"] == "read_timeout"
    assert upstream.on("silent").requests[0].client_left.wait(20)


def test_the_callers_time_limit_is_kept(stage: Stage) -> None:
    stage.case.will(stall)
    status, _, body = stage.chat(x_portkey_request_timeout="150")
    assert (status, error_of(body)["type"], error_of(body)["code"]) == (408, "timeout_error", "request_timeout")
    assert stage.log()["failure"] == "request_timeout"


def test_a_providers_error_reaches_the_client_as_it_came(stage: Stage) -> None:
    theirs = {
        "error": {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    }
    stage.case.will(
        response(429, theirs, {"retry-after": "7", "x-ratelimit-remaining-requests": "0", "set-cookie": "a=b"})
    )
    status, headers, body = stage.chat()
    assert (status, json.loads(body)) == (429, theirs)
    assert (headers["retry-after"], headers["x-ratelimit-remaining-requests"], headers["x-should-retry"]) == (
        "7",
        "0",
        "false",
    )
    assert "set-cookie" not in headers
    assert len(stage.case.requests) == 1
    log = stage.log()
    assert (log["state"], log["response_status_code"], log["answer_preview"]) == ("error", 429, "Rate limit reached")


def test_a_providers_html_error_page_is_told_as_json(stage: Stage) -> None:
    stage.case.will(
        response(502, b"<html><style>x{}</style><h1>Bad gateway</h1></html>", {"content-type": "text/html"})
    )
    status, headers, body = stage.chat()
    assert (status, headers["content-type"]) == (502, "application/json")
    assert error_of(body)["message"] == "openai answered 502: Bad gateway"
    assert stage.log()["response"]["body"].startswith("<html>")


@pytest.mark.parametrize(
    ("chunks", "failure"),
    [
        ([b"data: {broken\n\n", event(b"[DONE]")], "invalid_stream"),
        (chat_events("A")[:1], "invalid_stream"),
        ([event({"error": {"message": "overloaded"}})], "stream_error"),
    ],
    ids=["not JSON", "no end mark", "an error event"],
)
def test_an_invalid_stream_is_passed_on_and_named_in_the_log(stage: Stage, chunks: list[bytes], failure: str) -> None:
    stage.case.will(stream(chunks))
    with streaming(stage) as answer:
        assert answer.read() == b"".join(chunks)
    assert stage.log()["failure"] == failure


def test_a_kept_connection_that_the_provider_closed_is_replaced(stage: Stage) -> None:
    closing = raw(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"
    )  # keep-alive, then closes
    stage.case.will(closing)
    for _ in range(5):
        assert stage.chat()[0] == 200
    assert len(stage.case.requests) == 5


def test_odd_bytes_in_the_providers_headers_do_not_hurt_the_server(stage: Stage) -> None:
    stage.case.will(
        raw(
            b"HTTP/1.1 200 OK\r\nx-odd: caf\xe9 \x80\r\nx-tab: a\tb\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"
        )
    )
    assert stage.chat()[0] in (200, 502)
    assert stage.loupe.call("/healthz")[0] == 200


def test_large_answers_arrive_whole(stage: Stage) -> None:
    body = b'{"data": [{"b64_json": "' + b"QUJD" * 3_000_000 + b'"}]}'
    stage.case.will(response(body=body))
    status, _, got = stage.chat()
    assert (status, got == body) == (200, True)
    assert stage.log()["response_bytes"] == len(body)


def test_upstream_gateway_and_first_byte_times_are_apart(stage: Stage) -> None:
    stage.chat()
    log = stage.log()
    assert 0 < log["upstream_response_time"] < log["response_time"]
    assert log["gateway_processing_time"] == pytest.approx(
        log["response_time"] - log["upstream_response_time"], abs=0.01
    )
    assert log["time_to_first_byte"] > 0


def test_a_second_answer_in_the_same_breath_is_not_believed(stage: Stage) -> None:
    one = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"
    stage.case.will(raw(one + one.replace(b"200 OK", b"418 No").replace(b"{}", b"[]")))
    assert stage.chat()[::2] == (200, b"{}")
    assert stage.log()["response"]["body"] == {}


def test_a_client_that_leaves_with_the_whole_answer_has_not_aborted(stage: Stage) -> None:
    stage.case.will(stream(chat_events("A", " red"), ending=stall))
    with streaming(stage) as answer:
        while b"[DONE]" not in answer.read1():
            pass
    assert stage.log()["state"] == "ok"


def test_a_head_request_keeps_the_providers_length(stage: Stage) -> None:
    stage.case.will(raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\ncontent-type: text/plain\r\n\r\n"))
    connection = http.client.HTTPConnection("127.0.0.1", stage.loupe.port, timeout=10)
    connection.request(
        "HEAD",
        "/v1/files/f/content",
        headers={"x-portkey-api-key": stage.loupe.key, "x-portkey-virtual-key": stage.slug},
    )
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-length"]) == (200, "1234")
    connection.close()


def test_a_request_that_a_provider_took_is_not_sent_again(stage: Stage) -> None:
    def took_it_and_closed(connection: socket.socket, request: Any) -> None:
        threading.Event().wait(0.3)
        raise ConnectionAbortedError

    stage.case.will(response(), took_it_and_closed)
    assert stage.chat()[0] == 200
    assert stage.chat()[0] == 502
    assert len(stage.case.requests) == 2


def test_a_huge_error_page_is_told_in_short(stage: Stage) -> None:
    stage.case.will(response(500, b"<script" * 3_000_000, {"content-type": "text/html"}))
    status, _, body = stage.chat()
    assert status == 500
    assert len(body) < 3000
