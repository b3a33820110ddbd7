"""What is written is read; what is torn is cut; what cannot be written is said."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recording import journal
from gateway.recording.journal import Journal, JournalUnavailable, Kind, Record
from tests.patience import soon

ID = bytes(range(16))


def written(root: Path, records: list[Record]) -> Path:
    """A dead process's segment with these records."""

    async def write() -> Path:
        made = Journal(root, limit_bytes=1 << 30, reserve_bytes=0)
        for record in records:
            made.append(*record)
        await made.commit()
        made.close()
        return made.folder

    return journal.segments(asyncio.run(write()))[0]


def read_all(segment: Path, *, limit: int = 1 << 20) -> list[Record]:
    records, offset = [], 0
    while True:
        more, after = journal.read(segment, offset, closed=True, limit=limit)
        if after == offset:
            return records
        records += more
        offset = after


records = st.lists(
    st.builds(
        Record,
        st.sampled_from(Kind),
        st.binary(min_size=16, max_size=16),
        st.binary(max_size=50),
        st.binary(max_size=3000),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(records, st.integers(1, 5000))
def test_every_record_is_read_back_whatever_the_reading_size(
    tmp_path_factory: pytest.TempPathFactory, given: list[Record], limit: int
) -> None:
    assert read_all(written(tmp_path_factory.mktemp("j"), given), limit=limit) == given


@settings(max_examples=60, deadline=None)
@given(records.filter(bool), st.data())
def test_a_torn_tail_loses_only_the_torn_record(
    tmp_path_factory: pytest.TempPathFactory, given: list[Record], data: st.DataObject
) -> None:
    segment = written(tmp_path_factory.mktemp("j"), given)
    size = segment.stat().st_size
    keep = data.draw(st.integers(0, size))
    os.truncate(segment, keep)
    found = read_all(segment)
    assert found == given[: len(found)]
    if keep == size:
        assert found == given


@settings(max_examples=60, deadline=None)
@given(records.filter(lambda r: len(r) > 2), st.data())
def test_a_damaged_record_is_passed_over_and_the_rest_is_read(
    tmp_path_factory: pytest.TempPathFactory, given: list[Record], data: st.DataObject
) -> None:
    segment = written(tmp_path_factory.mktemp("j"), given)
    at = data.draw(st.integers(0, segment.stat().st_size - 1))
    with segment.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0xFF]))
    found = read_all(segment)
    assert len(found) >= len(given) - 1
    rest = iter(given)
    assert all(record in rest for record in found)  # in order, and none that was not written


def test_an_open_segment_is_read_up_to_its_last_whole_record(tmp_path: Path) -> None:
    segment = written(tmp_path, [Record(Kind.BEGIN, ID, b"{}", b"x" * 100)] * 2)
    os.truncate(segment, segment.stat().st_size - 1)
    found, offset = journal.read(segment, 0, closed=False, limit=1 << 20)
    assert len(found) == 1
    assert journal.read(segment, offset, closed=False, limit=1 << 20) == ([], offset)


def test_the_lock_tells_whether_the_writer_lives(tmp_path: Path) -> None:
    async def live() -> None:
        made = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)
        assert not journal.writer_is_dead(made.folder)
        made.close()
        assert journal.writer_is_dead(made.folder)

    asyncio.run(live())


def test_a_full_journal_takes_no_new_request_but_ends_the_old_ones(tmp_path: Path) -> None:
    async def fill() -> None:
        made = Journal(tmp_path, limit_bytes=1000, reserve_bytes=0)
        made.append(Kind.BEGIN, ID, b"{}", b"x" * 2000)
        made.measure()
        with pytest.raises(JournalUnavailable, match="its limit is"):
            made.append(Kind.BEGIN, ID, b"{}")
        made.append(Kind.END, ID, b"{}")
        made.close()

    asyncio.run(fill())


def test_a_limit_holds_at_once_and_room_comes_back_in_small_pieces(tmp_path: Path) -> None:
    limit, body = 32 << 20, bytes(1 << 20)

    async def fill() -> None:
        made = Journal(tmp_path, limit_bytes=limit, reserve_bytes=0)
        for _ in range(limit // len(body)):
            made.append(Kind.BEGIN, ID, b"{}", body)
        with pytest.raises(JournalUnavailable, match="its limit is 32 MiB"):
            made.append(Kind.BEGIN, ID, b"{}", body)
        made.append(Kind.END, ID, b"{}")  # what has begun may end
        segments = journal.segments(made.folder)
        assert max(segment.stat().st_size for segment in segments) < limit // 8
        segments[0].unlink()
        made.measure()
        made.append(Kind.BEGIN, ID, b"{}", body)
        made.close()

    asyncio.run(fill())


def test_a_failing_disk_is_never_reported_as_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        made = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)
        made.append(Kind.BEGIN, ID, b"{}")
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", _input_output_error)
            with pytest.raises(JournalUnavailable, match="did not reach the disk"):
                await made.commit()
        made.append(Kind.END, ID, b"{}")
        await made.commit()
        made.close()

    asyncio.run(fail())


