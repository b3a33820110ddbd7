"""What somebody deletes is gone from every file, does not come back, and is noted; a slip deletes nothing."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import RequestFactory

from gateway.index import search
from gateway.index.search import Window
from gateway.keys.audit import COMMAND
from gateway.models import AuditEntry, Deletion, RequestLog, Tombstone
from gateway.recording import log_rows, recorder
from gateway.recording.flow import Flow
from gateway.retention import checking, deletions
from logsui.logs import export
from tests.databases import database_of
from tests.fake_upstream import FakeUpstream, response
from tests.gateway.processes.test_durability import Load, drained, prepared, processes
from tests.gateway.retention.conftest import Logs
from tests.gateway.retention.test_removal import BLUE, RED, sha
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture

CANARY = "xylocanarion"
FACE = picture(colour=(12, 34, 56))


@pytest.mark.django_db(transaction=True)
def test_a_journal_does_not_bring_a_deleted_log_back(logs: Logs) -> None:
    log = logs.write("hello", RED)
    flow = Flow(log.pk.bytes, msgspec.json.encode(_meta(log)), b"{}")
    deletions.delete(workspace=logs.workspace, log_ids=[log.pk], actor=COMMAND)
    recorder.announce([flow])
    flow.end = msgspec.json.encode({"state": "ok", "status": 200, "headers": {}})
    recorder.record([flow])
    assert not RequestLog.objects.exists()
    assert list(checking.check(repair=False, hashes=False)) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres"], indirect=True)  # SQLite has one writer at a time
def test_a_log_that_is_written_again_while_it_is_deleted_goes(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deletion comes between the look for what was deleted and the rows."""
    log = logs.write("hello", RED)
    flow = Flow(log.pk.bytes, msgspec.json.encode(_meta(log)), b"{}")
    flow.end = msgspec.json.encode({"state": "ok", "status": 200, "headers": {}})
    looks, settings = log_rows._not_deleted, connection.settings_dict.copy()

    def delete() -> None:
        with database_of(settings):
            deletions.delete(workspace=logs.workspace, log_ids=[log.pk], actor=COMMAND)

    deleting = threading.Thread(target=delete)

    def look(rows: Any) -> Any:
        found = looks(rows)
        deleting.start()
        deleting.join(1)  # as far as it comes
        return found

    monkeypatch.setattr(log_rows, "_not_deleted", look)
    recorder.record([flow])
    deleting.join()
    assert not RequestLog.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_deleted_log_that_cannot_be_read_does_not_come_back_either(logs: Logs, tmp_path: Path) -> None:
    log = logs.write("hello")
    flow = Flow(log.pk.bytes, msgspec.json.encode(_meta(log)), b"{}")
    deletions.delete(workspace=logs.workspace, log_ids=[log.pk], actor=COMMAND)
    recorder.record_unreadable(flow, "no JSON", lambda: (tmp_path / "kept").write_bytes(b"x"))
    assert (RequestLog.objects.count(), (tmp_path / "kept").exists()) == (0, False)


