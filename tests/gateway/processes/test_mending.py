"""A database of every released commit whose migrations differ is taken over as it is: its logs are read, shown and found.
And a journal that the last release left.

`released/` holds such databases, each with three logs of a request for an elderly zebra, named for the commit; the journal's
three are for a young one.
"""

from __future__ import annotations

import gzip
import re
import tarfile
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from gateway.processes.mending import mend
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until

FOLDER = Path(__file__).parent / "released"
RELEASED = sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.sqlite3.gz"))
LAST = "0d1c4bf"


def test_there_are_released_databases() -> None:
    assert len(RELEASED) == 10


@pytest.mark.parametrize("released", RELEASED)
def test_a_database_of_an_older_commit_is_taken_over(released: str, tmp_path: Path) -> None:
    (tmp_path / "loupe.sqlite3").write_bytes(gzip.decompress((FOLDER / f"{released}.sqlite3.gz").read_bytes()))
    loupe = Loupe(tmp_path).start()
    try:
        loupe.key = loupe.manage("apikey", "create", "upgraded")
        until(loupe.logs, "the new key is known")
        assert [log["state"] for log in loupe.logs()] == ["ok"] * 3
        until(lambda: len(loupe.logs("q=elderly%20zebra")) == 3, "old logs are found by their words")
        assert len(loupe.logs("q=state:ok")) == 3
        body = {"model": "@sandbox/vision", "messages": [{"role": "user", "content": "new"}]}
        assert loupe.call("/v1/chat/completions", body)[0] == 200
        until(lambda: len(loupe.logs()) == 4, "a new log is written")
        browser = Browser(loupe)
        for log in loupe.logs():
            assert loupe.call(f"/v1/logs/{log['id']}")[0] == 200
            assert browser.get(f"/w/default/logs/{log['id']}").status == 200
        for page in ("logs", "keys", "prompts", "sets"):
            assert browser.get(f"/w/default/{page}").status == 200
    finally:
        loupe.stop()
    assert not re.search("Traceback|no such (column|table)", loupe.output())


def test_a_journal_that_the_last_release_left_is_taken_in(tmp_path: Path) -> None:
    (tmp_path / "loupe.sqlite3").write_bytes(gzip.decompress((FOLDER / f"{LAST}.sqlite3.gz").read_bytes()))
    with tarfile.open(FOLDER / f"{LAST}.journal.tar.gz") as left:
        left.extractall(tmp_path / "journal", filter="data")
    loupe = Loupe(tmp_path).start()
    try:
        loupe.key = loupe.manage("apikey", "create", "upgraded")
        until(lambda: len(loupe.logs()) == 6 or None, "its logs are written")
        young = until(lambda: loupe.logs("q=young%20zebra") or None, "they are found by their words")
        assert [log["state"] for log in young] == ["ok"] * 3
        assert loupe.call(f"/v1/logs/{young[0]['id']}/images/i0")[0] == 200
    finally:
        loupe.stop()
    assert not re.search("Traceback|quarantine/", loupe.output())


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_a_database_that_lacks_nothing_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    mend(MigrationExecutor(connection))
    assert caplog.records == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_what_is_missing_is_made(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX look_alike_1")
        cursor.execute("ALTER TABLE gateway_image DROP COLUMN hash_1")
    mend(MigrationExecutor(connection))
    assert caplog.records[0].args == ("gateway_image", "hash_1")
    caplog.clear()
    mend(MigrationExecutor(connection))
    assert caplog.records == []
