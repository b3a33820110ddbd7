"""Several machines on one PostgreSQL and one S3 store: any of them may die, and nothing that was answered is lost."""

from __future__ import annotations

import copy
import json
import os
import secrets
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest

from gateway.metrics import added_up
from tests.fake_upstream import FakeUpstream
from tests.gateway.processes.test_durability import Load, all_logs, drained, missing, prepared
from tests.gateway.proxy.test_behind_nginx import HOST, running
from tests.loupe import Loupe, until
from tests.object_store import CREDENTIALS, ObjectStore
from tests.pictures import data_url, picture


def family(pid: int) -> list[int]:
    """A process and all that it began."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with suppress(OSError):
                parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(path.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def kill(node: Loupe) -> None:
    """As when a machine loses its power."""
    assert node.process is not None
    for pid in family(node.process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.process.wait(30)


@pytest.fixture
def fleet(tmp_path: Path, bucket: str) -> Iterator[Callable[[int, str], list[Loupe]]]:
    """Starts so many nodes on the database of this URL."""
    made: list[Loupe] = []

    def start(count: int, url: str) -> list[Loupe]:
        shared = CREDENTIALS | {
            "DATABASE_URL": url,
            "BLOB_STORE_URL": bucket,
            "LOUPE_SECRET_KEY": secrets.token_urlsafe(32),
            "LOUPE_ENCRYPTION_KEYS": secrets.token_urlsafe(32),
            "LOUPE_PROVIDER_HOSTS": "loopback",
            "LOUPE_ALLOWED_HOSTS": f"{HOST},127.0.0.1",
        }
        made.extend(Loupe(tmp_path / f"node-{n}", **shared) for n in range(count))
        for one in made:
            one.start()
            one.key = one.key or made[0].key
        return made

    yield start
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.stop()


@pytest.fixture
def nodes(fleet: Callable[[int, str], list[Loupe]], new_postgres: Callable[..., str]) -> list[Loupe]:
    return fleet(2, new_postgres())


def thumbnails_made(node: Loupe) -> bool:
    asked = "from gateway.models import Image; print(Image.objects.without_thumbnail().count())"
    return node.manage("shell", "--no-imports", "-c", asked) == "0"


def test_nodes_share_keys_pages_and_pictures(nodes: list[Loupe], upstream: FakeUpstream) -> None:
    first, second = nodes
    with prepared(first, upstream), Load(first) as load:
        until(lambda: len(load.received) > 20, "answers come")
        trace = load.received[0]
    log = until(lambda: next(iter(second.logs(f"trace_id={trace}")), None), "the other node shows it")
    image = second.call(f"/v1/logs/{log['id']}/images/i0")
    assert (image[0], image[1]["content-type"]) == (200, "image/png")
    until(lambda: thumbnails_made(first), "thumbnails are made")
    assert second.call(f"/v1/logs/{log['id']}/images/i0/thumbnail")[0] == 200
    assert not [path for path in (first.data / "blobs").rglob("*") if path.is_file()]


def test_nodes_share_the_thumbnails_of_what_one_of_them_received(nodes: list[Loupe], upstream: FakeUpstream) -> None:
    first = nodes[0]
    with prepared(first, upstream):
        for colour in range(20):
            images = [{"type": "image_url", "image_url": {"url": data_url(_photo(colour, n))}} for n in range(8)]
            body = {"model": "@plain/gpt-4o", "messages": [{"role": "user", "content": images}]}
            assert first.call("/v1/chat/completions", body)[0] == 200
        until(lambda: thumbnails_made(first), "thumbnails are made")
        until(lambda: sum(map(_drawn, nodes)) >= 160 or None, "they are told of")
    assert sum(map(_drawn, nodes)) == 160, "none was drawn twice"
    assert min(map(_drawn, nodes)) > 10


def _photo(colour: int, number: int) -> bytes:
    return picture("JPEG", (1500, 1000), (colour * 12, number * 30, 90))


def _drawn(node: Loupe) -> float:
    """How many thumbnails its processes have made."""
    found = [metric for metric in added_up(node.data / "metrics") if metric.name == "loupe_thumbnails"]
    return sum(one.value for metric in found for one in metric.samples if one.labels == {"outcome": "made"})


def test_a_node_that_dies_loses_nothing_and_another_goes_on_with_its_jobs(
    nodes: list[Loupe], upstream: FakeUpstream, long_or_short: Callable[[int, int], int]
) -> None:
    """Ten rounds with `--long`, one without; in the last the node does not come back, and its journal is adopted."""
    first, second = nodes
    rounds = long_or_short(10, 1)
    received: list[str] = []
    with prepared(first, upstream):
        second.call("/v1/models")
        for number in range(rounds):
            with Load(first) as one, Load(second) as other:
                until(lambda a=one, b=other: min(len(a.received), len(b.received)) > 30, "answers come")  # type: ignore[misc]
                kill(first)
                had = len(other.received)
                until(lambda b=other, had=had: len(b.received) > had + 30, "the other goes on")  # type: ignore[misc]
            received += one.received + other.received
            if number < rounds - 1:
                first.start()
    left = first.data / "journal"
    shutil.rmtree(first.data / "static", ignore_errors=True)
    assert "taken in" in second.manage("work", "--adopt", str(first.data))
    assert not [path for path in left.iterdir() if path.is_dir()]
    until(lambda: not missing(second, received) or None, "everything is taken in", 90, pause=1)
    by_trace = Counter(log["trace_id"] for log in all_logs(second))
    assert set(received) - set(by_trace) == set()
    assert [trace for trace, count in by_trace.items() if count > 1] == []
    until(lambda: thumbnails_made(second), "the other has taken over the thumbnails")
    until(lambda: second.logs("q=image:input") or None, "and the index")
    assert second.manage("check-storage") == "Everything fits together."


def test_three_nodes_behind_a_balancer_lose_nothing_whatever_dies(
    fleet: Callable[[int, str], list[Loupe]],
    own_postgres: Any,
    object_store: ObjectStore,
    upstream: FakeUpstream,
    tmp_path: Path,
    long_or_short: Callable[[int, int], int],
) -> None:
    """A node, the object store, the database, in turn; thirty rounds with `--long`, three without."""
    nodes = fleet(3, own_postgres.get_uri())
    servers = "\n".join(f"server 127.0.0.1:{node.port} max_fails=1 fail_timeout=1s;" for node in nodes)

    def node_dies(number: int) -> Callable[[], object]:
        node = nodes[number // 3 % 3]
        kill(node)
        return node.start

    def store_dies(_: int) -> Callable[[], object]:
        object_store.stop()
        return object_store.start

    def database_dies(_: int) -> Callable[[], object]:
        os.kill(own_postgres.get_pid(), signal.SIGQUIT)  # without a checkpoint: it recovers when it is started again
        return lambda: until(lambda: _started(own_postgres), "the database is up again")

    faults = (node_dies, store_dies, database_dies)
    received: list[str] = []
    with running(nodes[0], tmp_path, "server 127.0.0.1:8787;", servers) as port, prepared(nodes[0], upstream):
        for node in nodes:
            until(lambda one=node: "@streams" in one._unknown_slug_error(), "every node knows the keys")  # type: ignore[misc]
        entry = copy.copy(nodes[0])
        entry.port = port
        for number in range(long_or_short(30, 3)):
            with Load(entry) as load:
                until(lambda a=load: len(a.received) > 40, "answers come", 120)  # type: ignore[misc]
                mend = faults[number % 3](number)
                had = len(load.received)
                until(lambda a=load, had=had: len(a.received) > had + 40, "calls go on", 120)  # type: ignore[misc]
                mend()
            received += load.received
    for node in nodes:
        until(lambda one=node: one.call("/v1/logs")[0] == 200, "its pages are back", 20)  # type: ignore[misc]
    until(lambda: not set(received) - set(_recorded(own_postgres)) or None, "everything is taken in", 300, pause=1)
    until(lambda: all(drained(node) for node in nodes) or None, "and nothing is under way", pause=1)
    assert [trace for trace, count in _recorded(own_postgres).items() if count > 1] == []
    assert nodes[1].manage("check-storage", "--hashes") == "Everything fits together."


def _recorded(server: Any) -> Counter[str]:
    """How often each trace ended well. In thirty rounds they are too many for the API."""
    with psycopg.connect(server.get_uri()) as database:
        found = database.execute("SELECT trace_id FROM gateway_requestlog WHERE state = 'ok'")
        return Counter(trace for (trace,) in found)


def _started(server: Any) -> bool:
    with suppress(Exception):  # the old one's children may be there yet
        server.ensure_postgres_running()
        server.psql("SELECT 1")
        return True
    return False


def test_the_store_itself_gives_out_pictures_where_that_is_wanted(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream, bucket: str
) -> None:
    loupe = own_loupe(BLOB_STORE_URL=bucket, LOUPE_PRESIGNED_SECONDS="60", **CREDENTIALS)
    image = picture()
    with prepared(loupe, upstream):
        part = {"type": "image_url", "image_url": {"url": data_url(image)}}
        body = {"model": "@plain/gpt-4o", "messages": [{"role": "user", "content": [part]}]}
        assert loupe.call("/v1/chat/completions", body, headers={"x-portkey-trace-id": "given"})[0] == 200
    address = f"/v1/logs/{loupe.log('given')['id']}/images/i0"
    with closing(HTTPConnection("127.0.0.1", loupe.port, timeout=30)) as asked:
        asked.request("GET", address, headers={"x-portkey-api-key": loupe.key})
        led = asked.getresponse()
    assert (led.status, led.headers["cache-control"]) == (302, "no-store")
    assert "X-Amz-Expires=60" in led.headers["location"]
    with urlopen(led.headers["location"], timeout=30) as answer:
        assert answer.read() == image
    assert loupe.call(address, headers={"x-portkey-api-key": "wrong"})[0] == 401


def test_a_store_that_is_away_is_waited_for_and_nothing_is_lost(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream, object_store: ObjectStore, bucket: str
) -> None:
    loupe = own_loupe(BLOB_STORE_URL=bucket, **CREDENTIALS)
    with prepared(loupe, upstream):
        with Load(loupe) as load:
            until(lambda: loupe.logs("state=ok") or None, "logs are written")
            before = loupe.logs("state=ok")[0]["id"]
            object_store.stop()
            had = len(load.received)
            until(lambda: len(load.received) > had + 50, "calls go on without the store")
        shutil.rmtree(loupe.data / "blob-cache", ignore_errors=True)
        status, _, body = loupe.call(f"/v1/logs/{before}/images/i0")
        assert (status, json.loads(body)["error"]["code"]) == (503, "no_store")
        object_store.start()
        until(lambda: loupe.call(f"/v1/logs/{before}/images/i0")[0] == 200 or None, "the picture is there again")
        until(lambda: not missing(loupe, load.received) or None, "everything is taken in", 90, pause=1)
