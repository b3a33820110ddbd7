"""Runs over cases: a grid of answers that fill in while they are looked at, stopped and gone on with, marked, exported.

A comparison is a run of one case: the values of a form.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gateway.keys import audit
from gateway.keys.audit import Actor
from gateway.models import Workspace
from logsui.access import editor, may_edit, reader
from logsui.archive import sent
from logsui.sets.paging import Pages, page_number
from logsui.sets.run_columns import ColumnForm
from logsui.sets.run_export import written
from logsui.sets.run_grid import ONLY, Shown, grid, heads, rows, with_logs
from logsui.sets.set_pages import page_of
from prompts.models import Cell, PictureSet, SetRun
from prompts.sets import picture_sets, runs

ROWS_A_PAGE = 100
# How long after its last change a run is still followed: the log of an answer is written a moment after it.
SETTLING = timedelta(seconds=4)


@require_http_methods(["GET", "POST"])
@editor
def start_run(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    picture_set = get_object_or_404(PictureSet.objects.of(workspace), pk=id)
    if request.method == "GET":  # the address of a form that was answered with itself
        return redirect("set", slug=workspace.slug, id=id)
    form = ColumnForm.of_post(workspace, request.POST.dict())
    run = form.start(picture_sets.texts(picture_set), picture_set, request.user)
    return (
        page_of(request, workspace, picture_set, form)
        if run is None
        else redirect("run", slug=workspace.slug, id=run.pk)
    )


@require_GET
@reader
def run_page(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    run, only = _find(workspace, id), request.GET.get("only", "")
    places = rows(run, only)
    number = page_number(request)
    shown = places[(number - 1) * ROWS_A_PAGE : number * ROWS_A_PAGE]
    context = _progress(request, run) | {
        "rows": grid(run, shown),
        "only": only if only in ONLY else "",
        "choices": [{"name": name, "words": words, "is_current": name == only} for name, (words, _) in ONLY.items()],
        "pages": Pages.of(request, len(places), ROWS_A_PAGE),
        "again": f"{_home(run)}?run={run.pk}",
        "count": len(places),
    }
    return render(request, "logsui/sets/run_page.html", context)


def _home(run: SetRun) -> str:
    """Where the columns and cases of a run may be changed and run again."""
    slug = run.workspace.slug
    return reverse("set", args=[slug, run.set_id]) if run.set_id else reverse("new-comparison", args=[slug])


@require_GET
@reader
def run_news(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    """What changed since the moment in `since`: progress, heads of columns, cells."""
    run = _find(workspace, id)
    try:
        since = datetime.fromisoformat(request.GET.get("since", "")) - SETTLING
    except (ValueError, OverflowError):
        since = run.created_at
    changed = run.cells.filter(changed_at__gte=since if since.tzinfo else run.created_at)
    context = _progress(request, run) | {"news": with_logs(run, changed), "was": request.GET.get("was", "")}
    return render(request, "logsui/sets/_run_news.html", context)


@require_POST
@editor
def stop_run(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    run = _find(workspace, id)
    runs.stop(run=run)
    return redirect("run", slug=workspace.slug, id=run.pk)


@require_POST
@editor
def resume_run(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    run = _find(workspace, id)
    runs.resume(run=run, again="again" in request.POST)
    return redirect("run", slug=workspace.slug, id=run.pk)


@require_POST
@editor
def delete_run(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    run = _find(workspace, id)
    runs.delete(run=run)
    return redirect("set", slug=workspace.slug, id=run.set_id) if run.set_id else redirect("sets", slug=workspace.slug)


@require_POST
@editor
def mark_cell(request: HttpRequest, workspace: Workspace, id: uuid.UUID, cell_id: int) -> HttpResponse:
    """Good or bad, the same once more to take it back; and a note."""
    run = _find(workspace, id)
    cell = get_object_or_404(run.cells, pk=cell_id)
    mark = request.POST.get("mark")
    try:
        runs.mark(cell=cell, mark="" if mark == cell.mark else mark, note=request.POST.get("note"))
    except ValidationError as error:
        return HttpResponse(error.messages[0], status=400, content_type="text/plain")
    if not request.headers.get("hx-request"):
        return redirect(f"{reverse('run', args=[workspace.slug, run.pk])}#cell-{cell.pk}")
    if "mark" not in request.POST:
        return HttpResponse(status=204)
    return render(request, "logsui/sets/_marked.html", _progress(request, run) | {"one": Shown(cell)})


@require_GET
@reader
def export_run(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponseBase:
    """A ZIP: every cell as a line of results.csv and of results.jsonl, and the pictures of the cases."""
    run = _find(workspace, id)
    audit.note(workspace=workspace, actor=Actor.person(request.user), action="run exported", what=str(run))
    pieces = written(run, request.build_absolute_uri("/").rstrip("/"))
    return sent(pieces, filename="picture-set-run.zip", content_type="application/zip")


def _back(run: SetRun) -> str:
    slug = run.workspace.slug
    if run.set_id:
        return reverse("set", args=[slug, run.set_id])
    return reverse("prompt", args=[slug, run.columns[0]["prompt"]])


def _find(workspace: Workspace, id: uuid.UUID) -> SetRun:
    found = SetRun.objects.of(workspace).defer("rows").select_related("set", "workspace", "author")
    return get_object_or_404(found, pk=id)


def _progress(request: HttpRequest, run: SetRun) -> dict[str, Any]:
    now = timezone.now()
    found = heads(run)
    total = run.case_count * len(run.columns)
    done, failed = (sum(head.counts.get(name, 0) for head in found) for name in ("done", "failed"))
    last: datetime | None = run.cells.order_by("-changed_at").values_list("changed_at", flat=True).first()
    is_running = run.state == SetRun.State.RUNNING
    return {
        "workspace": run.workspace,
        "run": run,
        "heads": found,
        "total": total,
        "done": done,
        "failed": failed,
        "left": total - done - failed,
        "is_running": is_running,
        "may_retry": failed and not is_running,
        # The buttons change with this alone: a click must not meet a button that is just being replaced.
        "acts": "running" if is_running else f"{run.state}-{total - done - failed}-{failed}",
        "is_followed": is_running or (last is not None and last > now - SETTLING),
        "waits": run.cells.filter(state=Cell.State.WAITING)
        .exclude(problem="")
        .values_list("problem", flat=True)
        .first(),
        "since": now.isoformat(),
        "back": _back(run),
        "marks": [(Cell.Mark.GOOD.value, "Good"), (Cell.Mark.BAD.value, "Bad")],
        "can_edit": may_edit(request),
    }
