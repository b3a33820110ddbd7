"""What a killed write leaves behind does not stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.pictures import blobs, folder_store


def test_what_killed_writes_left_goes_after_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.BLOB_ROOT", tmp_path)
    blobs.put_all({"ab" * 32: b"whole"})
    old, new = tmp_path / "ab" / "ab" / ".old", tmp_path / "ab" / "ab" / ".new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert blobs.sweep() == 1
    assert (old.exists(), new.exists(), blobs.get("ab" * 32)) == (False, True, b"whole")


@pytest.mark.parametrize("name", ["with blank", "100%25", "ü#?", "plain"])
def test_a_folder_of_any_name_keeps_its_files_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("django.conf.settings.BLOB_ROOT", tmp_path / name)
    blobs.put_all({"ab" * 32: b"whole"})
    assert (tmp_path / name / "ab" / "ab" / ("ab" * 32)).read_bytes() == b"whole"
    assert blobs.get("ab" * 32) == b"whole"


def test_many_are_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.BLOB_ROOT", tmp_path)
    files = {f"{n:02x}" * 32: bytes([n]) * 1000 for n in range(20)}
    with monkeypatch.context() as broken:
        broken.setattr(folder_store, "_sync", lambda paths: (_ for _ in ()).throw(OSError(28, "no space")))
        with pytest.raises(OSError, match="no space"):
            blobs.put_all(files)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    blobs.put_all(files)
    assert {sha256: blobs.get(sha256) for sha256 in files} == files
    assert list(tmp_path.glob("??/??/.*")) == []