def _meta(log: RequestLog) -> dict[str, Any]:
    return {
        "workspace": log.workspace_id, "api_key": None, "virtual_key": None, "provider": "openai", "model": "m",
        "method": "POST", "endpoint": "/chat/completions", "path": "/v1/chat/completions", "url": "",
        "content_type": "application/json", "headers": {}, "edits": [], "stream": False, "bytes": 2, "keep_bodies": True,
        "trace_id": "t", "span_id": "", "span_name": "", "parent_span_id": "", "metadata": {}, "sdk": "",
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_all_that_a_search_finds_goes_in_steps_and_nothing_that_came_later(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletions, "AT_ONCE", 2)
    for n in range(5):
        logs.write(f"of ada {n}", metadata={"_user": "ada"})
    stays = logs.write("of bob", metadata={"_user": "bob"})
    logs.index()
    row = deletions.begin(workspace=logs.workspace, query="metadata._user:ada", actor=COMMAND)
    late = logs.write("of ada, later", metadata={"_user": "ada"})
    assert deletions.step()
    assert RequestLog.objects.count() == 5
    assert deletions.finish(row).deleted == 5
    assert set(RequestLog.objects.values_list("pk", flat=True)) == {stays.pk, late.pk}
    assert not deletions.step()
    entries = [(one.who, one.action, one.what, one.count) for one in AuditEntry.objects.order_by("pk")]
    assert entries == [
        ("manage.py", "deletion begun", "metadata._user:ada", None),
        ("manage.py", "deletion done", "metadata._user:ada", 5),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_picture_is_deleted_with_all_that_shows_it(logs: Logs) -> None:
    for _ in range(3):
        logs.write("a passport", FACE)
    stays = logs.write("a mug", RED)
    row = deletions.begin(workspace=logs.workspace, query=f"picture:{sha(FACE)}", actor=COMMAND)
    assert deletions.finish(row).deleted == 3
    assert RequestLog.objects.get() == stays
    assert not logs.has_bytes(sha(FACE))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("query", ["usr:ada", "modle:gpt", "status:", "-", "cost:many"])
def test_a_search_with_a_slip_in_it_deletes_nothing(logs: Logs, query: str) -> None:
    logs.write("usr ada")
    with pytest.raises(ValidationError):
        deletions.begin(workspace=logs.workspace, query=query, actor=COMMAND)
    assert not Deletion.objects.exists()
    assert deletions.counted(logs.workspace, '"usr:ada"', Window()) == (1, False)  # a text, as it says


@pytest.mark.django_db(transaction=True)
def test_a_count_of_the_newest_matches_says_that_there_may_be_more(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_TEXT", 2)
    for n in range(3):
        logs.write(f"mug {n}")
    assert str(deletions.counted(logs.workspace, "mug", Window())) == "2 or more"
    assert str(deletions.counted(logs.workspace, "model:m", Window())) == "3"


@pytest.mark.django_db(transaction=True)
def test_logs_of_another_workspace_are_not_deleted(logs: Logs) -> None:
    from gateway.keys.people import create_workspace

    log = logs.write("hello")
    other = create_workspace(slug="other", name="Other")
    assert deletions.delete(workspace=other, log_ids=[log.pk], actor=COMMAND) == 0
    assert RequestLog.objects.exists()
    assert not Tombstone.objects.exists()


def chat(loupe: Loupe, slug: str, text: str, **headers: str) -> str:
    content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": data_url(FACE)}}]
    body = {"model": f"@{slug}/m", "messages": [{"role": "user", "content": content}]}
    status, told, _ = loupe.call(
        "/v1/chat/completions", body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    assert status == 200
    return told["x-portkey-trace-id"]


def where(folder: Path, *needles: bytes) -> list[str]:
    """The files of a folder that hold one of these."""
    found = [path for path in folder.rglob("*") if path.is_file() and any(one in path.read_bytes() for one in needles)]
    return [str(path.relative_to(folder)) for path in found]


def test_nothing_of_a_deleted_log_is_left_in_the_data_folder(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe()
    upstream.on("canary").will(
        response(body={"choices": [{"index": 0, "message": {"role": "assistant", "content": f"{CANARY} said"}}]})
    )
    loupe.add_virtual_key("canary", upstream.url("canary"))
    key = loupe.manage("apikey", "create", "cleaner", "--scope", "logs.delete", "--scope", "logs.read")
    for n in range(3):
        loupe.log(chat(loupe, "canary", f"look at {CANARY}{n}", x_portkey_metadata=json.dumps({"_user": "ada"})))
    other = loupe.log(chat(loupe, "canary", "quite another question"))
    until(lambda: loupe.logs("q=image:input") or None, "it is indexed")
    needles = CANARY.encode(), FACE, base64.b64encode(FACE)
    assert where(loupe.data, *needles)

    asked = {"x-portkey-api-key": key}
    counted = loupe.call("/v1/logs/delete", {"q": "metadata._user:ada", "dry_run": True}, headers=asked)
    assert json.loads(counted[2])["count"] == 3
    status, _, body = loupe.call("/v1/logs/delete", {"q": "metadata._user:ada"}, headers=asked)
    deletion = json.loads(body)
    assert (status, deletion["state"]) == (202, "running")
    address = f"/v1/logs/deletions/{deletion['id']}"
    done = until(lambda: _done(loupe, address, asked), "the deletion is done")
    assert done["deleted"] == 3
    assert loupe.call(f"/v1/logs/{other['id']}", method="DELETE", headers=asked)[0] == 200
    assert loupe.call(f"/v1/logs/{other['id']}", method="DELETE", headers=asked)[0] == 404

    assert loupe.manage("check-storage") == "Everything fits together."
    assert {log["state"] for log in loupe.logs()} <= {"refused"}
    found = where(loupe.data, *needles)
    until(lambda: not where(loupe.data, *needles) or None, f"nothing is left: {found}")


def _done(loupe: Loupe, address: str, headers: dict[str, str]) -> dict[str, Any] | None:
    row: dict[str, Any] = json.loads(loupe.call(address, headers=headers)[2])
    return row if row["state"] == "done" else None


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_kills_while_traffic_is_recorded_and_deleted_leave_nothing_that_dangles(
    own_loupe: Callable[..., Loupe],
    upstream: FakeUpstream,
    request: pytest.FixtureRequest,
    long_or_short: Callable[[int, int], int],
    database: str,
) -> None:
    """The same few pictures come and go all the time. Thirty rounds with `--long`, two without."""
    env = {"DATABASE_URL": request.getfixturevalue("new_postgres")()} if database == "postgres" else {}
    loupe = own_loupe(**env)
    asked = {"x-portkey-api-key": loupe.manage("apikey", "create", "cleaner", "--scope", "logs.delete")}
    with prepared(loupe, upstream), Load(loupe) as load:
        for number in range(long_or_short(30, 2)):
            until(lambda: len(load.loupe.logs()) > 40, "answers are recorded")
            deletion = json.loads(loupe.call("/v1/logs/delete", {"q": "*"}, headers=asked)[2])
            os.kill(processes(loupe, "work")[number % 2], signal.SIGKILL)
            address = f"/v1/logs/deletions/{deletion['id']}"
            assert until(lambda at=address: _done(loupe, at, asked), "it is deleted", 90)["deleted"] > 0  # type: ignore[misc]
        until(lambda: len(loupe.logs("q=image:input")) > 20, "there are logs again")
    until(lambda: drained(loupe) or None, "everything is taken in", 90)
    first_shown = next(log for log in loupe.logs() if log["input_images"])
    whole = json.loads(loupe.call(f"/v1/logs/{first_shown['id']}")[2])
    assert loupe.call(f"/v1/logs/{whole['id']}/images/i0")[0] == 200
    assert loupe.manage("check-storage", "--hashes") == "Everything fits together."


@pytest.mark.django_db(transaction=True)
def test_what_is_deleted_while_the_archive_is_sent_is_not_named_in_it(
    logs: Logs,
) -> None:
    kept, gone = logs.write("kept", RED), logs.write("gone", BLUE)

    def pages() -> Iterator[list[RequestLog]]:
        yield [kept, gone]
        deletions.delete(workspace=logs.workspace, log_ids=[gone.pk], actor=COMMAND)

    sent = b"".join(export.WRITERS["zip"](pages(), RequestFactory().get("/")))
    lines = zipfile.ZipFile(io.BytesIO(sent)).read("logs.jsonl").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(kept.pk)]
