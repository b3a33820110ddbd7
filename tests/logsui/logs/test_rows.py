"""Rows are rendered once, and look as their log does now."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.bounded_cache import BoundedCache
from gateway.keys.people import create_workspace
from gateway.models import ApiKey, Image, LogImage, RequestLog, Workspace
from logsui.logs import rows
from logsui.logs.columns import COLUMNS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]

LINES, TILES = (rows.Look(kind, COLUMNS, "/w/default/logs") for kind in ("roomy", "sheet"))
SHAPES: list[dict[str, Any]] = [
    {"state": "in_flight"},
    {"state": "ok", "status": 200, "model": "gpt-4o", "total_tokens": 3, "cost": Decimal("0.5"), "total_ms": 1.5},
    {"state": "error", "status": 429, "failure_message": "slow down", "warnings": ["odd"], "metadata": {"a": "b"}},
    {"state": "ok", "stream": True, "first_byte_ms": 2.0, "prompt_preview": "what?", "answer_preview": "that"},
    {"state": "ok", "bodies_kept": False, "output_images": 2, "provider": "openai", "sdk": "python"},
]


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(rows, "kept", BoundedCache[Any, Any](rows.KEPT_BYTES))
    return create_workspace(slug="default", name="Default")


def logged(workspace: Workspace, **fields: Any) -> RequestLog:
    usual = {"method": "POST", "path": "/v1/x", "endpoint": "chat/completions", "trace_id": "t"}
    key = ApiKey.objects.create(workspace=workspace, name=f"key {uuid.uuid4()}", digest=uuid.uuid4().hex)
    log = RequestLog(id=uuid.uuid4(), workspace=workspace, api_key=key, started_at=datetime(2026, 1, 2, tzinfo=UTC))
    for name, value in (usual | fields).items():
        setattr(log, name, value)
    log.save(force_insert=True)
    return log


def show(log: RequestLog, **fields: Any) -> Image:
    image = Image.objects.create(sha256=uuid.uuid4().hex * 2, size=1, **{"media_type": "image/png"} | fields)
    number = log.images.count()
    place = {"direction": "input", "index": number, "source": "data"}
    LogImage.objects.create(workspace=log.workspace, log=log, image=image, **place)
    return image


def test_a_row_is_made_of_what_is_compared_and_made_once(workspace: Workspace, django_assert_num_queries: Any) -> None:
    ids = [logged(workspace, **shape).pk for shape in SHAPES]
    for id in ids:
        for fields in ({"thumbnail": "made"}, {"thumbnail": "failed"}, {"width": 3, "height": 4, "orientation": 6}):
            show(RequestLog.objects.get(pk=id), **fields)
    for look in (LINES, TILES):
        with django_assert_num_queries(4):  # a field that is not compared would be fetched in one of its own
            first = rows.read(workspace, ids, look)
        with django_assert_num_queries(2):
            assert rows.read(workspace, ids, look) == first
    assert [row.id for row in first] == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    "change",
    [
        {"state": "failed"},
        {"warnings": ["new"]},
        {"metadata": {"team": "red"}},
        {"model": "another"},
        {"answer_preview": "another"},
        {"cost": Decimal("7.5"), "total_tokens": 9},
    ],
)
def test_a_log_that_changed_has_a_new_row(workspace: Workspace, change: dict[str, Any]) -> None:
    log = logged(workspace, **SHAPES[1])
    before, version = rows.read(workspace, [log.pk], LINES), rows.versions(workspace, [log.pk])
    RequestLog.objects.filter(pk=log.pk).update(**change)
    assert rows.versions(workspace, [log.pk]) != version
    assert rows.read(workspace, [log.pk], LINES) != before


def test_what_is_learnt_of_a_picture_and_a_key_shows_in_the_row(workspace: Workspace) -> None:
    log = logged(workspace, state="ok")
    seen = [rows.read(workspace, [log.pk], LINES)[0].html]
    image = show(log)
    seen.append(rows.read(workspace, [log.pk], LINES)[0].html)
    Image.objects.filter(pk=image.pk).update(thumbnail="failed", thumbnail_problem="image_undecodable")
    seen.append(rows.read(workspace, [log.pk], LINES)[0].html)
    ApiKey.objects.filter(pk=log.api_key_id).update(name="renamed")
    seen.append(rows.read(workspace, [log.pk], LINES)[0].html)
    assert len(set(seen)) == 4
    assert "data-unsettled" in seen[1]
    assert "data-unsettled" not in seen[2]
    assert "renamed" in seen[3]


def test_rows_of_nothing_and_of_another_workspace_are_none(workspace: Workspace) -> None:
    log, other = logged(workspace), create_workspace(slug="other", name="Other")
    assert rows.read(workspace, [], LINES) == rows.read(other, [log.pk], LINES) == []
