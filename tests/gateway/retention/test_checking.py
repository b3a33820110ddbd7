"""The check finds what does not fit, of every kind, says so, and makes it good."""

from __future__ import annotations

import io
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway.ids import first_of
from gateway.index import blocks
from gateway.models import Image, IndexBlock, LogImage, Payload, RequestLog, Tombstone, Unindexed, Workspace
from gateway.pictures import blobs
from gateway.retention import checking
from tests.gateway.retention.conftest import Logs
from tests.gateway.retention.test_removal import BLUE, RED, sha
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)


def check(*, repair: bool = False) -> list[str]:
    return [one.what for one in checking.check(repair=repair, hashes=True)]


def path_of(sha256: str) -> Path:
    return Path(settings.BLOB_ROOT) / blobs.name_of(sha256)


def _file_is_lost(logs: Logs) -> str:
    path_of(sha(RED)).unlink()
    return f"the file {sha(RED)} is missing"


def _file_is_stray(logs: Logs) -> str:
    blobs.put_all({sha(BLUE): BLUE})
    old = time.time() - 7200
    os.utime(path_of(sha(BLUE)), (old, old))
    return f"the file {sha(BLUE)} belongs to nothing"


def _file_is_damaged(logs: Logs) -> str:
    path_of(sha(RED)).write_bytes(b"rot")
    return f"the file {sha(RED)} holds other bytes"


def _picture_is_unneeded(logs: Logs) -> str:
    LogImage.objects.all().delete()
    Image.objects.update(created_at=timezone.now() - 2 * checking.YOUNGER)
    return f"no log and no prompt shows {sha(RED)}"


def _log_is_back(logs: Logs) -> str:
    Tombstone.objects.create(log_id=RequestLog.objects.get().pk)
    return "was deleted and is there again"


def _log_is_not_indexed(logs: Logs) -> str:
    IndexBlock.objects.all().delete()
    return "is not in the index"


def _index_holds_no_log(logs: Logs) -> str:
    block = blocks.read(IndexBlock.objects.get())
    other = uuid.UUID(int=first_of(timezone.now()).int + 5)
    blocks.add(logs.workspace, type(block).build({other.bytes: {"model": ["m"]}}))
    return f"the index holds {other}"


def _words_lead_nowhere(logs: Logs) -> str:
    Payload.objects.all().delete()
    return "there are words of"


BREAKS: list[Callable[[Logs], str]] = [
    _file_is_lost, _file_is_stray, _file_is_damaged, _picture_is_unneeded,
    _log_is_back, _log_is_not_indexed, _index_holds_no_log, _words_lead_nowhere,
]  # fmt: skip


@pytest.mark.parametrize("spoil", BREAKS)
def test_what_does_not_fit_is_told_of_and_made_good(logs: Logs, spoil: Callable[[Logs], str]) -> None:
    logs.write("hello", RED, days=1)
    logs.index()
    assert check() == []
    what = spoil(logs)
    assert [line for line in check() if what in line], check()
    assert check(repair=True)
    blocks.index_all(logs.workspace)
    left = [line for line in check() if "is missing" not in line]  # what is lost is lost, and its row says so
    assert left == []
    assert not Unindexed.objects.exists()


def test_an_index_that_is_joined_while_it_is_checked_fits(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    for days, count in ((3, 6), (2, 1)):
        for n in range(count):
            logs.write(f"hello {n}", days=days)
        logs.index()
    assert IndexBlock.objects.count() == 2
    usual = checking._stretches

    def meanwhile(workspace: Workspace) -> Iterator[tuple[uuid.UUID, uuid.UUID]]:
        for stretch in usual(workspace):
            yield stretch
            blocks.start_anew(workspace)
            blocks.index_all(workspace)

    monkeypatch.setattr(checking, "_stretches", meanwhile)
    assert check() == []
    assert IndexBlock.objects.count() == 1


def test_a_file_that_was_written_a_moment_ago_is_left_alone(logs: Logs) -> None:
    blobs.put_all({sha(BLUE): BLUE})
    assert check(repair=True) == []
    assert logs.has_bytes(sha(BLUE))


def test_the_command_fails_where_something_does_not_fit(logs: Logs, capsys: Any) -> None:
    from django.core.management import CommandError, call_command

    logs.write("hello", RED, days=1)
    logs.index()
    call_command("check-storage")
    assert "Everything fits together." in capsys.readouterr().out
    path_of(sha(RED)).unlink()
    with pytest.raises(CommandError, match="1 finding"):
        call_command("check-storage")
    call_command("check-storage", repair=True)
    assert "is missing" in capsys.readouterr().out


@pytest.mark.parametrize("lost", ["rows", "files"])
def test_a_store_and_a_database_that_do_not_know_each_other_are_left_alone(logs: Logs, lost: str) -> None:
    shown = [picture(size=(8, 8), colour=(n, n, n)) for n in range(25)]
    logs.write("hello", *shown)
    checking.check_ours()
    old = time.time() - 7200
    for one in shown:
        os.utime(path_of(sha(one)), (old, old))
        if lost == "files":
            path_of(sha(one)).unlink()
    if lost == "rows":
        RequestLog.objects.all().delete()
        Image.objects.all().delete()
    with pytest.raises(CommandError, match=r"25 of the first 25 .* same Loupe\?"):
        call_command("check-storage", "--repair")
    assert sum(path_of(sha(one)).exists() for one in shown) == (25 if lost == "rows" else 0)
    call_command("check-storage", "--repair", "--even-so", stdout=io.StringIO())
    assert not any(path_of(sha(one)).exists() for one in shown)