def _input_output_error(*_: object) -> None:
    raise OSError(5, "Input/output error")


def test_many_waiters_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (syncs.append(file), real(file))[1])

    async def write() -> None:
        made = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)

        async def one() -> None:
            made.append(Kind.END, ID, b"{}")
            await made.commit()

        await asyncio.gather(*(one() for _ in range(200)))
        assert len(syncs) <= 3
        made.close()

    asyncio.run(write())


def test_an_end_that_the_disk_did_not_take_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def owe() -> Path:
        made = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)
        made.append(Kind.BEGIN, ID, b"{}")
        with monkeypatch.context() as full:
            full.setattr(os, "writev", _input_output_error)
            with pytest.raises(JournalUnavailable):
                made.append(Kind.END, ID, b"{}", b"answer")
            made.owe(ID, b"{}", b"answer")
            made.settle()
        made.settle()
        made.close()
        return journal.segments(made.folder)[0]

    assert [record.kind for record in read_all(asyncio.run(owe()))] == [Kind.BEGIN, Kind.END]


def test_without_a_new_descriptor_the_journal_goes_on_in_the_old_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 10)

    async def write() -> list[Path]:
        made = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)
        with monkeypatch.context() as none_left:
            none_left.setattr(os, "open", _input_output_error)
            for _ in range(3):
                made.append(Kind.END, ID, b"{}")
                await made.commit()
        made.append(Kind.END, ID, b"{}")
        await made.commit()
        made.close()
        return journal.segments(made.folder)

    segments = asyncio.run(write())
    assert [len(read_all(segment)) for segment in segments] == [4, 0]


def test_a_segment_whose_sync_failed_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> list[Path]:
        made = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)
        made.append(Kind.BEGIN, ID, b"{}")
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", _input_output_error)
            with pytest.raises(JournalUnavailable):
                await made.commit()
        made.append(Kind.END, ID, b"{}")
        await made.commit()
        made.close()
        return journal.segments(made.folder)

    assert [len(read_all(segment)) for segment in asyncio.run(fail())] == [1, 1]


def forged(mark: bytes, body: bytes) -> bytes:
    """A whole frame as somebody would write it into a body."""
    payload = journal.PAYLOAD.pack(Kind.BEGIN, b"f" * 16, 0) + body
    return mark + journal.HEAD.pack(len(payload), google_crc32c.value(payload)) + payload


@pytest.mark.parametrize("flipped", range(0, 40, 5))
def test_a_frame_inside_of_a_body_never_comes_alive(tmp_path: Path, flipped: int) -> None:
    inside = forged(journal.OLD_MARK, b"old") + forged(bytes(8), b"new") * 3
    carrier, honest = Record(Kind.BEGIN, ID, b"{}", inside), Record(Kind.END, ID, b"{}", b"")
    segment = written(tmp_path, [carrier, honest])
    data = bytearray(segment.read_bytes())
    data[flipped] ^= 1
    segment.write_bytes(data)
    assert read_all(segment) == [honest]


def test_a_torn_carrier_gives_nothing_of_what_it_carries(tmp_path: Path) -> None:
    segment = written(tmp_path, [Record(Kind.BEGIN, ID, b"{}", forged(journal.OLD_MARK, b"old") + bytes(100))])
    segment.write_bytes(segment.read_bytes()[:-50])
    assert read_all(segment) == []


def test_damage_is_passed_over_in_the_time_of_reading_it(tmp_path: Path) -> None:
    body = (journal.OLD_MARK + b"\xff\xff\xff\x00") * (8 * 1024 * 1024 // 8)
    honest = Record(Kind.END, ID, b"{}", b"")
    segment = written(tmp_path, [Record(Kind.BEGIN, ID, b"{}", body), honest])
    data = bytearray(segment.read_bytes())
    data[20] ^= 1
    segment.write_bytes(data)
    with soon():
        assert read_all(segment, limit=64 << 20) == [honest]


def test_a_segment_of_an_older_version_is_read(tmp_path: Path) -> None:
    segment = tmp_path / "00000001.seg"
    segment.write_bytes(forged(journal.OLD_MARK, b"a") + forged(journal.OLD_MARK, b"b"))
    assert [record.body for record in read_all(segment)] == [b"a", b"b"]


def test_a_kind_that_is_not_known_is_passed_over(tmp_path: Path) -> None:
    segment = tmp_path / "00000001.seg"
    payload = journal.PAYLOAD.pack(9, ID, 0)
    odd = journal.OLD_MARK + journal.HEAD.pack(len(payload), google_crc32c.value(payload)) + payload
    segment.write_bytes(odd + forged(journal.OLD_MARK, b"a"))
    assert [record.body for record in read_all(segment)] == [b"a"]
