"""Pictures of the log, to be put into the slot of a prompt: each once, the newest first, found as logs are."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gateway.content.sniff import DRAWN
from gateway.index.search import Search, Window
from gateway.index.search_language import BadQuery, parse
from gateway.models import Image, LogImage, Workspace
from logsui.access import editor

LOGS_A_LOOK = 60


@require_GET
@editor
def pick_picture(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """A fragment: the pictures of the newest requests that answer `q`, older than the log `before`."""
    words = request.GET.get("q", "").strip()
    context: dict[str, object] = {"workspace": workspace, "words": words}
    try:
        page = Search(workspace, parse(f"{words} images:>0"), Window()).page(_before(request), LOGS_A_LOOK)
        context |= {"images": _pictures(workspace, page.ids), "next": page.next}
    except BadQuery as unclear:
        context["problem"] = str(unclear)
    return render(request, "logsui/prompts/picture_picker.html", context)


def _pictures(workspace: Workspace, logs: list[uuid.UUID]) -> list[Image]:
    found = LogImage.objects.filter(workspace=workspace, log__in=logs, image__media_type__in=DRAWN)
    images = found.select_related("image").order_by("-log__started_at", "direction", "index")
    return list({one.image.pk: one.image for one in images if one.image}.values())


def _before(request: HttpRequest) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.GET["before"]) if request.GET.get("before") else None
    except ValueError:
        return None
