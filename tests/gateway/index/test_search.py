"""Search on real rows, on both databases: whatever is asked, the answer is that of looking at every row."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from gateway import ids
from gateway.bounded_cache import BoundedCache
from gateway.index import blocks, full_text, runs, totals
from gateway.index.full_text import Texts
from gateway.index.search import Search, Window
from gateway.index.search_language import parse
from gateway.keys.people import create_workspace
from gateway.models import Image, LogImage, RequestLog, Workspace
from gateway.models.index import IndexBlock, Unindexed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]

START = datetime(2026, 11, 1, tzinfo=UTC)
ALWAYS = Window()


@pytest.fixture(params=["block by block", "side by side"])
def workspace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    if request.param == "side by side":
        monkeypatch.setattr(blocks, "LEAST", 1)
        monkeypatch.setattr(runs, "SHORTEST", 1)
        monkeypatch.setattr(runs, "ENDS", 2)
    monkeypatch.setattr(blocks, "cache", BoundedCache(1 << 28))  # each test has a database of its own
    monkeypatch.setattr(totals, "runs", BoundedCache(totals.MOST_RUNS))
    monkeypatch.setattr(totals, "RUN", 3)
    if connection.vendor == "sqlite":  # flushing the tables between tests leaves the full-text index as it is
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO gateway_logwords (gateway_logwords) VALUES ('delete-all')")
    return create_workspace(slug="default", name="Default")


def log_at(workspace: Workspace, minute: float, **fields: Any) -> RequestLog:
    """A log that waits to be indexed, as the recorder leaves it."""
    at = START + timedelta(minutes=minute)
    made = ids.first_of(at).int | 7 << 76 | 2 << 62 | random.getrandbits(62)
    usual: dict[str, Any] = {
        "endpoint": "v1/chat/completions",
        "method": "POST",
        "path": "/v1/x",
        "state": "ok",
        "status": 200,
    }
    usual |= {"id": uuid.UUID(int=made), "trace_id": "t"}
    log = RequestLog(workspace=workspace, started_at=at, **usual | fields)
    log.save(force_insert=True)
    blocks.queue([(log.pk, workspace.pk)])
    return log


def show(log: RequestLog, **fields: Any) -> Image:
    sha256 = uuid.uuid4().hex * 2
    image = Image.objects.create(sha256=sha256, size=10, thumbnail="made", **{"media_type": "image/png"} | fields)
    index = log.images.count()
    LogImage.objects.create(
        workspace=log.workspace, log=log, image=image, direction="input", index=index, source="data"
    )
    RequestLog.objects.filter(pk=log.pk).update(input_images=index + 1)
    return image


def found(workspace: Workspace, question: str, window: Window = ALWAYS) -> set[uuid.UUID]:
    search = Search(workspace, parse(question), window)
    page = set(search.page(None, 1000).ids)
    assert len(page) == search.count()
    return page


def grow(workspace: Workspace, count: int) -> list[RequestLog]:
    """Logs in every state of indexing: in large blocks, in small ones, late, changed, and waiting."""
    chance = random.Random(3)
    logs = []
    for number in range(count):
        fields = {
            "model": chance.choice(["gpt-4o", "claude", "gemini"]),
            "status": chance.choice([200, 200, 429, 500]),
            "cost": chance.choice([None, Decimal("0.25"), Decimal("0.00000001"), Decimal("3")]),
            "total_ms": chance.choice([None, 5.0, 900.0, 12_000.0]),
            "metadata": {"user": chance.choice(["ann", "bob"])} if chance.random() < 0.6 else {},
        }
        logs.append(log_at(workspace, (600 * number / count + chance.uniform(-40, 0)) % 600, **fields))
        if number % 23 == 22:
            blocks.index_all(workspace)
        if number % 11 == 10:
            changed = chance.choice(logs)
            RequestLog.objects.filter(pk=changed.pk).update(model="renamed", cost=None)
            blocks.queue([(changed.pk, workspace.pk)])
    return list(RequestLog.objects.of(workspace))


def test_any_question_finds_what_looking_at_every_row_finds(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "MOST", 64)
    logs = grow(workspace, 150)
    assert Unindexed.objects.exists()
    assert IndexBlock.objects.of(workspace).count() > 1
    questions = {
        "model:gpt-4o": lambda log: log.model == "gpt-4o",
        "-model:gpt-4o,claude": lambda log: log.model not in ("gpt-4o", "claude"),
        "status:4xx,5xx model:renamed": lambda log: log.status >= 400 and log.model == "renamed",
        "cost:>0.00000001": lambda log: (log.cost or 0) > Decimal("0.00000001"),
        "-cost:*": lambda log: log.cost is None,
        "latency:1s..": lambda log: (log.total_ms or 0) >= 1000,
        "metadata.user:ann -status:200": lambda log: log.metadata.get("user") == "ann" and log.status != 200,
        "-metadata.user:*": lambda log: "user" not in log.metadata,
    }
    for question, holds in questions.items():
        assert found(workspace, question) == {log.pk for log in logs if holds(log)}, question


def test_facets_count_every_row_once_and_leave_out_their_own_condition(workspace: Workspace) -> None:
    logs = grow(workspace, 80)
    counted = Search(workspace, parse("model:claude status:200"), ALWAYS).facets()
    assert dict(counted["model"].values) == Counter(log.model for log in logs if log.status == 200)
    assert dict(counted["status"].values) == Counter(str(log.status) for log in logs if log.model == "claude")
    chosen = [log for log in logs if log.model == "claude" and log.status == 200]
    assert dict(counted["metadata.user"].values) == Counter(log.metadata["user"] for log in chosen if log.metadata)


def test_the_chart_adds_up_to_the_rows(workspace: Workspace) -> None:
    logs = grow(workspace, 80)
    bars = Search(workspace, parse("model:*"), ALWAYS).chart(START, START + timedelta(minutes=600), 12)
    assert sum(bar.count for bar in bars) == len(logs)
    assert round(sum(bar.cost for bar in bars), 8) == float(sum(log.cost or 0 for log in logs))
    for bar in bars:
        here = sorted(log.total_ms for log in logs if bar.since <= log.started_at < bar.until and log.total_ms)
        assert bar.p50 == (here[(len(here) - 1) // 2] if here else None)


@pytest.mark.parametrize("most_values", [300, 1])
def test_blocks_that_count_whole_say_what_looking_into_them_says(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, most_values: int
) -> None:
    monkeypatch.setattr(blocks, "MOST", 16)
    monkeypatch.setattr(blocks, "LEAST", 4)
    monkeypatch.setattr(totals, "MOST_VALUES", most_values)
    grow(workspace, 150)
    minutes = [None, 0, 10, 95.5, 300, 601]
    windows = [
        Window(*(None if minute is None else START + timedelta(minutes=minute) for minute in (since, until)))
        for since in minutes
        for until in minutes
    ]
    taken_whole = 0
    for window in windows:
        whole = Search(workspace, parse(""), window)
        looked = Search(workspace, parse(""), window)
        looked.whole = {}
        taken_whole += len(whole.whole)
        for _ in range(2):  # from the blocks, and from what was kept of them
            assert everything(whole) == everything(looked)
            whole = Search(workspace, parse(""), window)
    assert taken_whole > 50


def everything(search: Search) -> list[Any]:
    bars = [
        search.chart(START + timedelta(minutes=since), START + timedelta(minutes=until), count, timed=timed)
        for since, until, count in ((0, 600, 7), (0, 600, 100), (50, 400, 3))
        for timed in (False, True)
    ]
    facets = {name: (sorted(one.values), one.many) for name, one in search.facets().items()}
    return [search.count(), search.extent(), search.figures("latency"), facets, bars]


def test_what_is_read_of_a_log_that_waits_is_kept_until_it_waits_anew(
    workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    log = log_at(workspace, 1, model="first")
    image = show(log)
    assert found(workspace, "model:first image:input") == {log.pk}
    with django_assert_max_num_queries(3):
        assert Search(workspace, parse("model:first"), ALWAYS).count() == 1
    RequestLog.objects.filter(pk=log.pk).update(model="second")
    blocks.queue([(log.pk, workspace.pk)])
    assert found(workspace, "model:second -blank:yes") == {log.pk}
    Image.objects.filter(pk=image.pk).update(blank=True)
    blocks.queue_showing([image.pk])
    assert found(workspace, "blank:yes") == {log.pk}


def test_blocks_of_older_versions_are_given_their_totals(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LEAST", 4)
    grow(workspace, 60)
    blocks.index_all(workspace)
    before = everything(Search(workspace, parse(""), ALWAYS))
    IndexBlock.objects.update(totals=None)
    assert not Search(workspace, parse(""), ALWAYS).whole
    while blocks.fill_totals():
        pass
    assert len(Search(workspace, parse(""), ALWAYS).whole) == IndexBlock.objects.filter(size__gte=4).count() > 0
    assert everything(Search(workspace, parse(""), ALWAYS)) == before


def test_pages_follow_each_other_without_gap_or_repetition(workspace: Workspace) -> None:
    logs = grow(workspace, 90)
    wanted = sorted((log.pk for log in logs if log.status == 200), reverse=True)
    search = Search(workspace, parse("status:200"), ALWAYS)
    seen = []
    page = search.page(None, 7)
    while page.next:
        seen += page.ids
        page = search.page(page.next, 7)
    seen += page.ids
    assert seen == wanted


def test_a_window_bounds_everything(workspace: Workspace) -> None:
    logs = grow(workspace, 60)
    window = Window(START + timedelta(minutes=200), START + timedelta(minutes=300))
    inside = {log.pk for log in logs if window.since <= log.started_at < window.until}  # type: ignore[operator]
    assert found(workspace, "", window) == found(workspace, "model:*", window) == inside


def test_text_is_found_by_word_beginning_phrase_and_side(workspace: Workspace) -> None:
    said = {
        "a": ("Read the TOTAL due on this invoice", "Crème brûlée, 12 EUR"),
        "b": ("the due total", "発票の合計は十二です"),
        "c": ("nothing of it", "invoiced twice"),
    }
    logs = {name: log_at(workspace, n, model=name) for n, name in enumerate(said)}
    full_text.write(Texts(log.pk, workspace.pk, *said[name]) for name, log in logs.items())
    asked = {
        "invoice": "ac",
        '"invoice"': "a",
        '"total due"': "a",
        "total due": "ab",
        "prompt:invoice": "a",
        "answer:invoice": "c",
        "creme": "a",
        '"合計"': "b",
        "total -eur": "b",
        "due model:a": "a",
        "zebra": "",
        "-invoice": "b",
        "-invoice -model:b": "",
        "-zebra": "abc",
    }
    for question, expected in asked.items():
        assert found(workspace, question) == {logs[name].pk for name in expected}, question


def test_logs_of_one_number_are_all_found_and_written_once(workspace: Workspace) -> None:
    first = log_at(workspace, 1)
    twins = [first, *(log_at(workspace, 1, id=uuid.UUID(int=first.pk.int ^ n)) for n in (1, 2))]
    assert len({full_text.number_of(log.pk) for log in twins}) == 1
    for some in (twins[:2], twins[2:], twins):
        full_text.write(Texts(log.pk, workspace.pk, "twin", "") for log in some)
    assert found(workspace, "twin") == {log.pk for log in twins}


def test_text_pages_reach_the_oldest_match(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.index.search.FIRST_TEXT", 5)
    monkeypatch.setattr("gateway.index.search.MOST_TEXT", 10)
    monkeypatch.setattr("gateway.index.search.FIRST_STRETCH", 3)
    logs = [log_at(workspace, n, model="rare" if n < 3 else "common") for n in range(40)]
    full_text.write(Texts(log.pk, workspace.pk, "receipt", "") for log in logs)
    for some in (logs[:20], logs[20:35], logs[35:]):
        blocks.queue((log.pk, workspace.pk) for log in some)
        blocks.index_all(workspace)
    for question, wanted in (("receipt", logs), ("receipt model:rare", logs[:3])):
        search = Search(workspace, parse(question), ALWAYS)
        page = search.page(None, 4)
        seen = set(page.ids)
        while page.next:
            page = search.page(page.next, 4)
            seen |= set(page.ids)
        assert seen >= {log.pk for log in wanted}


def test_a_common_picture_and_refused_words_are_paged_to_their_end(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.index.search.FIRST_TEXT", 4)
    monkeypatch.setattr("gateway.index.search.MOST_TEXT", 8)
    logs = [log_at(workspace, n, model="rare" if n < 3 else "common") for n in range(40)]
    same = show(logs[0])
    for log in logs[1:]:
        LogImage.objects.create(workspace=workspace, log=log, image=same, direction="input", index=0, source="data")
    full_text.write(Texts(log.pk, workspace.pk, "receipt" if n % 2 else "invoice", "") for n, log in enumerate(logs))
    every, odd = {log.pk for log in logs}, {log.pk for log in logs[1::2]}
    rare = {log.pk for log in logs[:3]}
    asked = {
        f"picture:{same.sha256}": every,
        "trace:t": every,
        "trace:t receipt": odd,
        "-invoice": odd,
        f"picture:{same.sha256} receipt model:rare": odd & rare,
    }
    for question, expected in asked.items():
        search, seen, pages = Search(workspace, parse(question), ALWAYS), list[uuid.UUID](), 0
        page = search.page(None, 3)
        while page.next and pages < 60:
            seen, pages = seen + page.ids, pages + 1
            page = search.page(page.next, 3)
        seen += page.ids
        assert (set(seen), len(seen), page.next) == (expected, len(expected), None), question


def test_pictures_have_facets_of_their_own(workspace: Workspace) -> None:
    plain, turned, broken = (log_at(workspace, n) for n in range(3))
    show(turned, width=4000, height=1000, orientation=6, has_gps=True, media_type="image/jpeg")
    show(broken, blank=True, truncated=True, width=100, height=100)
    second = show(broken, has_alpha=True)
    asked = {
        "image:none": {plain},
        "image:input": {turned, broken},
        "rotated:yes gps:yes": {turned},
        "aspect:tall format:jpeg": {turned},
        "megapixels:>=4": {turned},
        "images:>1": {broken},
        "blank:yes truncated:yes transparent:yes": {broken},
        f"picture:{second.sha256[:12]}": {broken},
    }
    for _ in ("waiting", "indexed"):
        for question, expected in asked.items():
            assert found(workspace, question) == {log.pk for log in expected}, question
        blocks.index_all(workspace)


def test_no_workspace_sees_into_another(workspace: Workspace) -> None:
    other = create_workspace(slug="other", name="Other")
    for n, owner in enumerate((workspace, other)):
        log = log_at(owner, n, model="same")
        full_text.write([Texts(log.pk, owner.pk, "shared words", "")])
    blocks.index_all(workspace)
    for question in ("", "model:same", "shared", "trace:t"):
        assert len(found(workspace, question)) == 1, question


def test_a_block_never_outgrows_its_bound(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST", 16)
    logs = grow(workspace, 100)
    blocks.index_all(workspace)
    assert max(IndexBlock.objects.of(workspace).values_list("size", flat=True)) <= 16
    assert found(workspace, "model:*") == {log.pk for log in logs}


def test_what_is_too_much_to_be_looked_through_is_counted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.index.search.MOST_LOOSE", 2)
    for n in range(5):
        log_at(workspace, n)
    search = Search(workspace, parse("status:200"), ALWAYS)
    assert (search.count(), search.behind) == (2, 3)
    for log in RequestLog.objects.all():  # a log that waits twice is still one
        blocks.queue([(log.pk, workspace.pk)])
    search = Search(workspace, parse("status:200"), ALWAYS)
    assert (search.count(), search.behind) == (1, 4)


def test_the_number_of_queries_does_not_grow_with_the_logs(
    workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    grow(workspace, 60)
    blocks.index_all(workspace)
    with django_assert_max_num_queries(12):
        search = Search(workspace, parse("model:gpt-4o"), ALWAYS)
        search.page(None, 50)
        search.facets()
        search.chart(START, START + timedelta(minutes=600), 60)
