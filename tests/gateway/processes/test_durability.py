"""kill -9 at any moment: nothing that a client received is missing, nothing is there twice."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.recording import journal
from tests.fake_upstream import FakeUpstream, chat_events, response, stall, stream
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture

CLIENTS = 6


class Load:
    """Clients that never stop: plain calls and streams, with a picture each. Remembers every answer that came whole."""

    def __init__(self, loupe: Loupe) -> None:
        self.loupe = loupe
        self.received: list[str] = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        image = data_url(picture(size=(64, 64), colour=(number * 20, 80, 160)))
        while not self.stopping.is_set():
            trace = str(uuid.uuid4())
            with suppress(OSError, http.client.HTTPException):
                if self._call(trace, image, stream=number % 2 == 1):
                    self.received.append(trace)

    def _call(self, trace: str, image: str, *, stream: bool) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.loupe.port, timeout=20)
        part = {"type": "image_url", "image_url": {"url": image}}
        slug = "streams" if stream else "plain"
        body = {"model": f"@{slug}/gpt-4o", "stream": stream, "messages": [{"role": "user", "content": [part]}]}
        headers = {"content-type": "application/json", "x-portkey-api-key": self.loupe.key, "x-portkey-trace-id": trace}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
            return answer.status == 200 and (
                data.endswith(b"data: [DONE]\n\n") if stream else json.loads(data)["id"] == "chatcmpl-1"
            )
        finally:
            connection.close()


def processes(loupe: Loupe, command: str) -> list[int]:
    """The processes of one half, found by their parents: the second argument of manage.py names the half."""
    assert loupe.process is not None
    parents = {loupe.process.pid}
    found: list[int] = []
    for pid in sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        with suppress(OSError, IndexError):
            parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if parent in parents and any(word.endswith("manage.py") for word in words) and command in words:
                parents.add(pid)
                found.append(pid)
    return found


@contextmanager
def prepared(loupe: Loupe, upstream: FakeUpstream) -> Iterator[None]:
    upstream.on("durable-plain").will(response())
    upstream.on("durable-streams").will(stream(chat_events("A", " red", " square")))
    for case in ("plain", "streams"):
        upstream.on(f"durable-{case}").requests.clear()
        loupe.add_virtual_key(case, upstream.url(f"durable-{case}"))
    yield


def all_logs(loupe: Loupe) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = ""
    while True:
        page = json.loads(loupe.call(f"/v1/logs?limit=200{before}")[2])
        found += page["data"]
        if not page["has_more"]:
            return found
        before = f"&before={found[-1]['id']}"


def drained(loupe: Loupe) -> bool:
    """Nothing is under way and every dead process's journal is read and gone."""
    states = {log["state"] for log in loupe.logs()}
    return "in_flight" not in states and len(journal.folders(loupe.data / "journal")) <= 1


def missing(loupe: Loupe, traces: list[str]) -> set[str]:
    """The traces without a finished log. A log that ingest has not begun is not under way, so that `drained` does not see it."""
    return set(traces) - {log["trace_id"] for log in all_logs(loupe) if log["state"] == "ok"}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_fifty_kills_of_server_and_worker_lose_nothing_and_double_nothing(
    own_loupe: Callable[..., Loupe],
    upstream: FakeUpstream,
    request: pytest.FixtureRequest,
    long_or_short: Callable[[int, int], int],
    database: str,
) -> None:
    """Fifty with `--long`, five without."""
    rounds = long_or_short(50, 5)
    env = {"DATABASE_URL": request.getfixturevalue("new_postgres")()} if database == "postgres" else {}
    loupe = own_loupe(**env)
    chance = random.Random(7)
    with prepared(loupe, upstream):
        with Load(loupe) as load:
            for number in range(rounds):
                had = len(load.received)
                until(lambda had=had: len(load.received) > had + 20, "answers come", 60)  # type: ignore[misc]
                victims = until(lambda n=number: processes(loupe, "work" if n % 3 == 2 else "serve"), "it runs")  # type: ignore[misc]
                os.kill(victims[-1] if chance.random() < 0.7 else victims[0], signal.SIGKILL)
        until(lambda: loupe.is_ready() and len(journal.folders(loupe.data / "journal")) == 1, "one server is left", 60)
        loupe.call("/v1/models", headers={"x-portkey-trace-id": "last"})
        until(lambda: loupe.logs("trace_id=last") and drained(loupe), "everything is taken in", 60)
    logs = all_logs(loupe)
    by_trace = Counter(log["trace_id"] for log in logs)
    ok = {log["trace_id"] for log in logs if log["state"] == "ok"}
    sent = {
        r.header("x-portkey-trace-id") for case in ("plain", "streams") for r in upstream.on(f"durable-{case}").requests
    }
    assert len(load.received) > rounds * 20
    assert set(load.received) - set(by_trace) == set()
    assert [trace for trace, count in by_trace.items() if count > 1] == []
    assert len(set(load.received) - ok) <= len([log for log in logs if log["state"] == "interrupted"])
    assert sent == {None}  # our own headers stay here
    assert sum(len(upstream.on(f"durable-{case}").requests) for case in ("plain", "streams")) <= len(logs)
    assert all(
        log["input_images"] == 1
        for log in logs
        if log["state"] == "ok" and log["request_path"] == "/v1/chat/completions" and log["ai_org"] == "openai"
    )


