"""What a start makes ready, and what it finds made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.processes import setup
from tests.loupe import Loupe


def test_static_files_are_packed_again_only_when_one_has_changed(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path
    packed: list[str] = []
    monkeypatch.setattr(setup, "call_command", lambda name, **options: packed.append(name))
    for _ in range(2):
        setup._collect_static()
    assert packed == ["collectstatic"]
    files = list(setup._static_files())
    assert any(line.startswith("css/") for line in files)
    monkeypatch.setattr(setup, "_static_files", lambda: [*files[1:], files[0] + "0"])
    setup._collect_static()
    assert packed == ["collectstatic"] * 2


def test_a_database_of_a_later_release_is_left_alone_and_named(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    loupe.stop()
    with closing(sqlite3.connect(loupe.data / "loupe.sqlite3")) as database, database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('gateway', '9999_later', '2027-01-01')"
        )
    with pytest.raises(AssertionError, match=r"newer Loupe than this: it has gateway\.9999_later"):
        loupe.manage("apikey", "list")
    with pytest.raises(AssertionError, match="newer Loupe"):
        loupe.start()
