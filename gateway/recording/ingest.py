"""From the journal to the database: follow every segment, write what is finished, delete what is safely written.

Nothing about progress is stored. After a restart all segments that are left are read again, which is harmless because
writing a flow twice changes nothing; and a segment is left until every request with a record in it is in the database.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import uuid
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from gateway import ids
from gateway.faults import will_pass
from gateway.recording import journal, recorder
from gateway.recording.flow import Flow
from gateway.recording.journal import Kind, Record

log = logging.getLogger(__name__)

READ_BYTES = 4 * 1024 * 1024
BATCH_FLOWS, BATCH_BYTES = 256, 16 * 1024 * 1024
# A request is shown while it is under way; where many are, only one that has been for this long. A quick one is so written once.
FEW_FLOWS, ANNOUNCE_SECONDS = 16, 1.0


@dataclass(slots=True, weakref_slot=True)
class _Folder:
    """One gateway process's journal, and how far it is read. `touched` tells which segments hold records of an open flow.

    `claim` keeps other readers away: two would delete under each other.
    """

    path: Path
    claim: int
    offsets: dict[str, int] = field(default_factory=dict)
    open: dict[bytes, Flow] = field(default_factory=dict)
    touched: dict[bytes, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weakref.finalize(self, os.close, self.claim)


class Ingest:
    """Call `step` again and again; it answers whether there was anything to do.

    Of several readers each takes its share of the folders, and those of a reader that has ended.
    """

    def __init__(self, root: Path, *, readers: int = 1) -> None:
        self.root, self.readers = root, readers
        self.folders: dict[Path, _Folder] = {}
        self.behind = False

    def step(self) -> bool:
        """Take in what the journals hold now.

        Raises:
            django.db.OperationalError, InterfaceError: the database is not there. Nothing is lost; call again.
        """
        busy = False
        for folder in self._claimed():
            busy = self._follow(folder) or busy
        return busy

    def _claimed(self) -> list[_Folder]:
        """Ours, oldest first: as many as are our share, of those that nobody reads."""
        there = journal.folders(self.root)
        for path in there:
            has_share = len(self.folders) * self.readers >= len(there)
            if path not in self.folders and not has_share and (claim := journal.claim(path)) is not None:
                self.folders[path] = _Folder(path, claim)
        return [self.folders[path] for path in there if path in self.folders]

    def _follow(self, folder: _Folder) -> bool:
        dead = journal.writer_is_dead(folder.path)  # asked first: a dead writer adds nothing after this
        segments = journal.segments(folder.path)
        busy = False
        for segment in segments:
            closed = dead or segment != segments[-1]
            while self._take(folder, segment, closed=closed):
                busy = True
                if not (closed or self.behind):
                    break  # what comes now is taken in together with what comes next
        if dead:
            self._close(folder)
        else:
            self._delete_done(folder, segments[:-1])
        return busy

    def _take(self, folder: _Folder, segment: Path, *, closed: bool) -> bool:
        """Read one piece of a segment and write what it finishes."""
        self._write_finished(folder)  # what an absent database left over, before more is read
        offset = folder.offsets.get(segment.name, 0)
        records, after = journal.read(segment, offset, closed=closed, limit=READ_BYTES)
        for record in records:
            self._add(folder, segment, record)
        folder.offsets[segment.name] = after  # now: should the database be away, what was read waits in `open`
        self._write_finished(folder)
        self._announce(folder)
        self.behind = after - offset >= READ_BYTES // 2  # more is waiting than was read
        return after > offset

    def _write_finished(self, folder: _Folder) -> None:
        finished = [flow for flow in folder.open.values() if flow.end is not None]
        for batch in _batches(finished):
            self._record(batch)
            for flow in batch:
                del folder.open[flow.id]
                del folder.touched[flow.id]

    def _add(self, folder: _Folder, segment: Path, record: Record) -> None:
        if record.kind is Kind.BEGIN:
            folder.open.setdefault(record.id, Flow(record.id, record.meta, record.body))
            folder.touched.setdefault(record.id, set()).add(segment.name)
            return
        flow = folder.open.get(record.id)
        if flow is None or not flow.begin:
            log.warning("journal %s: a record of %s without its begin", folder.path.name, uuid.UUID(bytes=record.id))
            return
        folder.touched[record.id].add(segment.name)
        if record.kind is Kind.SENT:
            flow.sent, flow.sent_pieces, flow.sent_cut = record.meta, record.body, None
            return
        if flow.end is None:
            flow.parts.append(record.body)
            flow.end = record.meta if record.kind is Kind.END else None

    def _announce(self, folder: _Folder) -> None:
        new = [flow for flow in folder.open.values() if not flow.announced]
        if len(new) > FEW_FLOWS:
            begun = ids.first_of(timezone.now() - timedelta(seconds=ANNOUNCE_SECONDS)).bytes
            new = [flow for flow in new if flow.id < begun]
        if new:
            recorder.announce(new)
        for flow in new:
            flow.announced = True

    def _record(self, flows: list[Flow]) -> None:
        try:
            recorder.record(flows)
        except recorder.Unreadable as error:
            if len(flows) > 1:
                for flow in flows:
                    self._record([flow])
            else:
                self._put_aside(flows[0], str(error))

    def _put_aside(self, flow: Flow, reason: str) -> None:
        """Keep the raw flow of a request that cannot be written, and say so in its row."""
        name = uuid.UUID(bytes=flow.id)
        try:
            recorder.record_unreadable(
                flow, f"{reason}; kept in quarantine/{name}", lambda: self._quarantine(flow, reason)
            )
        except Exception as error:
            if isinstance(error, OSError) or will_pass(error):
                raise
            log.exception("the database takes no row for it either")

    def _quarantine(self, flow: Flow, reason: str) -> None:
        settings.QUARANTINE_ROOT.mkdir(parents=True, exist_ok=True)
        path = settings.QUARANTINE_ROOT / str(uuid.UUID(bytes=flow.id))
        for suffix, data in (
            (".begin.json", flow.begin),
            (".request", flow.request),
            (".sent.json", flow.sent),
            (".sent", flow.sent_pieces),
            (".response", flow.response),
            (".end.json", flow.end or b""),
        ):
            path.with_suffix(suffix).write_bytes(data)
        log.error("request %s could not be read (%s); it is kept in %s", path.name, reason, path.parent)

    def _close(self, folder: _Folder) -> None:
        """The process is dead and its journal is read: what never ended was interrupted."""
        done = recorder.ended(list(folder.open))
        interrupted = [flow for flow in folder.open.values() if flow.id not in done]
        for batch in _batches(interrupted):
            self._record(batch)
        for segment in journal.segments(folder.path):
            segment.unlink()  # oldest first: killed in between, what is left must not lack its end
        with contextlib.suppress(FileNotFoundError):  # its reader before us had come as far
            shutil.rmtree(folder.path)
        del self.folders[folder.path]

    def _delete_done(self, folder: _Folder, closed: list[Path]) -> None:
        """Every segment that holds nothing of a request still under way."""
        pinned = set().union(*folder.touched.values())
        for segment in closed:
            if segment.name not in pinned:
                segment.unlink()
                folder.offsets.pop(segment.name, None)


def _batches(flows: Iterable[Flow]) -> Iterator[list[Flow]]:
    """What is written in one transaction: for large bodies fewer flows."""
    batch: list[Flow] = []
    size = 0
    for flow in flows:
        if batch and (len(batch) == BATCH_FLOWS or size + flow.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(flow)
        size += flow.size
    if batch:
        yield batch
