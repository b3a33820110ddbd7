"""What people say about a request on its page, and searches that they keep under a name."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from gateway.models import Feedback, Membership, SavedView, Workspace
from gateway.recording import feedback
from logsui.access import HtmxHttpRequest, member
from logsui.logs.list_query import Asked
from logsui.request.detail import find_log

EDITOR = Membership.Role.EDITOR
MOST_VIEWS = 100


@require_POST
@member(EDITOR)
def give_feedback(request: HtmxHttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    log = find_log(workspace, log_id)
    value = request.POST.get("value", "")
    try:
        feedback.give(
            workspace=workspace,
            trace_id=log.trace_id,
            log=log,
            value=int(value) if value.removeprefix("-").isdigit() else None,
            note=request.POST.get("note", ""),
            user_id=request.user.pk,
        )
    except ValidationError as error:
        messages.warning(request, error.messages[0])
    if request.htmx:
        context = {"workspace": workspace, "log": log, "opinions": opinions_of(log_id), "can_edit": True}
        return render(request, "logsui/_feedback.html", context)
    return redirect("log", slug=workspace.slug, log_id=log_id)


@require_POST
@member(EDITOR)
def save_view(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """Keep what the list asks for; a name that exists is given its new meaning."""
    query = Asked.read(request.POST.dict()).query
    name = request.POST.get("name", "").strip()[:80]
    if not name:
        messages.warning(request, "A view needs a name.")
    elif SavedView.objects.filter(workspace=workspace).exclude(name=name).count() >= MOST_VIEWS:
        messages.warning(request, f"A workspace keeps {MOST_VIEWS} views at most. Remove one first.")
    else:
        kept = {"query": query, "created_by_id": request.user.pk}
        SavedView.objects.update_or_create(workspace=workspace, name=name, defaults=kept)
    return redirect(reverse("logs", args=[workspace.slug]) + query)


@require_POST
@member(EDITOR)
def remove_view(request: HttpRequest, workspace: Workspace, view_id: int) -> HttpResponse:
    get_object_or_404(SavedView, workspace=workspace, pk=view_id).delete()
    return redirect(reverse("logs", args=[workspace.slug]) + Asked.read(request.POST.dict()).query)


def opinions_of(log_id: uuid.UUID) -> list[Feedback]:
    return list(Feedback.objects.filter(log=log_id).select_related("user", "api_key"))
