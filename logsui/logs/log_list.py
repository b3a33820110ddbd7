"""The list of logs: what the address asks for, as rows or as a contact sheet, with facets, chart, and what is new."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from gateway.index.search import Page, Search
from gateway.index.search_language import Unclear
from gateway.models import RequestLog, SavedView, Workspace
from logsui.access import may_edit, member
from logsui.logs import columns, sidebar
from logsui.logs.chart import strip
from logsui.logs.list_query import CHARTS, SPANS, Asked

PAGE_SIZE = 50
ROW_IMAGES = 4
MOST_UNSETTLED = 100
EXPORTS = (("jsonl", "JSON Lines"), ("csv", "CSV, figures only"), ("zip", "ZIP with pictures"))
YEAR_SECONDS = 365 * 24 * 3600


@require_GET
@member()
def log_list(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    asked, search = _widened(workspace, Asked.read(request.GET.dict()))
    page = Page([], None) if asked.problem else search.page(asked.before, PAGE_SIZE)
    context = _rows_context(request, workspace, asked, page.ids) | {
        "next": asked.older_than(page.next).query if page.next else "",
        "partial": page.partial,
        "newest": asked.older_than(None).query,
        "count": search.count(),
        "is_capped": search.is_capped,
        "behind": search.behind,
        "figures": search.figures("latency"),
        "groups": sidebar.groups(asked, search.facets()),
        "strip": strip(asked, search),
        "charts": [(name, title, asked.with_chart(name).query) for name, title in CHARTS.items()],
        "spans": [(name, title, asked.with_span(name).query) for name, (title, _) in SPANS.items()],
        "all_rows": columns.ROWS,
        "exports": EXPORTS,
        "views": SavedView.objects.filter(workspace=workspace),
        "can_edit": may_edit(request, workspace),
        "hidden_columns": columns.hidden(columns.shown(request.COOKIES)),
    }
    return render(request, "logsui/logs/log_list.html", context, status=400 if asked.problem else 200)


@require_GET
@member()
def new_rows(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """What a list that stands open lacks: rows newer than `after`, and rows in `unsettled` (id.mark) that look different now."""
    asked = Asked.read(request.GET.dict())
    after = Asked.read({"before": request.GET.get("after", "")}).before
    search = Search(workspace, asked.question, asked.window)
    newest = [] if asked.problem else search.page(None, PAGE_SIZE).ids
    fresh = [id for id in newest if after is None or id > after]
    given = [pair.partition(".")[::2] for pair in request.GET.get("unsettled", "").split(",")[:MOST_UNSETTLED]]
    marks = {id: text for name, text in given if (id := Asked.read({"before": name}).before)}
    changed = [log.pk for log in _logs(workspace, list(marks)) if mark(log) != marks[log.pk]]
    if not fresh and not changed:
        return HttpResponse(status=204)
    context = _rows_context(request, workspace, asked, fresh + changed)
    by_id = {log.pk: log for log in context["logs"]}
    context |= {
        "fresh": [by_id[id] for id in fresh if id in by_id],
        "changed": [by_id[id] for id in changed if id in by_id],
        "is_full": len(fresh) == PAGE_SIZE,
    }
    return render(request, "logsui/logs/new_rows.html", context)


@require_GET
@member()
def chart(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The strip alone, for a list that stands open."""
    return render(request, "logsui/logs/_chart.html", _chart_context(request, workspace, timed=False))


@require_GET
@member()
def chart_table(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The figures behind the chart."""
    return render(request, "logsui/logs/chart_table.html", _chart_context(request, workspace, timed=True))


def _chart_context(request: HttpRequest, workspace: Workspace, *, timed: bool) -> dict[str, Any]:
    asked, search = _widened(workspace, Asked.read(request.GET.dict()))
    return {
        "workspace": workspace,
        "asked": asked,
        "strip": strip(asked, search, timed=timed),
        "charts": [(name, title, asked.with_chart(name).query) for name, title in CHARTS.items()],
        "logs_path": reverse("logs", args=[workspace.slug]),
    }


@require_GET
@member()
def narrow(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """A range typed in the sidebar becomes part of the question."""
    asked = Asked.read(request.GET.dict())
    low, high = request.GET.get("low", ""), request.GET.get("high", "")
    try:
        asked = sidebar.with_range(asked, request.GET.get("facet", ""), low, high)
    except Unclear:
        wrong = f"{asked.text} {request.GET.get('facet', '')}:{low}..{high}".strip()
        asked = replace(asked, text=wrong)  # the list says what is wrong with it
    return redirect(reverse("logs", args=[workspace.slug]) + asked.query)


@require_POST
@member()
def arrange(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """Columns and height of rows, kept for this browser."""
    back = Asked.read(request.POST.dict()).query
    response = redirect(reverse("logs", args=[workspace.slug]) + back)
    kept: dict[str, Any] = {"max_age": YEAR_SECONDS, "samesite": "Lax", "secure": settings.BEHIND_TLS}
    if request.POST.get("rows") in columns.ROWS:
        response.set_cookie(columns.ROWS_COOKIE, request.POST["rows"], **kept)
    for change in ("show", "hide", "up"):
        if change in request.POST:
            changed = columns.arranged(columns.shown(request.COOKIES), change, request.POST[change])
            response.set_cookie(columns.COOKIE, ".".join(column.name for column in changed), **kept)
    return response


def mark(log: RequestLog) -> str:
    """Changes whenever the row of a log would look different."""
    images = [(one.image_id, one.snapshot, one.image and one.image.thumbnail) for one in log.images.all()]
    return f"{zlib.crc32(repr((log.state, images)).encode()):08x}"


def is_settled(log: RequestLog) -> bool:
    """Whether the row will not change by itself any more."""
    pictures = ((one.snapshot, one.image and one.image.thumbnail) for one in log.images.all())
    return log.state != RequestLog.State.IN_FLIGHT and all("pending" not in one for one in pictures)


def _widened(workspace: Workspace, asked: Asked) -> tuple[Asked, Search]:
    """With the first span that holds anything, unless the address names one."""
    search = Search(workspace, asked.question, asked.window)
    if asked.span or asked.is_dragged or asked.problem:
        return asked, search
    for span in list(SPANS)[1:]:
        wider = asked.with_span(span)
        search = Search(workspace, asked.question, wider.window)
        if search.page(None, 1).ids:
            return replace(wider, before=asked.before, span="" if span == "24h" else span), search
    return asked, search


def _rows_context(request: HttpRequest, workspace: Workspace, asked: Asked, ids: Sequence[uuid.UUID]) -> dict[str, Any]:
    return {
        "workspace": workspace,
        "asked": asked,
        "logs": _logs(workspace, ids),
        "columns": columns.shown(request.COOKIES),
        "rows": columns.rows(request.COOKIES),
        "row_images": ROW_IMAGES,
        "logs_path": reverse("logs", args=[workspace.slug]),
    }


def _logs(workspace: Workspace, ids: Sequence[uuid.UUID]) -> list[RequestLog]:
    return list(RequestLog.objects.of(workspace).filter(pk__in=ids).newest_first().with_list_images(ROW_IMAGES))
