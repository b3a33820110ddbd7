"""Journal to database: twice is once, poison is put aside, a dead database loses nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import OperationalError, connection

from gateway.ids import uuid7
from gateway.index import blocks
from gateway.keys.people import create_workspace
from gateway.models import ApiKey, RequestLog, Unindexed, VirtualKey, Workspace
from gateway.recording import journal, recorder
from gateway.recording.flow import Flow
from gateway.recording.ingest import BATCH_BYTES, BATCH_FLOWS, FEW_FLOWS, Ingest, _batches
from gateway.recording.journal import Journal, Kind
from tests.fake_upstream import chat_events
from tests.instructions import executed
from tests.loupe import until
from tests.pictures import data_url, picture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]


@pytest.fixture
def writer(tmp_path: Path, settings: Any) -> Writer:
    settings.BLOB_ROOT, settings.QUARANTINE_ROOT = tmp_path / "blobs", tmp_path / "quarantine"
    return Writer(tmp_path / "journal", create_workspace(slug="default", name="Default").pk)


class Writer:
    """A gateway process's journal, without the process."""

    def __init__(self, root: Path, workspace: int) -> None:
        self.root, self.workspace = root, workspace
        self.loop = asyncio.new_event_loop()
        self.journal = self.loop.run_until_complete(self._open())

    async def _open(self) -> Journal:
        return Journal(self.root, limit_bytes=1 << 30, reserve_bytes=0)

    def begin(self, body: bytes = b"{}", **changes: Any) -> bytes:
        meta: dict[str, Any] = {
            "workspace": self.workspace, "api_key": None, "virtual_key": None, "provider": "openai", "model": "m", "method": "POST",
            "endpoint": "/chat/completions", "path": "/v1/chat/completions", "url": "", "content_type": "application/json", "headers": {},
            "edits": [], "stream": False, "bytes": len(body), "keep_bodies": True, "trace_id": "t", "span_id": "", "span_name": "",
            "parent_span_id": "", "metadata": {}, "sdk": "",
        }  # fmt: skip
        id = uuid7().bytes
        self.journal.append(Kind.BEGIN, id, msgspec.json.encode(meta | changes), body)
        return id

    def end(self, id: bytes, body: bytes = b"{}", content_type: str = "application/json") -> None:
        meta = {"state": "ok", "status": 200, "headers": {"content-type": content_type}}
        self.journal.append(Kind.END, id, msgspec.json.encode(meta), body)

    def die(self) -> None:
        self.journal.close()
        self.loop.close()


def drain(ingest: Ingest) -> None:
    while ingest.step():
        pass


def test_replaying_a_journal_changes_nothing(writer: Writer) -> None:
    for _ in range(5):
        writer.end(writer.begin())
    drain(Ingest(writer.root))
    before = list(RequestLog.objects.order_by("id").values())
    drain(Ingest(writer.root))  # a worker that knows nothing of the first
    assert list(RequestLog.objects.order_by("id").values()) == before
    writer.die()
    drain(Ingest(writer.root))
    assert list(RequestLog.objects.order_by("id").values()) == before
    assert journal.folders(writer.root) == []


def test_a_finished_row_is_never_put_back_in_flight(writer: Writer) -> None:
    id = writer.begin()
    ingest = Ingest(writer.root)
    drain(ingest)
    assert RequestLog.objects.get().state == "in_flight"
    writer.end(id)
    drain(ingest)
    flow = recorder.Flow(
        id, next(iter(journal.read(journal.segments(writer.journal.folder)[0], 0, closed=False, limit=1 << 20)[0])).meta
    )
    recorder.announce([flow])
    assert RequestLog.objects.get().state == "ok"
    writer.die()


def test_a_segment_stays_until_all_that_began_in_it_is_written(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 2000)
    slow = writer.begin()
    for _ in range(6):
        writer.end(writer.begin(b"x" * 900))
    ingest = Ingest(writer.root)
    drain(ingest)
    assert journal.segments(writer.journal.folder)[0].name.startswith("00000001-")
    writer.end(slow)
    drain(ingest)
    ingest.step()
    assert len(journal.segments(writer.journal.folder)) == 1
    assert RequestLog.objects.filter(state="ok").count() == 7
    writer.die()


def test_a_dead_writers_open_requests_are_interrupted(writer: Writer) -> None:
    id = writer.begin(b'{"messages": [{"role": "user", "content": "cut off"}]}')
    writer.journal.append(Kind.PART, id, b"", b'{"choices"')
    writer.die()
    drain(Ingest(writer.root))
    row = RequestLog.objects.get()
    assert (row.state, row.prompt_preview, row.response_bytes) == ("interrupted", "cut off", 10)


