"""What the wire may throw at the front gate: slow, stalled, huge and ambiguous requests."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until


def exchange(
    loupe: Loupe, request: bytes, *, seconds: float = 10, more: Callable[[socket.socket], None] | None = None
) -> bytes:
    """Send raw bytes; everything that comes back until the other side closes or falls silent."""
    with socket.create_connection(("127.0.0.1", loupe.port), timeout=seconds) as connection:
        connection.sendall(request)
        if more:
            more(connection)
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
                if b"\r\n\r\n" in answer and answer.endswith((b"}", b"0\r\n\r\n")):
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


def head(loupe: Loupe, *lines: str, path: str = "/v1/chat/completions") -> bytes:
    given = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"x-portkey-api-key: {loupe.key}",
        "content-type: application/json",
        *lines,
    ]
    return "\r\n".join([*given, "", ""]).encode()


def test_a_stalled_body_is_ended_with_408(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_BODY_IDLE_SECONDS="1")
    began = time.monotonic()
    answer = exchange(loupe, head(loupe, "content-length: 100") + b'{"model":')
    assert b"408 " in answer.partition(b"\r\n")[0]
    assert b"9 of 100 bytes arrived" in answer
    assert time.monotonic() - began < 9


def test_a_stalled_page_form_is_ended_too(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_BODY_IDLE_SECONDS="1")
    answer = exchange(loupe, head(loupe, "content-length: 100", path="/login") + b"user")
    assert b"408 " in answer.partition(b"\r\n")[0]


def test_a_body_without_a_key_is_not_read(stage: Stage) -> None:
    loupe = stage.loupe
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 30000000\r\n\r\n"
    answer = exchange(loupe, request, more=lambda connection: connection.sendall(b"x" * 30_000_000))
    assert b"401 " in answer.partition(b"\r\n")[0]


def test_a_page_takes_no_large_body_and_spools_none(stage: Stage) -> None:
    answer = exchange(
        stage.loupe,
        head(stage.loupe, "content-length: 5000000", path="/w/nowhere"),
        more=lambda connection: connection.sendall(b"x" * 5_000_000),
    )
    assert b"413 " in answer.partition(b"\r\n")[0]


def test_a_chunked_body_is_capped_as_well(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_MAX_BODY_MB="1")

    def send(connection: socket.socket) -> None:
        for _ in range(40):
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        connection.sendall(b"0\r\n\r\n")

    answer = exchange(loupe, head(loupe, "transfer-encoding: chunked"), more=send)
    assert b"413 " in answer.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: 127.0.0.1", "content-length: 2"),
        ("content-length: 2", "transfer-encoding: chunked"),
        ("content-length: 2", "content-length: 3"),
    ],
    ids=["two hosts", "length and chunked", "two lengths"],
)
def test_an_ambiguous_request_reaches_no_provider(stage: Stage, lines: tuple[str, ...]) -> None:
    answer = exchange(stage.loupe, head(stage.loupe, *lines, f"x-portkey-virtual-key: {stage.slug}") + b"{}", seconds=3)
    assert b"HTTP/1.1 200" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert not stage.case.requests


def test_too_many_headers_are_refused(stage: Stage) -> None:
    answer = exchange(
        stage.loupe, head(stage.loupe, *(f"x-h{n}: 1" for n in range(150)), "content-length: 2") + b"{}", seconds=3
    )
    assert b" 431 " in answer.partition(b"\r\n")[0]


def test_silent_sockets_do_not_keep_others_waiting(stage: Stage) -> None:
    silent = [socket.create_connection(("127.0.0.1", stage.loupe.port)) for _ in range(200)]
    try:
        until(lambda: stage.loupe.call("/healthz")[0] == 200, "health answers")
        assert stage.chat()[0] == 200
    finally:
        for one in silent:
            one.close()


def test_expect_100_continue_is_answered(stage: Stage) -> None:
    body = b'{"model":"@%s/m","messages":[]}' % stage.slug.encode()
    answer = exchange(
        stage.loupe,
        head(stage.loupe, f"content-length: {len(body)}", "expect: 100-continue"),
        more=lambda connection: connection.sendall(body),
    )
    assert b"HTTP/1.1 200" in answer


def test_more_bytes_in_flight_than_allowed_are_told_to_come_back(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_BYTES_IN_FLIGHT_MB="1", LOUPE_BODY_IDLE_SECONDS="5")
    body = b'{"model": "@sandbox/vision", "messages": [], "x": "' + b"y" * 100_000 + b'"}'
    with ExitStack() as holders:

        def refused() -> bool:
            """One that was admitted holds its megabyte until its body stalls too long."""
            holder = holders.enter_context(socket.create_connection(("127.0.0.1", loupe.port), timeout=10))
            holder.sendall(head(loupe, "content-length: 1000000") + b"{")
            return loupe.call("/v1/chat/completions", body)[0] == 429

        until(refused, "the limit is reached")
        _, headers, _ = loupe.call("/v1/chat/completions", body)
        assert (headers["retry-after"], headers.get("x-should-retry")) == ("1", None)
    until(lambda: loupe.call("/v1/chat/completions", body)[0] == 200, "there is room again")


def test_more_uploads_at_once_than_allowed_are_told_to_come_back(own_loupe: Callable[..., Loupe]) -> None:
    loupe, path = own_loupe(LOUPE_BODY_IDLE_SECONDS="3"), "/w/default/pictures"
    cookie = "; ".join(f"{one.name}={one.value}" for one in Browser(loupe, loupe.link).jar)
    with ExitStack() as holders:

        def refused() -> bool:
            """One that was admitted holds its place until its body stalls too long."""
            holder = holders.enter_context(socket.create_connection(("127.0.0.1", loupe.port), timeout=10))
            holder.sendall(head(loupe, "content-length: 1000", f"cookie: {cookie}", path=path) + b"x")
            return loupe.call(path, b"none", headers={"cookie": cookie})[0] == 429

        until(refused, "the limit is reached")
    until(lambda: loupe.call(path, b"none", headers={"cookie": cookie})[0] == 403, "there is room again")


def test_an_address_with_a_nul_is_refused(stage: Stage) -> None:
    for path in ("/w/default/logs?q=%00", "/w/default%00/logs", "/v1/prompts?search=%00"):
        assert (
            b" 400 " in exchange(stage.loupe, head(stage.loupe, "content-length: 0", path=path)).partition(b"\r\n")[0]
        )
