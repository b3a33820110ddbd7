"""What a start makes ready, and what it finds made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.processes import setup


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
