"""Searches that people keep under a name."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from gateway.models import Membership, SavedView, Workspace
from logsui.access import member
from logsui.logs.list_query import ListQuery

EDITOR = Membership.Role.EDITOR
MOST_VIEWS = 100


@require_POST
@member(EDITOR)
def save_view(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """Keep what the list asks for; a name that exists is given its new meaning."""
    address = ListQuery.read(request.POST.dict()).address
    name = request.POST.get("name", "").strip()[:80]
    if not name:
        messages.warning(request, "A view needs a name.")
    elif SavedView.objects.filter(workspace=workspace).exclude(name=name).count() >= MOST_VIEWS:
        messages.warning(request, f"A workspace keeps {MOST_VIEWS} views at most. Remove one first.")
    else:
        kept = {"query": address, "created_by_id": request.user.pk}
        SavedView.objects.update_or_create(workspace=workspace, name=name, defaults=kept)
    return redirect(reverse("logs", args=[workspace.slug]) + address)


@require_POST
@member(EDITOR)
def remove_view(request: HttpRequest, workspace: Workspace, view_id: int) -> HttpResponse:
    get_object_or_404(SavedView, workspace=workspace, pk=view_id).delete()
    return redirect(reverse("logs", args=[workspace.slug]) + ListQuery.read(request.POST.dict()).address)
