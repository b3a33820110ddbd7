"""The page Audit: who did what where it matters, searched by any word of it, and as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gateway.keys import audit
from gateway.keys.audit import Actor
from gateway.models import AuditEntry, Membership, Workspace
from logsui.access import member
from logsui.archive import sent
from prompts.spreadsheet import guarded

PAGE = 100
LONGEST_SEARCH = 200


@require_GET
@member(Membership.Role.OWNER)
def audit_page(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    text, before = _text(request), request.GET.get("before", "")
    place = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    found = list(AuditEntry.objects.of(workspace).naming(text).before(place).newest_first()[: PAGE + 1])
    context = {
        "workspace": workspace,
        "entries": found[:PAGE],
        "text": text,
        "older": found[PAGE - 1].pk if len(found) > PAGE else None,
    }
    return render(request, "logsui/account/audit.html", context)


@require_GET
@member(Membership.Role.OWNER)
def export_audit(request: HttpRequest, workspace: Workspace) -> HttpResponseBase:
    """All entries of the search, newest first, as CSV. Who takes the list is on it."""
    text = _text(request)
    audit.note(workspace=workspace, actor=Actor.person(request.user), action="audit exported", what=text)
    pieces = _csv(AuditEntry.objects.of(workspace).naming(text).newest_first().iterator(PAGE))
    return sent(pieces, filename=f"loupe-{workspace.slug}-audit.csv", content_type="text/csv; charset=utf-8")


def _text(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()[:LONGEST_SEARCH]


def _csv(entries: Iterator[AuditEntry]) -> Iterator[bytes]:
    yield _line("at", "who", "action", "what", "count")
    for one in entries:
        count = "" if one.count is None else str(one.count)
        yield _line(one.at.isoformat(), *(guarded(text) for text in (one.who, one.action, one.what)), count)


def _line(*values: str) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue().encode("utf-8", "replace")
