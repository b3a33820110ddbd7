"""Logs as a file of any size, streamed: JSON Lines, CSV, or a ZIP with the pictures and their relative paths."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import IO, Any

from django.core.cache import cache
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from gateway.api.logs import summary, whole
from gateway.index.search import Search
from gateway.keys import audit
from gateway.keys.audit import Actor
from gateway.models import LogImage, RequestLog, Workspace
from logsui.access import member
from logsui.archive import Archive, sent
from logsui.logs.list_query import ListQuery
from prompts.spreadsheet import guarded

BATCH = 200
MOST_CHOSEN = 1000
PROGRESS_SECONDS = 600
KINDS = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "zip": "application/zip"}
Batches = Iterator[list[RequestLog]]


@require_GET
@member()
def export(request: HttpRequest, workspace: Workspace, kind: str) -> StreamingHttpResponse:
    """What the list asks for, newest first, or the logs named in `ids`."""
    query = ListQuery.read(request.GET.dict())
    if kind not in KINDS or query.problem:
        raise Http404(query.problem or "Exports are jsonl, csv and zip.")
    chosen = _chosen(request.GET.get("ids", ""))
    pages = _named(workspace, chosen) if chosen else _found(workspace, query)
    counted = _counted(pages, request.GET.get("progress", "")[:40])
    written = WRITERS[kind](counted, request)
    what = f"{kind}, {len(chosen)} chosen" if chosen else f"{kind}, {query.window_title.lower()}: {query.text or 'all'}"
    audit.note(workspace=workspace, actor=Actor.person(request.user), action="logs exported", what=what)
    return sent(written, filename=f"loupe-{workspace.slug}.{kind}", content_type=KINDS[kind])


@require_GET
@member()
def progress(request: HttpRequest, workspace: Workspace, token: str) -> HttpResponse:
    """How many logs an export under way in this process has written; -1 when it is done."""
    return JsonResponse({"done": cache.get(f"export:{token[:40]}", 0)})


def _found(workspace: Workspace, query: ListQuery) -> Batches:
    before: uuid.UUID | None = query.before
    while True:
        page = Search(workspace, query.search, query.window).page(before, BATCH)
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
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return guarded(value) if isinstance(value, str) else value


def _zip(pages: Batches, request: HttpRequest) -> Iterator[bytes]:
    """Pictures first, each once, as they are come upon; then `logs.jsonl`, which names them by path."""
    ids: list[uuid.UUID] = []
    with tempfile.TemporaryFile() as lines:
        with Archive("images") as archive:
            for page in pages:
                for log in page:
                    document = whole(log, request)
                    for described, one in zip(document["images"], log.images.all(), strict=True):
                        described["file"] = archive.keep(one.image) if one.image else None
                    lines.write(_line(document))
                    ids.append(log.pk)
                    yield archive.taken()
            lines.seek(0)
            yield from archive.written("logs.jsonl", _undeleted(ids, lines))
        yield archive.taken()


def _undeleted(ids: Sequence[uuid.UUID], lines: IO[bytes]) -> Iterator[bytes]:
    """The lines of those logs that nobody has deleted while the pictures were sent, which may take an hour."""
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        there = set(RequestLog.objects.filter(pk__in=some).values_list("pk", flat=True))
        yield b"".join(line for id, line in zip(some, islice(lines, len(some)), strict=True) if id in there)


WRITERS: dict[str, Callable[[Batches, HttpRequest], Iterator[bytes]]] = {"jsonl": _json_lines, "csv": _csv, "zip": _zip}
