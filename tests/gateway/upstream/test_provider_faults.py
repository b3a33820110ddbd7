"""What a caller of OpenAI's API gets, and what the log says, when a vendor of another format fails in a way of its own."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

import pytest

from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, Script, event, reset, response, stream
from tests.loupe import Loupe
from tests.vendors import (
    AMAZON,
    ANTHROPIC,
    BEDROCK,
    CLAUDE_PATH,
    GOOGLE,
    GOOGLE_PATH,
    TRANSLATED,
    Vendor,
    corner,
    frame,
    named_event,
    speaking,
    streamed,
)
from tests.vendors import whole as answer

PAGE = b"<html><head><style>b{}</style></head><body><h1>Bad gateway</h1><p>cloud-edge-7</p></body></html>"
HTML = {"content-type": "text/html"}
FIRST = "A red "
WORDS = (FIRST, "square.")


@pytest.fixture(params=TRANSLATED, ids=str)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def stage(vendor_loupe: Loupe, upstream: FakeUpstream, vendor: Vendor) -> Stage:
    return corner(vendor_loupe, upstream, vendor)


def ask(stage: Stage, vendor: Vendor, *, streaming: bool) -> tuple[int, dict[str, str], bytes]:
    return stage.chat({"model": vendor.named, "stream": streaming})


def told(body: bytes) -> tuple[str, list[dict[str, Any]]]:
    """The words and the errors of a stream. Every event of it must be unnamed JSON, or the end mark."""
    text, errors = "", []
    for line in body.decode().splitlines():
        assert not line or line.startswith("data: "), line
        if not line or line == "data: [DONE]":
            continue
        document = json.loads(line[6:])
        errors += [document["error"]] if "error" in document else []
        text += "".join(choice["delta"].get("content") or "" for choice in document.get("choices", []))
    return text, errors


def error_in(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    assert set(document["error"]) >= {"message", "type", "param", "code"}
    assert document["status"] == "failure"
    return document["error"]  # type: ignore[no-any-return]


ERRORS = {
    "anthropic": named_event({"type": "error", "error": {"type": "overloaded_error", "message": "Too many of you"}}),
    "gemini": event({"error": {"code": 503, "message": "Too many of you", "status": "UNAVAILABLE"}}),
    "converse": frame("modelStreamErrorException", {"message": "Too many of you"}, exception=True),
}
KINDS = {"anthropic": "overloaded_error", "gemini": "UNAVAILABLE", "converse": "ModelStreamErrorException"}


@pytest.mark.parametrize("together", [True, False], ids=["in one chunk", "in chunks of their own"])
def test_an_error_in_the_middle_of_a_stream_follows_the_words_that_came(
    stage: Stage, vendor: Vendor, together: bool
) -> None:
    chunks = [streamed(vendor.dialect, *WORDS)[0], ERRORS[vendor.dialect]]
    stage.case.will(stream([b"".join(chunks)] if together else chunks, content_type=vendor.framing))
    status, headers, body = ask(stage, vendor, streaming=True)
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    text, [error] = told(body)
    assert (text, error["message"], error["type"]) == (FIRST, "Too many of you", KINDS[vendor.dialect])
    log = stage.log()
    assert (log["state"], log["failure"], log["failure_message"]) == ("error", "stream_error", "Too many of you")
    assert (log["response_status_code"], log["answer_preview"]) == (200, FIRST.strip())


def test_a_connection_that_breaks_in_the_middle_of_a_stream_is_told_after_the_words_that_came(
    stage: Stage, vendor: Vendor
) -> None:
    chunks = streamed(vendor.dialect, *WORDS)
    stage.case.will(stream(chunks[:1], ending=reset, content_type=vendor.framing))
    status, _, body = ask(stage, vendor, streaming=True)
    text, [error] = told(body)
    assert (status, text, error["code"]) == (200, FIRST, "broken_off")
    log = stage.log()
    assert (log["state"], log["failure"], log["answer_preview"]) == ("failed", "broken_off", FIRST.strip())
    assert log["failure_message"] in error["message"]


@pytest.mark.parametrize("half", [False, True], ids=["between messages", "within a message"])
def test_a_stream_that_ends_early_in_good_order_is_told_to_be_incomplete(
    stage: Stage, vendor: Vendor, half: bool
) -> None:
    chunks = streamed(vendor.dialect, *WORDS, "Really.")
    rest = [chunks[1][: len(chunks[1]) // 2]] if half else []
    stage.case.will(stream([*chunks[:1], *rest], content_type=vendor.framing))
    status, _, body = ask(stage, vendor, streaming=True)
    text, [error] = told(body)
    assert (status, text, error["code"]) == (200, FIRST, "broken_off")
    log = stage.log()
    assert (log["state"], log["failure"], log["answer_preview"]) == ("failed", "invalid_stream", FIRST.strip())
    assert log["failure_message"]


@pytest.mark.parametrize("together", [True, False], ids=["in one chunk", "in chunks of their own"])
def test_a_damaged_message_is_told_once_after_the_words_that_came(stage: Stage, vendor: Vendor, together: bool) -> None:
    first, second, *rest = streamed(vendor.dialect, *WORDS)
    damaged = second.replace(b"square", b"squ\x00re" if vendor is BEDROCK else b'squ"re')
    chunks = [first, damaged, *rest]
    stage.case.will(stream([b"".join(chunks)] if together else chunks, content_type=vendor.framing))
    _, _, body = ask(stage, vendor, streaming=True)
    text, errors = told(body)
    assert (text, [error["code"] for error in errors]) == (FIRST, ["invalid_stream"])
    log = stage.log()
    assert (log["state"], log["failure"], log["answer_preview"]) == ("failed", "invalid_stream", FIRST.strip())


def test_an_answer_under_a_wrong_content_type_is_read_all_the_same(stage: Stage, vendor: Vendor) -> None:
    stage.case.will(response(body=answer(vendor.dialect, *WORDS), headers={"content-type": "text/plain"}))
    status, headers, body = ask(stage, vendor, streaming=False)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["choices"][0]["message"]["content"] == "A red square."
    log = stage.log()
    assert (log["state"], log["answer_preview"], log["total_units"]) == ("ok", "A red square.", 1110)


def test_a_whole_answer_where_a_stream_was_asked_for_becomes_a_stream(stage: Stage, vendor: Vendor) -> None:
    stage.case.will(response(body=answer(vendor.dialect, *WORDS)))
    status, headers, body = ask(stage, vendor, streaming=True)
    assert (status, headers["content-type"], told(body)) == (200, "text/event-stream", ("A red square.", []))
    assert stage.log()["answer_preview"] == "A red square."


@pytest.mark.parametrize("claimed", ["application/json", "text/plain"])
def test_a_stream_under_a_wrong_content_type_is_told_as_an_error(stage: Stage, vendor: Vendor, claimed: str) -> None:
    stage.case.will(stream(streamed(vendor.dialect, *WORDS), content_type=claimed))
    status, _, body = ask(stage, vendor, streaming=True)
    assert (status, error_in(body)["code"]) == (502, "invalid_answer")
    log = stage.log()
    assert (log["state"], log["failure"]) == ("failed", "invalid_answer")
    assert log["failure_message"] in error_in(body)["message"]


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_page_of_html_with_an_error_status_becomes_an_error_with_its_words(
    stage: Stage, vendor: Vendor, status: int, streaming: bool
) -> None:
    stage.case.will(response(status, PAGE, HTML | {"retry-after": "9"}))
    got, headers, body = ask(stage, vendor, streaming=streaming)
    error = error_in(body)
    assert (got, headers["content-type"], headers["retry-after"]) == (status, "application/json", "9")
    assert error["code"] == f"http_{status}"
    assert "Bad gateway cloud-edge-7" in error["message"]
    assert "<" not in error["message"]
    log = stage.log()
    assert (log["state"], log["response_status_code"]) == ("error", status)
    assert "cloud-edge-7" in json.dumps(log["response"]["body"])
    assert log["failure_message"] == error["message"]
    assert log["answer_preview"] == error["message"]


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    "script",
    [response(200, PAGE, HTML), response(200, b""), response(200, b"null"), response(200, b'{"welcome": "to nginx"}')],
    ids=["a page", "nothing", "null", "other JSON"],
)
def test_a_200_that_is_no_answer_is_told_as_a_failure_of_the_vendor(
    stage: Stage, vendor: Vendor, script: Script, streaming: bool
) -> None:
    stage.case.will(script)
    status, _, body = ask(stage, vendor, streaming=streaming)
    error = error_in(body)
    assert (status, error["code"], error["type"]) == (502, "invalid_answer", "upstream_error")
    assert error["message"].startswith(f"{vendor.provider}: ")
    log = stage.log()
    assert (log["state"], log["failure"], log["response_status_code"]) == ("failed", "invalid_answer", 200)
    assert log["failure_message"]
    assert log["failure_message"] in error["message"]


def test_an_event_stream_without_events_is_told_to_be_incomplete(stage: Stage, vendor: Vendor) -> None:
    stage.case.will(stream([], content_type=vendor.framing))
    _, _, body = ask(stage, vendor, streaming=True)
    text, [error] = told(body)
    assert (text, error["code"]) == ("", "broken_off")
    assert (stage.log()["state"], stage.log()["failure"]) == ("failed", "invalid_stream")


WORN = {
    "anthropic": {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}, "request_id": "r"},
    "gemini": {
        "error": {
            "code": 429,
            "message": "Slow down",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "16.2s"}],
        }
    },
    "converse": {"message": "Slow down"},
}
NAMES = {
    "anthropic": ("rate_limit_error", None),
    "gemini": ("rate_limit_error", "RESOURCE_EXHAUSTED"),
    "converse": ("ThrottlingException", "ThrottlingException"),
}


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_a_rate_limit_keeps_its_status_its_words_and_how_long_to_wait(
    stage: Stage, vendor: Vendor, streaming: bool
) -> None:
    headers = {} if vendor is GOOGLE else {"retry-after": "17"}
    headers |= {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/"} if vendor is BEDROCK else {}
    error = WORN[vendor.dialect]
    listed = streaming and vendor is GOOGLE  # as Google does where the answer would have been a stream
    stage.case.will(response(429, [error] if listed else error, headers))
    status, got, body = ask(stage, vendor, streaming=streaming)
    assert (status, got["retry-after"]) == (429, "17")
    error = error_in(body)
    assert (error["message"], (error["type"], error["code"])) == ("Slow down", NAMES[vendor.dialect])
    log = stage.log()
    assert (log["state"], log["response_status_code"], log["answer_preview"]) == ("error", 429, "Slow down")
    assert len(stage.case.requests) == 1


def test_the_vendors_error_under_a_200_is_told_with_its_words(stage: Stage, vendor: Vendor) -> None:
    stage.case.will(response(200, WORN[vendor.dialect]))
    status, _, body = ask(stage, vendor, streaming=False)
    assert (status, error_in(body)["code"]) == (502, "invalid_answer")
    if vendor is not BEDROCK:  # whose errors look like any JSON
        assert "Slow down" in error_in(body)["message"]
        assert stage.log()["failure_message"] == "Slow down"


BLOCKED = {
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
    "usageMetadata": {"promptTokenCount": 1100, "totalTokenCount": 1100},
    "modelVersion": "gemini-2.5-flash",
}


@pytest.mark.parametrize("vendor", [GOOGLE], ids=str)
@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_a_blocked_prompt_is_an_answer_that_the_filter_took(stage: Stage, vendor: Vendor, streaming: bool) -> None:
    stage.case.will(stream([event(BLOCKED)]) if streaming else response(body=BLOCKED))
    status, _, body = ask(stage, vendor, streaming=streaming)
    assert status == 200
    if streaming:
        assert told(body) == ("", [])
        documents = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
        choice = documents[-1]["choices"][0]
    else:
        choice = json.loads(body)["choices"][0]
        assert choice["message"]["content"] is None
        assert json.loads(body)["usage"]["prompt_tokens"] == 1100
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("content_filter", "PROHIBITED_CONTENT")
    log = stage.log()
    assert (log["state"], log["req_units"], log["answer_preview"]) == ("ok", 1100, "")


@pytest.mark.parametrize("vendor", [ANTHROPIC], ids=str)
def test_a_ping_and_an_unknown_event_between_the_words_are_passed_over(stage: Stage, vendor: Vendor) -> None:
    first, *rest = streamed(vendor.dialect, *WORDS)
    odd = [named_event({"type": "ping"}), named_event({"type": "news_of_2027", "delta": 3}), b": a comment\n\n"]
    stage.case.will(stream([first, *odd, *rest], content_type=vendor.framing))
    assert told(ask(stage, vendor, streaming=True)[2]) == ("A red square.", [])
    assert (stage.log()["state"], stage.log()["total_units"]) == ("ok", 1110)


@pytest.mark.parametrize("content_type", [AMAZON, "application/json"])
def test_a_native_stream_of_any_framing_is_passed_on_as_it_comes(
    vendor_loupe: Loupe, upstream: FakeUpstream, content_type: str
) -> None:
    """Amazon's frames, and Google's list of answers where nobody asked for events."""
    vendor = BEDROCK if content_type == AMAZON else GOOGLE
    path = f"{CLAUDE_PATH}/converse-stream" if content_type == AMAZON else f"{GOOGLE_PATH}:streamGenerateContent"
    pieces = streamed("converse", "A", " red") if content_type == AMAZON else [b'[{"candidates":[]}\n', b",{}\n]"]
    stage, go = corner(vendor_loupe, upstream, vendor), threading.Event()
    stage.case.will(stream(pieces, go=go, content_type=content_type))
    connection = http.client.HTTPConnection("127.0.0.1", vendor_loupe.port, timeout=10)
    headers = {
        "content-type": "application/json",
        "x-portkey-api-key": vendor_loupe.key,
        "x-portkey-virtual-key": stage.slug,
    }
    connection.request("POST", f"/v1{path}", b"{}", headers)
    answer = connection.getresponse()
    assert answer.read1() == pieces[0]  # the provider has sent no more
    go.set()
    assert answer.read() == b"".join(pieces[1:])
    connection.close()


def test_the_first_word_of_a_translated_stream_stops_the_clock(stage: Stage, vendor: Vendor) -> None:
    go = threading.Event()
    stage.case.will(speaking(vendor, *WORDS, go=go))
    connection = http.client.HTTPConnection("127.0.0.1", stage.loupe.port, timeout=10)
    body = {"model": vendor.named, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"content-type": "application/json", "x-portkey-api-key": stage.loupe.key}
    headers |= {"x-portkey-virtual-key": stage.slug, "x-portkey-trace-id": stage.trace}
    began = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = connection.getresponse()
    first = (time.perf_counter() - began) * 1000
    go.set()
    answer.read()
    connection.close()
    log = stage.log()
    assert log["time_to_first_byte"] <= first
    assert log["time_to_first_byte"] < log["response_time"]
