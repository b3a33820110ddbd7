"""Rows that are written many at once are those that the ORM would have written, on both databases."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Field

from gateway.models import (
    IMAGES,
    KEPT_TURNS,
    LOG_IMAGES,
    LOGS,
    PAYLOADS,
    ApiKey,
    Image,
    RequestLog,
    VirtualKey,
    Workspace,
    many_rows,
)
from gateway.models.many_rows import Table

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]
WORDS = ("", "a", "ü ß 漢字 🎈", 'quotes " and \\ back', "new\nline", "{}", "a,b", "NULL")


@pytest.fixture(autouse=True, params=["few", "many"])
def number(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL takes many rows by another way than a few; both must do the same."""
    monkeypatch.setattr(many_rows, "WORTH_A_COPY", 1 if request.param == "many" else 10**9)


def anything(field: Field[Any, Any], dice: random.Random) -> Any:
    """A value that a column of this kind may hold."""
    if field.null and dice.random() < 0.3:
        return None
    values: dict[str, Any] = {
        "BooleanField": dice.random() < 0.5,
        "PositiveSmallIntegerField": dice.randrange(2**15),
        "PositiveIntegerField": dice.randrange(2**31),
        "PositiveBigIntegerField": dice.randrange(2**62),
        "FloatField": dice.random() * 10 ** dice.randrange(-9, 9),
        "DecimalField": Decimal(dice.randrange(10**12)).scaleb(-8),
        "DateTimeField": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=dice.randrange(10**12)),
        "JSONField": dice.choice([{}, [], {"ä": [1, 2.5, None, True, {"deep": "\ud800" if sqlite() else "é"}]}, ["x"]]),
        "BinaryField": dice.randbytes(dice.randrange(40)),
    }
    longest = field.max_length or 100
    return values.get(field.get_internal_type(), dice.choice(WORDS)[:longest])


def sqlite() -> bool:
    return connection.vendor == "sqlite"


def some_row(table: Table[Any], dice: random.Random, **known: Any) -> dict[str, Any]:
    fields = [field for field in table.fields if field.attname not in known and not field.primary_key]
    return {field.attname: anything(field, dice) for field in fields} | known


@pytest.fixture
def parents() -> dict[str, Any]:
    workspace = Workspace.objects.get_or_create(slug="default", defaults={"name": "default"})[0]
    key = ApiKey.objects.create(workspace=workspace, name="k", digest="h", last_four="abcd")
    provider = VirtualKey.objects.create(workspace=workspace, slug="v", provider="openai")
    return {"workspace_id": workspace.pk, "api_key_id": key.pk, "virtual_key_id": provider.pk}


def stored(model: Any) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in row.items() if k != "id" or isinstance(v, uuid.UUID)}
        for row in model.objects.order_by("pk").values()
    ]


def test_the_rows_are_those_of_the_orm(parents: dict[str, Any]) -> None:
    dice = random.Random(14)
    logs = [some_row(LOGS, dice, id=uuid.uuid4(), **parents) for _ in range(30)]
    images = [some_row(IMAGES, dice, sha256=f"{n:064x}") for n in range(30)]
    under = [{"workspace_id": parents["workspace_id"], "log_id": log["id"]} for log in logs]
    tables: list[tuple[Table[Any], list[dict[str, Any]]]] = [
        (LOGS, logs),
        (IMAGES, images),
        (PAYLOADS, [some_row(PAYLOADS, dice, log_id=log["id"]) for log in logs]),
        (LOG_IMAGES, [some_row(LOG_IMAGES, dice, **one, image_id=images[n]["sha256"]) for n, one in enumerate(under)]),
        (KEPT_TURNS, [some_row(KEPT_TURNS, dice, **one) for one in under]),
    ]
    for table, rows in tables:
        table.model.objects.bulk_create([table.model(**row) for row in rows])
    expected = [stored(table.model) for table, _ in tables]
    for table, _ in reversed(tables):
        table.model.objects.all().delete()
    for table, rows in tables:
        table.insert(table.blank(**row) for row in rows)
    for (table, _), wanted in zip(tables, expected, strict=True):
        found = stored(table.model)
        for one, other in zip(wanted, found, strict=True):
            differing = {name for name in one if name != "created_at" and _plain(one[name]) != _plain(other[name])}
            assert differing == set(), table.model


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def test_a_blank_row_has_the_defaults_of_the_model() -> None:
    made, usual = LOGS.blank(trace_id="t"), RequestLog(trace_id="t")
    assert {k: v for k, v in vars(made).items() if k not in ("_state", "id")} == {
        k: v for k, v in vars(usual).items() if k not in ("_state", "id")
    }
    assert LOGS.blank().metadata is not LOGS.blank().metadata
    assert IMAGES.blank().created_at is not None


def test_what_is_there_is_left_or_replaced(parents: dict[str, Any]) -> None:
    def one(**more: Any) -> Image:
        return IMAGES.blank(sha256="a" * 64, media_type="image/png", size=1, **more)

    IMAGES.insert([one()])
    IMAGES.insert([one(width=5)], "leave")
    assert Image.objects.get().width is None
    IMAGES.insert([one(width=5, height=6)], "replace", only=["width"])
    assert (Image.objects.get().width, Image.objects.get().height) == (5, None)
    IMAGES.insert([one(width=7, height=8)], "replace")
    assert (Image.objects.get().width, Image.objects.get().height) == (7, 8)
    with pytest.raises(IntegrityError):
        IMAGES.insert([one()])


def test_postgres_refuses_what_is_too_long_and_cuts_nothing() -> None:
    if sqlite():
        IMAGES.insert([])  # which has no lengths; and nothing is no error
        return
    with pytest.raises(DataError):
        IMAGES.insert([IMAGES.blank(sha256="a" * 65, media_type="image/png", size=1)])


def test_rows_that_are_written_in_one_transaction_are_written_once_each(parents: dict[str, Any]) -> None:
    with transaction.atomic():
        for name in "ab":
            IMAGES.insert([IMAGES.blank(sha256=name * 64, media_type="image/png", size=1)])
    assert Image.objects.count() == 2


def test_what_fails_leaves_nothing_for_the_next(parents: dict[str, Any]) -> None:
    IMAGES.insert([IMAGES.blank(sha256="a" * 64, media_type="image/png", size=1)])
    with pytest.raises(IntegrityError), transaction.atomic():
        IMAGES.insert(IMAGES.blank(sha256=name * 64, media_type="image/png", size=1) for name in "ba")
    IMAGES.insert([IMAGES.blank(sha256="c" * 64, media_type="image/png", size=1)])
    assert {one.pk[0] for one in Image.objects.all()} == {"a", "c"}


def test_where_nobody_may_have_tables_of_their_own_rows_are_written_all_the_same() -> None:
    if not sqlite():
        with connection.cursor() as cursor:
            cursor.execute(
                "DO $$ BEGIN EXECUTE 'REVOKE TEMP ON DATABASE ' || current_database() || ' FROM PUBLIC'; END $$"
            )
            cursor.execute("CREATE ROLE plain; GRANT ALL ON ALL TABLES IN SCHEMA public TO plain; SET ROLE plain")
        many_rows._may_copy.cache_clear()
    try:
        IMAGES.insert([IMAGES.blank(sha256="a" * 64, media_type="image/png", size=1)])
    finally:
        if not sqlite():
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE; DROP OWNED BY plain; DROP ROLE plain")
            many_rows._may_copy.cache_clear()
    assert Image.objects.count() == 1
