"""Nobody keeps others out: not one key, not one address, not whoever is unknown."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Overloaded
from gateway.network.addresses import address_group, client_address
from gateway.proxy.admission import Strangers
from gateway.shares import Shares
from tests.conftest import Stage
from tests.gateway.proxy.test_front_gate import exchange, head
from tests.loupe import Loupe, until


def test_alone_a_key_gets_three_quarters_and_the_next_one_still_something() -> None:
    shares = Shares(100)
    first = sum(shares.take(1, "a") for _ in range(200))
    second = sum(shares.take(1, "b") for _ in range(200))
    third = sum(shares.take(1, "c") for _ in range(200))
    assert first == 75
    assert (second, third) == (18, 5)


def test_one_key_leaves_room_for_the_others_of_its_workspace_and_they_for_other_workspaces() -> None:
    shares = Shares(256)
    assert [shares.take(64, "greedy", "team") for _ in range(4)] == [True, True, True, False]
    assert all(shares.take(1, "modest", "team") for _ in range(20))
    assert not all(shares.take(1, f"key {n}", "team") for n in range(100))
    assert all(shares.take(1, "other", "other team") for _ in range(5))


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abc")), max_size=60))
def test_what_is_given_back_is_there_again(takings: list[tuple[int, str]]) -> None:
    shares = Shares(100)
    taken = [(amount, holder) for amount, holder in takings if shares.take(amount, holder, "workspace")]
    assert shares.used == sum(amount for amount, _ in taken)
    for amount, holder in taken:
        shares.give_back(amount, holder, "workspace")
    assert (shares.used, dict(shares.by)) == (0, {})


def test_a_body_larger_than_all_the_room_is_taken_when_nothing_else_is_there() -> None:
    shares = Shares(100)
    assert shares.take(150, "a")
    assert not shares.take(1, "b")


def test_strangers_are_few_and_fewer_from_one_address() -> None:
    strangers = Strangers(most=3, of_address=2)
    with ExitStack() as places:
        places.enter_context(strangers.place("1.1.1.1"))
        places.enter_context(strangers.place("1.1.1.1"))
        with pytest.raises(Overloaded):
            places.enter_context(strangers.place("1.1.1.1"))
        places.enter_context(strangers.place("2.2.2.2"))
        with pytest.raises(Overloaded):
            places.enter_context(strangers.place("3.3.3.3"))
    assert not strangers.by


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("9.9.9.9", "", "9.9.9.9"),
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "rubbish", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::17]", "2001:db8::17"),
        ("", "", ""),
    ],
)
def test_only_a_proxy_of_the_operator_is_believed(peer: str, forwarded: str, address: str) -> None:
    from ipaddress import ip_network

    assert client_address(peer, forwarded, [ip_network("10.0.0.0/8")]) == address


@contextmanager
def slow_posts(loupe: Loupe, path: str, count: int, *lines: str) -> Iterator[list[socket.socket]]:
    request = "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "content-length: 1000", "", "a"])
    with ExitStack() as opened:
        sockets = []
        for _ in range(count):
            one = opened.enter_context(closing(socket.create_connection(("127.0.0.1", loupe.port), timeout=30)))
            one.sendall(request.encode())
            sockets.append(one)
        yield sockets


def answers_within(loupe: Loupe, seconds: float) -> None:
    body = {"model": "@sandbox/vision", "messages": []}
    for path, sent in (("/healthz", None), ("/v1/chat/completions", body)):
        began = time.monotonic()
        assert loupe.call(path, sent)[0] == 200
        assert time.monotonic() - began < seconds


def test_slow_logins_of_strangers_hold_nobody_up(
    own_loupe: Callable[..., Loupe], long_or_short: Callable[..., int]
) -> None:
    loupe = own_loupe()
    with slow_posts(loupe, "/login", long_or_short(3000, 600)) as sockets:
        answers_within(loupe, 5)
        statuses = [one.recv(4000).split(b" ")[1] for one in sockets[40:60]]
        assert statuses.count(b"429") >= 10  # the first ones' ten seconds may be over
    until(lambda: loupe.call("/login", b"x=1", headers={"x-portkey-api-key": ""})[0] == 403, "there is room again")


def test_idle_sockets_hold_nobody_up(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    with ExitStack() as opened:
        for _ in range(3000):
            opened.enter_context(closing(socket.create_connection(("127.0.0.1", loupe.port), timeout=30)))
        answers_within(loupe, 5)


def test_one_keys_slow_uploads_leave_room_for_others(stage: Stage) -> None:
    loupe = stage.loupe
    other = loupe.manage("apikey", "create", f"other-{stage.trace[-8:]}")
    lines = (f"x-portkey-api-key: {other}", "content-type: application/json", f"content-length: {64 << 20}")
    request = "\r\n".join(["POST /v1/chat/completions HTTP/1.1", "Host: 127.0.0.1", *lines, "", "{"]).encode()
    with ExitStack() as opened:
        for _ in range(8):
            one = opened.enter_context(closing(socket.create_connection(("127.0.0.1", loupe.port), timeout=30)))
            one.sendall(request)
        assert [stage.chat()[0] for _ in range(10)] == [200] * 10


def test_a_stranger_may_send_no_more_than_a_login_takes(stage: Stage) -> None:
    for path in ("/login", "/w/default/pictures", "/v1/prompts"):
        request = head(stage.loupe, "content-length: 900000", path=path).replace(stage.loupe.key.encode(), b"lp_none")
        answer = exchange(stage.loupe, request, more=lambda connection: connection.sendall(b"x" * 900_000))
        assert b" 401 " in answer.partition(b"\r\n")[0], path


def test_the_chunks_of_a_stranger_are_counted(stage: Stage) -> None:
    def send(connection: socket.socket) -> None:
        for _ in range(4):
            connection.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
        connection.sendall(b"0\r\n\r\n")

    request = head(stage.loupe, "transfer-encoding: chunked", path="/login")
    assert b" 413 " in exchange(stage.loupe, request, more=send).partition(b"\r\n")[0]


def test_malformed_chunks_are_a_400_in_json(stage: Stage) -> None:
    for path in ("/v1/chat/completions", "/login"):
        answer = exchange(
            stage.loupe, head(stage.loupe, "transfer-encoding: chunked", path=path) + b"zz\r\nabc\r\n0\r\n\r\n"
        )
        assert b" 400 " in answer.partition(b"\r\n")[0], path
        assert b'"code":"bad_body"' in answer, path


def test_health_answers_to_any_name(stage: Stage) -> None:
    answer = exchange(stage.loupe, b"GET /healthz HTTP/1.1\r\nHost: 10.1.2.3:8787\r\n\r\n", seconds=1)
    assert b" 200 " in answer.partition(b"\r\n")[0]


def test_of_ipv6_a_network_is_one_caller() -> None:
    assert address_group("2001:db8:0:1:aaaa::1") == address_group("2001:db8:0:1::2") == "2001:db8:0:1::/64"
    assert address_group("1.2.3.4") == "1.2.3.4"


def test_a_key_that_was_made_a_moment_ago_is_no_strangers(stage: Stage) -> None:
    key = stage.loupe.manage("apikey", "create", f"w-{stage.trace[-8:]}", "--scope", "prompts.write")
    prompt = {
        "name": "large",
        "string": f'[{{"role": "user", "content": "{"x" * 50_000}"}}]',
        "model": "@sandbox/vision",
    }
    assert stage.loupe.call("/v1/prompts", prompt, headers={"x-portkey-api-key": key})[0] == 200