def test_poison_is_put_aside_and_the_rest_flows(writer: Writer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = recorder._read

    def read(flow: recorder.Flow) -> recorder.Rows:
        if flow.request == b"poison":
            raise ZeroDivisionError
        return real(flow)

    monkeypatch.setattr(recorder, "_read", read)
    for body in (b"{}", b"poison", b"{}"):
        id = writer.begin(body)
        writer.journal.append(Kind.SENT, id, b'{"url":"","edits":[],"inlined":{},"warnings":[]}', b"as it went out")
        writer.end(id)
    writer.die()
    drain(Ingest(writer.root))
    assert sorted(RequestLog.objects.values_list("state", "failure")) == [
        ("failed", "unreadable"),
        ("ok", ""),
        ("ok", ""),
    ]
    assert [path.read_bytes() for path in settings.QUARANTINE_ROOT.glob("*.request")] == [b"poison"]
    assert [path.read_bytes() for path in settings.QUARANTINE_ROOT.glob("*.sent")] == [b"as it went out"]


def test_a_database_that_comes_back_gets_everything_once(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        id = writer.begin()
        writer.journal.append(Kind.PART, id, b"", b'{"a":')
        writer.end(id, b"1}")
    ingest = Ingest(writer.root)
    with monkeypatch.context() as broken:
        broken.setattr(recorder, "_write", _down)
        for _ in range(3):
            with pytest.raises(OperationalError):
                ingest.step()
    writer.die()
    drain(ingest)
    assert list(RequestLog.objects.values_list("state", "response_bytes")) == [("ok", 7)] * 3
    assert journal.folders(writer.root) == []


def _down(*_: object, **__: object) -> None:
    raise OperationalError("the database is down")


BMP = b"BM" + b"\0" * 16 + (-5).to_bytes(4, "little", signed=True) + (7).to_bytes(4, "little") + b"\0" * 60


def test_a_header_that_lies_about_its_size_stops_nothing(writer: Writer) -> None:
    body = json.dumps(
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data_url(BMP)}}]}]}
    ).encode()
    writer.begin(body)
    writer.end(writer.begin(body))
    ingest = Ingest(writer.root)
    drain(ingest)
    writer.die()
    drain(ingest)
    assert sorted(RequestLog.objects.values_list("state", flat=True)) == ["interrupted", "ok"]


def test_a_row_whose_key_is_gone_is_still_told_of(writer: Writer) -> None:
    writer.end(writer.begin(api_key=987654))
    writer.end(writer.begin())
    writer.begin(virtual_key=987654)
    writer.die()
    drain(Ingest(writer.root))
    assert sorted(RequestLog.objects.values_list("failure", flat=True)) == ["", "unreadable", "unreadable"]


def test_a_clean_up_that_was_cut_short_takes_no_end_back(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 500)
    id = writer.begin(b"x" * 600)
    writer.end(id)
    writer.die()
    ingest = Ingest(writer.root)
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", _down)
        killed.setattr(Path, "unlink", _down)
        with pytest.raises(OperationalError):
            drain(ingest)
    journal.segments(writer.journal.folder)[-1].unlink()
    drain(Ingest(writer.root))
    assert list(RequestLog.objects.values_list("state", flat=True)) == ["ok"]


def test_an_absent_blob_store_is_waited_for(writer: Writer, settings: Any) -> None:
    store, settings.BLOB_ROOT = settings.BLOB_ROOT, writer.root / "file"
    writer.root.joinpath("file").write_text("")
    body = json.dumps(
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": data_url(picture())}}]}]}
    ).encode()
    writer.end(writer.begin(body))
    ingest = Ingest(writer.root)
    with pytest.raises(OSError):  # noqa: PT011 - which one is the file system's choice
        drain(ingest)
    settings.BLOB_ROOT = store
    drain(ingest)
    assert list(RequestLog.objects.values_list("state", "input_images")) == [("ok", 1)]
    writer.die()


