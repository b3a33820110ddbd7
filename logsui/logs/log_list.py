"""The list of logs: what the address asks for, as rows or as a contact sheet, with facets, chart, and what is new."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from gateway.demo import logs as samples
from gateway.index import groups
from gateway.index.search import Page, Search
from gateway.index.search_language import BadQuery
from gateway.models import RequestLog, SavedView, Workspace
from logsui.access import may_edit, member, remember
from logsui.logs import columns, headline, rows, sidebar
from logsui.logs.chart import read_chart
from logsui.logs.list_query import MOST_SKIPPED, SPANS, Link, ListQuery

PAGE_SIZE = 50
MOST_UNSETTLED = 100
EXPORTS = (("jsonl", "JSON Lines"), ("csv", "CSV, figures only"), ("zip", "ZIP with pictures"))


@require_GET
@member(only_looks=True)
def log_list(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    pasted = _pasted(workspace, request.GET.get("q", ""))
    if pasted is not None:
        return redirect("log", workspace.slug, pasted)
    query, search = _widened(workspace, ListQuery.read(request.GET.dict()))
    page, next_page = _page(query, search)
    look = _look(request, workspace)
    chart = read_chart(query, search)
    context = {
        "workspace": workspace,
        "query": query,
        "logs": _in_order(rows.read(workspace, page.ids, look), page.ids),
        "columns": look.columns,
        "rows": look.rows,
        "logs_path": look.logs_path,
        "next": next_page,
        "heads": [(column, _sorts(query, column)) for column in look.columns],
        "partial": page.partial,
        "nothing": _why_empty(query, page),
        "is_whole_window": bool(page.ids) and query.window.since is not None,
        "newest": query.older_than(None).address,
        "count": search.count(),
        "is_capped": search.is_capped,
        "behind": search.behind,
        "headline": headline.read(search, chart),
        "groups": sidebar.groups(query, search.facets()),
        "chart": chart,
        "charts": query.charts,
        "spans": query.spans,
        "all_rows": columns.ROWS,
        "exports": EXPORTS,
        "views": SavedView.objects.filter(workspace=workspace),
        "can_edit": may_edit(request),
        "sample_logs": may_edit(request) and samples.keys(workspace).exists(),
        "hidden_columns": columns.hidden(look.columns),
    }
    return render(request, "logsui/logs/log_list.html", context, status=400 if query.problem else 200)


@require_GET
@member(only_looks=True)
def new_rows(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """What a list that stands open lacks: rows newer than `after`, and rows in `unsettled` (id.mark) that look different now."""
    query = ListQuery.read(request.GET.dict())
    after = ListQuery.read({"before": request.GET.get("after", "")}).before
    search = Search(workspace, query.search, query.window)
    newest = [] if query.problem else search.page(None, PAGE_SIZE).ids
    fresh = [id for id in newest if after is None or id > after]
    given = [pair.partition(".")[::2] for pair in request.GET.get("unsettled", "").split(",")[:MOST_UNSETTLED]]
    marks = {id: text for name, text in given if (id := ListQuery.read({"before": name}).before)}
    changed = [id for id, version in rows.versions(workspace, list(marks)).items() if version != marks[id]]
    if not fresh and not changed:
        return HttpResponse(status=204)
    look = _look(request, workspace)
    context = {
        "fresh": rows.read(workspace, fresh, look),
        "changed": rows.read(workspace, changed, look),
        "is_full": len(fresh) == PAGE_SIZE,
    }
    return render(request, "logsui/logs/new_rows.html", context)


@require_GET
@member(only_looks=True)
def chart_alone(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The chart alone, for a list that stands open."""
    return render(request, "logsui/logs/_chart.html", _chart_context(request, workspace, timed=False))


