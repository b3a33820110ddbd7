"""Logs as a file of any size, streamed: JSON Lines, CSV, or a ZIP with the pictures and their relative paths."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from gateway import blobs
from gateway.index.search import Search
from gateway.logs_api import summary, whole
from gateway.models import Image, LogImage, RequestLog, Workspace
from logsui.access import member
from logsui.asked import Asked

BATCH = 200
MOST_CHOSEN = 1000
PROGRESS_SECONDS = 600
KINDS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "zip": "application/zip"}
Batches = Iterator[list[RequestLog]]


@require_GET
@member()
def export(request: HttpRequest, workspace: Workspace, kind: str) -> StreamingHttpResponse:
    """What the list asks for, newest first, or the logs named in `ids`."""
    asked = Asked.read(request.GET.dict())
    if kind not in KINDS or asked.problem:
        raise Http404(asked.problem or "Exports are jsonl, csv and zip.")
    chosen = _chosen(request.GET.get("ids", ""))
    pages = _named(workspace, chosen) if chosen else _found(workspace, asked)
    counted = _counted(pages, request.GET.get("progress", "")[:40])
    written = WRITERS[kind](counted, request)
    headers = {
        "Content-Disposition": f'attachment; filename="loupe-{workspace.slug}.{kind}"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(_pulled(written), content_type=KINDS[kind], headers=headers)


@require_GET
@member()
def progress(request: HttpRequest, workspace: Workspace, token: str) -> HttpResponse:
    """How many logs an export under way in this process has written; -1 when it is done."""
    return JsonResponse({"done": cache.get(f"export:{token[:40]}", 0)})


async def _pulled(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A synchronous generator, each step of it in Django's thread: the database is read there, and only as fast as it is sent."""
    while (piece := await sync_to_async(lambda: next(pieces, None))()) is not None:
        yield piece


def _found(workspace: Workspace, asked: Asked) -> Batches:
    before: uuid.UUID | None = asked.before
    while True:
        page = Search(workspace, asked.question, asked.window).page(before, BATCH)
        yield _logs(workspace, page.ids)
        if page.next is None:
            return
        before = page.next


def _named(workspace: Workspace, ids: Sequence[uuid.UUID]) -> Batches:
    for start in range(0, len(ids), BATCH):
        yield _logs(workspace, ids[start : start + BATCH])


def _logs(workspace: Workspace, ids: Sequence[uuid.UUID]) -> list[RequestLog]:
    images = Prefetch("images", LogImage.objects.select_related("image"))
    found = RequestLog.objects.of(workspace).filter(pk__in=ids).newest_first()
    return list(found.select_related("payload", "virtual_key", "api_key").prefetch_related(images))


def _chosen(text: str) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(one) for one in text.split(",")[:MOST_CHOSEN] if one]
    except ValueError:
        raise Http404("ids must be ids of logs, with commas between them.") from None


def _counted(pages: Batches, token: str) -> Batches:
    done = 0
    try:
        for page in pages:
            yield page
            done += len(page)
            cache.set(f"export:{token}", done, PROGRESS_SECONDS)
    finally:  # also when the download is cancelled
        cache.set(f"export:{token}", -1, PROGRESS_SECONDS)


def _json_lines(pages: Batches, request: HttpRequest) -> Iterator[bytes]:
    for page in pages:
        yield b"".join(_line(whole(log, request)) for log in page)


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _csv(pages: Batches, request: HttpRequest) -> Iterator[bytes]:
    """The figures of each log; what is a list or an object stands as JSON in its cell."""
    names: list[str] = []
    for page in pages:
        out = io.StringIO()
        writer = csv.writer(out)
        rows = [summary(log) for log in page]
        if rows and not names:
            names = list(rows[0])
            writer.writerow(names)
        writer.writerows([_cell(row[name]) for name in names] for row in rows)
        yield out.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    """A text that a spreadsheet would run as a formula gets an apostrophe (OWASP, CSV injection)."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _zip(pages: Batches, request: HttpRequest) -> Iterator[bytes]:
    """Pictures first, each once, as they are come upon; then `logs.jsonl`, which names them by path."""
    sink = _Sink()
    kept: set[str] = set()
    with tempfile.TemporaryFile() as lines, zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for page in pages:
            for log in page:
                document = whole(log, request)
                for described, one in zip(document["images"], log.images.all(), strict=True):
                    described["file"] = _keep(archive, kept, one.image) if one.image else None
                lines.write(_line(document))
                yield sink.taken()
        lines.seek(0)
        with archive.open(zipfile.ZipInfo("logs.jsonl"), "w", force_zip64=True) as member_file:
            while data := lines.read(1 << 20):
                member_file.write(data)
                yield sink.taken()
    yield sink.taken()


def _keep(archive: zipfile.ZipFile, kept: set[str], image: Image) -> str | None:
    """The path of a picture in the archive; None when its bytes are gone."""
    path = f"images/{image.sha256}.{image.media_type.rpartition('/')[2].partition('+')[0]}"
    if image.sha256 not in kept:
        try:
            archive.writestr(zipfile.ZipInfo(path), blobs.get(image.sha256))
        except blobs.BlobMissing:
            return None
        kept.add(image.sha256)
    return path


class _Sink(io.RawIOBase):
    """What a ZIP is written into and taken out of piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data, self.pieces = b"".join(self.pieces), []
        return data


WRITERS: dict[str, Callable[[Batches, HttpRequest], Iterator[bytes]]] = {"jsonl": _json_lines, "csv": _csv, "zip": _zip}