def test_half_a_picture_that_was_seen_on_its_way_is_not_the_one_that_is_kept(writer: Writer) -> None:
    answer = json.dumps({"data": [{"b64_json": base64.b64encode(picture(size=(90, 90))).decode()}]}).encode()
    id = writer.begin(endpoint="/images/generations")
    writer.journal.append(Kind.PART, id, b"", answer[: len(answer) // 2])
    ingest = Ingest(writer.root)
    drain(ingest)
    log = RequestLog.objects.get()
    assert (log.state, log.images.count()) == ("in_flight", 0)
    writer.end(id, answer[len(answer) // 2 :])
    drain(ingest)
    writer.die()
    (kept,) = RequestLog.objects.get().images.all()
    assert kept.image_id == hashlib.sha256(picture(size=(90, 90))).hexdigest()


def test_of_many_under_way_only_those_that_take_long_are_shown_before_they_end(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is written once, where it ends soon; the list shows the others, and all in the end."""
    many = [writer.begin() for _ in range(FEW_FLOWS + 5)]
    ingest = Ingest(writer.root)
    drain(ingest)
    assert not RequestLog.objects.exists()
    for id in many[3:]:
        writer.end(id)
    drain(ingest)
    assert RequestLog.objects.filter(state="ok").count() == len(many) - 3
    assert RequestLog.objects.filter(state="in_flight").count() == 3  # a few are shown at once
    more = [writer.begin() for _ in range(FEW_FLOWS + 5)]
    drain(ingest)
    assert RequestLog.objects.filter(state="in_flight").count() == 3
    monkeypatch.setattr("gateway.recording.ingest.ANNOUNCE_SECONDS", 0.0)
    until(lambda: ingest.step() or RequestLog.objects.count() == len(many) + len(more), "a second has passed")
    writer.die()


def test_a_batch_is_bounded_by_bytes_and_by_number() -> None:
    small = [Flow(bytes([n]), request=b"x") for n in range(3)]
    large = [Flow(bytes([n]), request=b"x" * (BATCH_BYTES // 2 + 1)) for n in range(3)]
    many = [Flow(b"", request=b"x") for _ in range(BATCH_FLOWS + 1)]
    assert [len(batch) for batch in _batches([*small, *large])] == [4, 1, 1]
    assert [len(batch) for batch in _batches(many)] == [BATCH_FLOWS, 1]
    assert list(_batches([])) == []


def test_readers_share_the_journals_and_take_over_from_one_that_ended(writer: Writer) -> None:
    other = Writer(writer.root, writer.workspace)
    first, second = (Ingest(writer.root, readers=2) for _ in range(2))
    for one in (writer, other):
        one.end(one.begin())
    drain(first)
    assert (RequestLog.objects.count(), len(first.folders)) == (1, 1)
    drain(second)
    assert (RequestLog.objects.count(), len(second.folders)) == (2, 1)
    held = next(iter(first.folders))
    del first
    for one in (writer, other):
        one.end(one.begin())
        one.die()
    drain(second)
    assert RequestLog.objects.count() == 4
    assert journal.folders(writer.root) == []
    assert not held.exists()


ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "A crack."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1105, "completion_tokens": 5, "total_tokens": 1110},
}
# Instructions a call, with Python 3.11. A change that makes them fewer by more than a tenth writes its own here.
INSTRUCTIONS = {
    "sqlite": {"link": 16_250, "picture": 14_970, "stream": 36_880},
    "postgresql": {"link": 19_780, "picture": 18_950, "stream": 40_110},
}


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each version of Python has instructions of its own")
@pytest.mark.parametrize("kind", ["link", "picture", "stream"])
def test_a_call_is_taken_in_with_no_more_instructions_than_before(writer: Writer, kind: str) -> None:
    url = data_url(picture("JPEG", (400, 300))) if kind == "picture" else "https://example.com/picture.jpg"
    parts = [
        {"type": "text", "text": "What is wrong with the article? " * 8},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    asked = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": parts}]}).encode()
    words = [f" word{n}" for n in range(50)]
    answer, answer_type = (
        (b"".join(chat_events(*words)), "text/event-stream")
        if kind == "stream"
        else (json.dumps(ANSWER).encode(), "application/json")
    )
    ingest = Ingest(writer.root)

    def take_in(count: int) -> int:
        for _ in range(count):
            writer.end(writer.begin(asked, stream=kind == "stream"), answer, answer_type)
        return executed(lambda: drain(ingest))

    take_in(2)  # what is worked out once
    known = INSTRUCTIONS[connection.vendor][kind]
    assert 0.9 * known < take_in(20) / 20 < 1.15 * known
    writer.die()


def test_what_ingest_tells_the_index_of_a_log_is_what_would_be_read_of_it(writer: Writer) -> None:
    workspace = Workspace.objects.get()
    key = ApiKey.objects.create(workspace=workspace, name="team", digest="d")
    virtual_key = VirtualKey.objects.create(workspace=workspace, slug="prod", provider="openai")
    known = {"api_key": key.pk, "virtual_key": virtual_key.pk, "metadata": {"user": "ann", "n": "1.50"}, "sdk": "py"}
    link = {"type": "image_url", "image_url": {"url": "https://example.com/picture.jpg"}}
    asked = [
        {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
        {"model": "gpt-4o", "messages": [{"role": "user", "content": [link, link]}], "metadata": {"own": "yes"}},
    ]
    ingest = Ingest(writer.root)
    ids = [writer.begin(json.dumps(body).encode(), model="gpt-4o", **known) for body in asked]
    drain(ingest)  # they are announced
    for id in [*ids, *(writer.begin(json.dumps(body).encode(), model="gpt-4o", **known) for body in asked)]:
        writer.end(id, json.dumps(ANSWER).encode())
    writer.end(writer.begin(b"no json"), b"<html>", "text/html")
    drain(ingest)
    written = [(one.log_id, one.values) for one in Unindexed.objects.order_by("pk") if one.values is not None]
    last = {id: msgspec.msgpack.decode(values) for id, values in written}
    assert len(last) == 5
    uncertain = set(Unindexed.objects.filter(values=None).values_list("log_id", flat=True))
    assert len(uncertain) == 1  # announced with links: they may have been copied since
    for id, read in blocks._values_of([id for id in last if id not in uncertain]):
        assert {name: plain(value) for name, value in last[id].items()} == {
            name: plain(value) for name, value in read.items()
        }
        assert read["model"] in (["gpt-4o"], ["m"])
    writer.die()


def plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else sorted(value)
