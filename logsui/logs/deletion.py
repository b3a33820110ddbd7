"""Deletes logs for good: one from its page, some that were chosen, or all that the list finds, with their count typed to confirm."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from gateway.keys.audit import Actor
from gateway.models import Membership, RequestLog, Workspace
from gateway.retention import deletions, rules
from gateway.retention.deletions import Count, counted
from logsui.access import member
from logsui.logs.list_query import ListQuery

EDITOR = Membership.Role.EDITOR


@require_POST
@member(EDITOR)
def delete_log(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    if not deletions.delete(workspace=workspace, log_ids=[log_id], actor=Actor.person(request.user)):
        raise Http404("There is no such log in this workspace.")
    messages.success(request, "The request is deleted, with all that was kept of it.")
    return redirect("logs", slug=workspace.slug)


@require_POST
@member(EDITOR)
def keep_log(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    """Have no rule touch it, or let go of it again."""
    log = RequestLog.objects.of(workspace).filter(pk=log_id).first()
    if log is None:
        raise Http404("There is no such log in this workspace.")
    if request.POST.get("keep") == "no":
        rules.let_go(log=log)
    else:
        rules.keep(log=log, user_id=request.user.pk)
    return redirect("log", slug=workspace.slug, log_id=log_id)


@require_http_methods(["GET", "POST"])
@member(EDITOR)
def delete_found(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """Asks for the count of what `ids` names or the list finds; then deletes it."""
    query = ListQuery.read(request.GET.dict())
    if query.problem:
        raise Http404(query.problem)
    if query.until_ms is None:  # what comes while the count is typed is none of it
        query = query.between(query.window.since or datetime.fromtimestamp(0, UTC), timezone.now())
    chosen = _chosen(request.GET.get("ids", ""))
    try:
        count = Count(len(chosen), is_at_least=False) if chosen else counted(workspace, query.text, query.window)
    except ValidationError as error:
        context = {"workspace": workspace, "query": query, "problems": error.messages}
        return render(request, "logsui/logs/delete.html", context, status=400)
    if request.method == "POST" and _typed(request) == count.number:
        return _deleted(request, workspace, query, chosen)
    context = {
        "workspace": workspace,
        "query": query,
        "count": count.number,
        "is_capped": count.is_at_least,
        "chosen": chosen,
        "address": f"?{urlencode({'ids': request.GET['ids']})}" if chosen else query.address,
        "mistyped": request.method == "POST",
    }
    return render(request, "logsui/logs/delete.html", context)


def _deleted(request: HttpRequest, workspace: Workspace, query: ListQuery, chosen: list[uuid.UUID]) -> HttpResponse:
    actor, window = Actor.person(request.user), query.window
    if chosen:
        count = deletions.delete(workspace=workspace, log_ids=chosen, actor=actor)
        messages.success(request, f"{count:,} requests are deleted, with all that was kept of them.")
        return redirect("logs", slug=workspace.slug)
    deletions.begin(workspace=workspace, query=query.text, since=window.since, until=window.until, actor=actor)
    messages.success(request, "The deletion has begun; this page says how far it is.")
    return redirect("storage", slug=workspace.slug)


def _typed(request: HttpRequest) -> int | None:
    text = request.POST.get("count", "").replace(",", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _chosen(text: str) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(one) for one in text.split(",")[: deletions.MOST_AT_ONCE] if one]
    except ValueError:
        raise Http404("ids must be ids of logs, with commas between them.") from None