def test_a_server_process_whose_parent_dies_while_it_starts_leaves_the_port(
    own_loupe: Callable[..., Loupe], long_or_short: Callable[[int, int], int]
) -> None:
    loupe = own_loupe()
    for _ in range(long_or_short(30, 2)):
        os.kill(processes(loupe, "serve")[0], signal.SIGKILL)
        parent, child = until(lambda: (found := processes(loupe, "serve"))[1:] and found, "it starts again", 30)
        os.kill(parent, signal.SIGKILL)
        until(lambda child=child: not Path(f"/proc/{child}").exists(), "its child ends by itself", 30)  # type: ignore[misc]
        until(loupe.is_ready, "it is up again", 30)


def test_what_was_in_flight_at_a_kill_shows_as_interrupted(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe()
    upstream.on("interrupted").will(stall)
    loupe.add_virtual_key("stalls", upstream.url("interrupted"))
    connection = http.client.HTTPConnection("127.0.0.1", loupe.port, timeout=20)
    headers = {"content-type": "application/json", "x-portkey-api-key": loupe.key, "x-portkey-trace-id": "cut"}
    connection.request(
        "POST",
        "/v1/chat/completions",
        json.dumps({"model": "@stalls/m", "messages": [{"role": "user", "content": "hi"}]}),
        headers,
    )
    upstream.on("interrupted").wait_request()
    until(lambda: loupe.log("cut", finished=False)["state"] == "in_flight", "it is seen in flight")
    for pid in processes(loupe, "serve"):
        os.kill(pid, signal.SIGKILL)
    connection.close()
    until(loupe.is_ready, "it is up again", 30)
    log = loupe.log("cut")
    assert (log["state"], log["prompt_preview"]) == ("interrupted", "hi")


def test_sigterm_cuts_no_stream_and_loses_no_log(own_loupe: Callable[..., Loupe], upstream: FakeUpstream) -> None:
    loupe = own_loupe()
    go = threading.Event()
    events = chat_events("A", " red", " square")
    upstream.on("terminated").will(stream(events, go=go))
    loupe.add_virtual_key("slow", upstream.url("terminated"))
    connection = http.client.HTTPConnection("127.0.0.1", loupe.port, timeout=20)
    headers = {"content-type": "application/json", "x-portkey-api-key": loupe.key, "x-portkey-trace-id": "whole"}
    connection.request(
        "POST", "/v1/chat/completions", json.dumps({"model": "@slow/m", "stream": True, "messages": []}), headers
    )
    answer = connection.getresponse()
    answer.read1()
    assert loupe.process is not None
    loupe.process.terminate()
    until(lambda: _refuses(loupe.port), "no new connection is taken", 10)
    go.set()
    assert answer.read() == b"".join(events[1:])
    connection.close()
    assert loupe.process.wait(40) == 0
    assert journal.folders(loupe.data / "journal") == []
    loupe.start()
    assert loupe.log("whole")["state"] == "ok"


def test_the_gateway_goes_on_while_the_database_is_locked(own_loupe: Callable[..., Loupe]) -> None:
    import sqlite3

    loupe = own_loupe()
    database = sqlite3.connect(loupe.data / "loupe.sqlite3", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    for number in range(20):
        status, _, _ = loupe.call(
            "/v1/chat/completions",
            {"model": "@sandbox/vision", "messages": []},
            headers={"x-portkey-trace-id": f"locked-{number}"},
        )
        assert status == 200
    database.execute("ROLLBACK")
    database.close()
    for number in range(20):
        assert loupe.log(f"locked-{number}")["state"] == "ok"


def test_a_journal_at_its_limit_refuses_or_passes_as_the_setting_says(own_loupe: Callable[..., Loupe]) -> None:
    body = {"model": "@sandbox/vision", "messages": []}
    refusing = own_loupe(LOUPE_JOURNAL_LIMIT_MB="0", LOUPE_DISK_RESERVE_MB="0")
    until(lambda: refusing.call("/v1/chat/completions", body)[0] == 503, "the limit is noticed")
    status, headers, answer = refusing.call("/v1/chat/completions", body)
    assert (status, headers["retry-after"], json.loads(answer)["error"]["code"]) == (503, "5", "not_recorded")
    assert refusing.call("/readyz")[0] == 503
    passing = own_loupe(LOUPE_JOURNAL_LIMIT_MB="0", LOUPE_DISK_RESERVE_MB="0", LOUPE_JOURNAL_FULL="pass")
    until(
        lambda: "goes on unrecorded" in (passing.call("/v1/chat/completions", body) and passing.output()),
        "the gap is said",
    )
    assert passing.call("/v1/chat/completions", body)[0] == 200


def _refuses(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except OSError:
        return True
    finally:
        connection.close()
    return False
