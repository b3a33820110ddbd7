"""What a killed write leaves behind does not stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.pictures import blobs


def test_what_killed_writes_left_goes_after_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.BLOB_ROOT", tmp_path)
    blobs.put("ab" * 32, b"whole")
    old, new = tmp_path / "ab" / "ab" / ".old", tmp_path / "ab" / "ab" / ".new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert blobs.sweep() == 1
    assert (old.exists(), new.exists(), blobs.get("ab" * 32)) == (False, True, b"whole")
