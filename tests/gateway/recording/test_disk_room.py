"""As the disk fills, first what can wait stops; the ballast goes when nothing else is left, and comes back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.recording.disk_room import BALLAST_BYTES, DiskRoom

MIB = 1024 * 1024


def test_the_marks_and_the_ballast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, free = DiskRoom(tmp_path, 64 * MIB), 0
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, free * MIB))
    seen = []
    for free in (1000, 150, 100, 40, 20, 100, 300):  # noqa: B007 - read by the lambda
        room.look()
        seen.append((room.is_low, room.ballast.exists()))
    assert seen == [
        (False, True),
        (False, True),
        (True, True),
        (True, True),
        (True, False),
        (True, False),
        (False, True),
    ]
    assert room.ballast.stat().st_size == BALLAST_BYTES
