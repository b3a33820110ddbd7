"""Which addresses a provider may have, in whatever spelling, and what an error tells of those it may not."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest

from gateway.network.addresses import is_link_local
from gateway.network.guard import Guard, NotReached, request
from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, response
from tests.loupe import Loupe, until

INNER = [
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254.",
    "[::ffff:169.254.169.254]", "[fe80::1]", "168.63.129.16", "100.100.100.200", "127.0.0.1", "127.1", "0", "0.0.0.0",
    "2130706433", "[::1]", "[::]", "[::ffff:127.0.0.1]", "10.0.0.5", "192.168.1.1", "[fd00:ec2::254]", "localhost",
]  # fmt: skip


@pytest.mark.parametrize("host", INNER)
def test_an_inner_address_is_not_dialled_for_a_provider(host: str) -> None:
    with pytest.raises(NotReached):
        request("GET", f"http://{host}:8080/", guard=Guard(), headers={}, body=b"", seconds=2)


@pytest.mark.parametrize(
    ("entries", "host", "addresses", "allowed"),
    [
        ([], "api.example", ["93.184.216.34"], True),
        ([], "api.example", ["93.184.216.34", "10.0.0.1"], False),
        ([], "api.example", [], False),
        (["loopback"], "127.0.0.1", ["127.0.0.1"], True),
        (["loopback"], "localhost", ["127.0.0.1", "::1"], True),
        (["loopback"], "inner.example", ["10.0.0.1"], False),
        (["10.0.0.0/8"], "inner.example", ["10.0.0.1"], True),
        (["10.0.0.0/8"], "inner.example", ["10.0.0.1", "192.168.0.1"], False),
        (["gpu.lan"], "GPU.lan", ["192.168.0.1"], True),
        (["gpu.lan:9"], "gpu.lan", ["192.168.0.1"], False),
        (["gpu.lan:8000"], "gpu.lan", ["192.168.0.1"], True),
        (["[::1]:8000"], "[::1]", ["::1"], True),
    ],
)
def test_what_an_operator_opens_is_open_and_no_more(
    entries: list[str], host: str, addresses: list[str], *, allowed: bool
) -> None:
    assert Guard.of(entries).allows(host, 8000, addresses) is allowed


def test_metadata_services_are_known_in_any_notation() -> None:
    hosts = ["169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.43518", "[::ffff:169.254.169.254]", "fe80::1"]
    assert all(map(is_link_local, hosts))
    assert not any(map(is_link_local, ["93.184.216.34", "example.com", "1"]))


def test_an_answer_larger_than_any_token_is_not_read(upstream: FakeUpstream) -> None:
    upstream.on("endless-token").will(response(body=bytes(3 << 20)))
    url = upstream.url("endless-token")
    with pytest.raises(NotReached, match="larger than any token"):
        request("POST", url, guard=Guard.of(["loopback"]), headers={}, body=b"x", seconds=5)


def test_a_virtual_key_for_an_inner_address_tells_no_ports_apart(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_PROVIDER_HOSTS="10.0.0.0/8")
    told = []
    with socket.create_server(("127.0.0.1", 0)) as opened:
        for slug, host in (
            ("open", f"127.0.0.1:{opened.getsockname()[1]}"),
            ("closed", "127.0.0.1:9"),
            ("odd", "2130706433:9"),
        ):
            loupe.add_virtual_key(slug, f"http://{host}/v1")
            status, _, body = loupe.call("/v1/chat/completions", {"model": f"@{slug}/m", "messages": []})
            assert status == 502
            error = json.loads(body)["error"]["message"].partition(" The request is in the log")[0]
            told.append(error.replace("2130706433", "127.0.0.1"))
        opened.settimeout(0.2)
        with pytest.raises(TimeoutError):
            opened.accept()
    assert "is not a public address. Whoever runs Loupe can open it with LOUPE_PROVIDER_HOSTS" in told[0]
    assert len(set(told)) == 1


def test_what_runs_on_the_machine_itself_is_told_without_its_ports(stage: Stage) -> None:
    stage.loupe.add_virtual_key(f"closed-{stage.trace[-6:]}", "http://127.0.0.1:9/v1")
    body = stage.chat({"model": f"@closed-{stage.trace[-6:]}/m"})[2]
    assert b"it does not answer" in body
    assert b"refused" not in body


def test_a_loupe_that_calls_itself_is_stopped_after_one_round(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe()
    loupe.add_virtual_key("self", loupe.base, secret=loupe.key)
    status, _, _ = loupe.call("/v1/chat/completions", {"model": "@self/@sandbox/vision", "messages": []})
    assert status == 200
    status, _, body = loupe.call("/v1/chat/completions", {"model": "@self/@self/@self/@sandbox/vision", "messages": []})
    assert status == 400
    assert b"more than once" in body
    until(lambda: len(loupe.logs()) >= 4, "the rounds are logged")
    assert len(loupe.logs()) <= 6
