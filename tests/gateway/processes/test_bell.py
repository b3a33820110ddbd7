"""A worker hears of journals that grow, of folders that appear, and of what others have told; with inotify and without."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.processes import bell as bells
from gateway.processes import inotify_bell
from gateway.processes.bell import ASKED, JOURNAL, RECORDED, Bell, ClockBell, ring
from gateway.recording.journal import Journal, Kind
from tests.loupe import until

Make = Callable[..., Bell]


@pytest.fixture(params=["inotify", "clock"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Any] = []

    def one(root: Path, *, with_journals: bool) -> Bell:
        kind = ClockBell if request.param == "clock" or sys.platform != "linux" else inotify_bell.InotifyBell
        made.append(kind(root, with_journals=with_journals))
        return cast("Bell", made[-1])

    yield one
    for bell in made:
        if isinstance(bell, inotify_bell.InotifyBell):
            bell.inotify.close()


def heard(bell: Bell) -> set[str]:
    return until(lambda: bell.wait(1), "it rings", 10)


@pytest.mark.parametrize("what", [RECORDED, ASKED])
def test_what_another_process_tells_is_heard_each_time(tmp_path: Path, make: Make, what: str) -> None:
    bell = make(tmp_path, with_journals=False)
    for _ in range(3):
        ring(tmp_path, what)
        assert heard(bell) == {what}


def test_a_journal_that_grows_is_heard_by_who_reads_it(tmp_path: Path, make: Make) -> None:
    old = tmp_path / "1-1"
    old.mkdir()
    bell = make(tmp_path, with_journals=True)
    for folder in (old, tmp_path / "2-2"):
        folder.mkdir(exist_ok=True)
        with (folder / "1.seg").open("ab") as segment:
            for _ in range(2):
                segment.write(b"x")
                segment.flush()
                assert JOURNAL in heard(bell)


def test_a_journal_that_a_process_begins_is_heard_whenever_that_is(tmp_path: Path, make: Make) -> None:
    """A writer makes its folder under another name, and has renamed it before anybody looks."""
    bell = make(tmp_path, with_journals=True)

    async def begin() -> None:
        writer = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)
        assert JOURNAL in heard(bell)
        for _ in range(2):
            writer.append(Kind.BEGIN, bytes(16), b"{}")
            assert JOURNAL in heard(bell)
        writer.close()

    asyncio.run(begin())


def test_without_news_it_is_silent_and_journals_are_not_heard_by_others(tmp_path: Path, make: Make) -> None:
    bell = make(tmp_path, with_journals=False)
    (tmp_path / "1-1").mkdir()
    (tmp_path / "1-1" / "1.seg").write_bytes(b"x")
    (tmp_path / "1-1.lock").touch()
    assert bell.wait(0.3) == set()


def test_a_folder_that_is_gone_again_does_no_harm(tmp_path: Path, make: Make) -> None:
    bell = make(tmp_path, with_journals=True)
    for n in range(20):
        (tmp_path / f"{n}-1").mkdir()
        (tmp_path / f"{n}-1").rmdir()
    heard(bell)
    ring(tmp_path, ASKED)
    deadline = time.monotonic() + 10
    while ASKED not in bell.wait(1):
        assert time.monotonic() < deadline


def test_where_the_system_has_no_watch_to_give_the_clock_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(inotify_bell, "INotify", refused)
    assert isinstance(bells.bell(tmp_path, with_journals=True), ClockBell)
