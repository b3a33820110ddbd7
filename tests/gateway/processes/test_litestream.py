"""The recipe of docs/deploy: a SQLite that is followed by Litestream is whole again after the machine is gone."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.fake_upstream import FakeUpstream
from tests.gateway.processes.test_backup import whole
from tests.gateway.processes.test_durability import Load, all_logs, drained, missing, prepared
from tests.gateway.processes.test_fleet import kill
from tests.loupe import ROOT, Loupe, until


def litestream() -> str:
    return shutil.which("litestream") or str(Path(sys.executable).parent / "litestream")


def recipe(folder: Path, database: Path) -> Path:
    """That of the docs, into a folder instead of a bucket."""
    text = (ROOT / "docs" / "deploy" / "litestream.yml").read_text()
    text = text.replace("/srv/loupe/data/loupe.sqlite3", str(database)).replace("type: s3", "type: file")
    text = text.replace("      bucket: loupe-database\n", "").replace("path: loupe\n", f"path: {folder / 'replica'}\n")
    (folder / "litestream.yml").write_text(text)
    return folder / "litestream.yml"


def restored(settings: Path, database: Path, to: Path) -> int:
    """How many logs the copy has."""
    to.unlink(missing_ok=True)
    command = [litestream(), "restore", "-config", str(settings), "-o", str(to), str(database)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return 0
    with closing(sqlite3.connect(to)) as copy:
        return int(copy.execute("SELECT COUNT(*) FROM gateway_requestlog").fetchone()[0])


def test_a_database_that_litestream_follows_is_whole_on_another_machine(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream, tmp_path: Path
) -> None:
    loupe = own_loupe()
    database = loupe.data / "loupe.sqlite3"
    settings = recipe(tmp_path, database)
    with (tmp_path / "said").open("wb") as said:
        following = subprocess.Popen(
            [litestream(), "replicate", "-config", str(settings)], stdout=said, stderr=said, start_new_session=True
        )
    try:
        with prepared(loupe, upstream), Load(loupe) as load:
            until(lambda: len(load.received) > 60, "answers come")
        until(lambda: not missing(loupe, load.received) or None, "everything is taken in")
        until(lambda: drained(loupe) or None, "and nothing is under way")
        before = {log["id"]: whole(loupe, log["id"]) for log in all_logs(loupe)}
        copy = tmp_path / "copy.sqlite3"
        until(lambda: restored(settings, database, copy) >= len(before) or None, "the copy has every log", pause=0.5)
        kill(loupe)
    finally:
        following.send_signal(signal.SIGKILL)
        following.wait(10)
    again = Loupe(tmp_path / "again")
    again.data.mkdir()
    for name in ("secret-key", "encryption-keys"):
        shutil.copy2(loupe.data / name, again.data / name)
    shutil.copytree(loupe.data / "blobs", again.data / "blobs")
    shutil.copy2(copy, again.data / "loupe.sqlite3")
    again.key = loupe.key
    again.start()
    try:
        assert {id: whole(again, id) for id in before} == before
        assert again.manage("check-storage", "--hashes") == "Everything fits together."
    finally:
        again.stop()