@require_GET
@member(only_looks=True)
def chart_table(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The figures behind the chart."""
    return render(request, "logsui/logs/chart_table.html", _chart_context(request, workspace, timed=True))


def _chart_context(request: HttpRequest, workspace: Workspace, *, timed: bool) -> dict[str, Any]:
    query, search = _widened(workspace, ListQuery.read(request.GET.dict()))
    return {
        "workspace": workspace,
        "query": query,
        "chart": read_chart(query, search, timed=timed),
        "charts": query.charts,
        "logs_path": reverse("logs", args=[workspace.slug]),
    }


@require_GET
@member()
def filter_range(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """A range typed in the sidebar becomes part of the question."""
    query = ListQuery.read(request.GET.dict())
    low, high = request.GET.get("low", ""), request.GET.get("high", "")
    try:
        query = sidebar.with_range(query, request.GET.get("facet", ""), low, high)
    except BadQuery:
        wrong = f"{query.text} {request.GET.get('facet', '')}:{low}..{high}".strip()
        query = replace(query, text=wrong)  # the list says what is wrong with it
    return redirect(reverse("logs", args=[workspace.slug]) + query.address)


@require_POST
@member()
def set_display(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """Columns and height of rows, kept for this browser."""
    back = ListQuery.read(request.POST.dict()).address
    response = redirect(reverse("logs", args=[workspace.slug]) + back)
    if request.POST.get("rows") in columns.ROWS:
        remember(response, columns.ROWS_COOKIE, request.POST["rows"])
    for change in ("show", "hide", "up"):
        if change in request.POST:
            changed = columns.arranged(columns.shown(request.COOKIES), change, request.POST[change])
            remember(response, columns.COOKIE, ".".join(column.name for column in changed))
    return response


def _page(query: ListQuery, search: Search) -> tuple[Page, str]:
    """What is shown, and the address of the page after it, if there is one."""
    if query.problem:
        return Page([], None), ""
    if not query.sort:
        page = search.page(query.before, PAGE_SIZE)
        return page, query.older_than(page.next).address if page.next else ""
    found = groups.highest(search, query.sort, query.skip + PAGE_SIZE + 1)[query.skip :]
    more = len(found) > PAGE_SIZE and query.skip + PAGE_SIZE <= MOST_SKIPPED
    return Page(list(found[:PAGE_SIZE]), None), query.skipping(query.skip + PAGE_SIZE).address if more else ""


def _in_order(found: list[rows.Row], ids: list[uuid.UUID]) -> list[rows.Row]:
    place = {id: number for number, id in enumerate(ids)}
    return sorted(found, key=lambda row: place[row.id])


def _sorts(query: ListQuery, column: columns.Column) -> list[Link]:
    return [Link(title, query.sorted_by(name).address, name == query.sort) for name, title in column.sorts]


def _why_empty(query: ListQuery, page: Page) -> str:
    """Nothing what, where the list has no rows: older, found, in the window, or yet; empty where it has some."""
    if page.ids or page.next or query.problem:
        return ""
    if query.before or query.skip:
        return "older"
    if not query.search.is_empty:
        return "found"
    return "in the window" if query.span or query.is_dragged else "yet"


def _pasted(workspace: Workspace, text: str) -> uuid.UUID | None:
    """The log whose whole id was searched for, and nothing else."""
    try:
        id = uuid.UUID(text.strip().removeprefix("id:"))
    except ValueError:
        return None
    return id if RequestLog.objects.of(workspace).filter(pk=id).exists() else None


def _widened(workspace: Workspace, query: ListQuery) -> tuple[ListQuery, Search]:
    """With the first span that holds anything, unless the address names one."""
    search = Search(workspace, query.search, query.window)
    if query.span or query.is_dragged or query.problem:
        return query, search
    for span in list(SPANS)[1:]:
        wider = query.with_span(span)
        search = Search(workspace, query.search, wider.window)
        if search.page(None, 1).ids:
            return replace(wider, before=query.before, skip=query.skip, span="" if span == "24h" else span), search
    return query, search


def _look(request: HttpRequest, workspace: Workspace) -> rows.Look:
    shown = tuple(columns.shown(request.COOKIES))
    return rows.Look(columns.rows(request.COOKIES), shown, reverse("logs", args=[workspace.slug]))
