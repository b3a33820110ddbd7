"""What was found, added up by a facet and put in order, is what a plain look at the rows says."""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest

from gateway import ids
from gateway.bounded_cache import BoundedCache
from gateway.index import blocks
from gateway.index.groups import grouped, highest, sums
from gateway.index.search import Search, Window
from gateway.index.search_language import parse
from gateway.keys.people import create_workspace
from gateway.models import RequestLog, Unindexed, Workspace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]


def some_logs(workspace: Workspace, first: int, count: int) -> list[RequestLog]:
    chance = Random(first)
    made = []
    for n in range(first, first + count):
        at = datetime.fromtimestamp(1_790_000_000 + n, tz=UTC)
        log = RequestLog(
            id=uuid.UUID(int=ids.first_of(at).int + n), workspace=workspace, started_at=at, endpoint="chat/completions"
        )
        log.model = chance.choice(["a", "b", "c"])
        log.state = chance.choice(["ok", "ok", "ok", "error", "failed", "aborted"])
        log.total_tokens = chance.choice([None, 0, 7, 7, 40_000])
        log.cost = chance.choice([None, Decimal("0.5"), Decimal("0.00000001")])
        log.total_ms = chance.choice([None, 1.0, 250.0])
        log.request_bytes = chance.randrange(5)
        log.method, log.path, log.trace_id = "POST", "/v1/chat/completions", "t"
        made.append(log)
    RequestLog.objects.bulk_create(made)
    Unindexed.objects.bulk_create([Unindexed(log=log, workspace=workspace) for log in made])
    return made


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[RequestLog]:
    """Most in blocks, the last ones waiting."""
    monkeypatch.setattr(blocks, "cache", BoundedCache(1 << 28))  # each test has a database of its own
    workspace = create_workspace(slug="default", name="Default")
    older = some_logs(workspace, 0, 120)
    while blocks.step():
        pass
    return [*older, *some_logs(workspace, 120, 15)]


def asked(logs: list[RequestLog], question: str = "") -> Search:
    return Search(logs[0].workspace, parse(question), Window())


@pytest.mark.parametrize("question", ["", "state:ok"])
def test_groups_add_up_what_the_rows_hold(logs: list[RequestLog], question: str) -> None:
    expected: dict[str, list[RequestLog]] = defaultdict(list)
    for log in logs:
        if not question or log.state == "ok":
            expected[log.model].append(log)
    found = {one.value: one for one in grouped(asked(logs, question), "model")}
    assert found.keys() == expected.keys()
    for value, rows in expected.items():
        one = found[value]
        assert one.count == len(rows)
        assert one.errors == sum(log.state in ("error", "failed") for log in rows)
        assert one.tokens == sum(log.total_tokens or 0 for log in rows)
        assert one.cost == pytest.approx(float(sum(log.cost or 0 for log in rows)))
        assert one.p95 in (250, 1)
    costs = [one.units for one in grouped(asked(logs, question), "model")]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("number", ["tokens", "cost", "latency", "size"])
@pytest.mark.parametrize("most", [1, 20, 500])
def test_the_highest_come_first_and_of_equal_ones_the_newest(logs: list[RequestLog], number: str, most: int) -> None:
    field = {"tokens": "total_tokens", "cost": "cost", "latency": "total_ms", "size": "request_bytes"}[number]
    having = [log for log in logs if getattr(log, field) is not None]
    expected = sorted(having, key=lambda log: (getattr(log, field), log.pk), reverse=True)[:most]
    assert list(highest(asked(logs), number, most)) == [log.pk for log in expected]


def test_sums_and_totals_agree(logs: list[RequestLog]) -> None:
    by_model = sums(asked(logs), "model", "tokens")
    assert sum(by_model.values()) == asked(logs).total("tokens") == sum(log.total_tokens or 0 for log in logs)


def test_walking_from_log_to_log_stays_in_what_was_found(logs: list[RequestLog]) -> None:
    for question, matches in (("", logs), ("model:a", [log for log in logs if log.model == "a"])):
        way = sorted(log.pk for log in matches)
        search = asked(logs, question)
        for at, newer in zip(way, [*way[1:], None], strict=True):
            assert search.newer(at) == newer
        outside = next((log.pk for log in logs if log.pk not in way), way[0])
        assert search.newer(outside) == next((pk for pk in way if pk > outside), None)
