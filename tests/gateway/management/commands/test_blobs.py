"""Pictures move from a folder to an object store and back, whole, and what is damaged stays behind and is named."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway.pictures import blobs
from gateway.pictures.folder_store import FolderStore

FILES = {blobs.name_of(hashlib.sha256(data).hexdigest()): data for data in (bytes([n]) * 5000 for n in range(100))}


def test_all_is_copied_compared_and_copied_once(tmp_path: Path, bucket: str, capsys: Any, settings: Any) -> None:
    settings.LOUPE_DATA = tmp_path / "data"
    here, back = tmp_path / "here", tmp_path / "back"
    FolderStore(here).put_all(FILES | {"ab/cd/abcd.256.webp": b"small"})
    call_command("blobs", "move", here.as_uri(), bucket)
    assert "101 files were copied" in capsys.readouterr().out
    call_command("blobs", "move", here.as_uri(), bucket)
    assert "0 files were copied" in capsys.readouterr().out
    call_command("blobs", "move", bucket, back.as_uri())
    assert {name: FolderStore(back).read(name) for name in FILES} == FILES


def test_what_is_damaged_stays_behind_and_is_named(tmp_path: Path) -> None:
    name = next(iter(FILES))
    FolderStore(tmp_path / "here").put_all({name: b"rot"})
    with pytest.raises(CommandError, match=f"1 files hold other bytes .* {name}"):
        call_command("blobs", "move", (tmp_path / "here").as_uri(), (tmp_path / "there").as_uri())
    with pytest.raises(CommandError, match="s3://bucket/prefix"):
        call_command("blobs", "move", "nonsense", (tmp_path / "there").as_uri())
