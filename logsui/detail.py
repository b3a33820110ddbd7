"""One log: its page, its bodies and its pictures."""

from __future__ import annotations

import uuid

from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from gateway import blobs, bodies, serving
from gateway.logs_api import find_image
from gateway.models import LogImage, RequestLog, Workspace
from logsui.access import member
from logsui.conversation import read_conversation
from logsui.rawjson import pieces

BODIES = {
    "request": bodies.request_body,
    "sent": bodies.sent_body,
    "response": bodies.response_body,
}


@require_GET
@member()
def log_detail(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    images = Prefetch("images", LogImage.objects.select_related("image"))
    found = RequestLog.objects.of(workspace).filter(pk=log_id)
    log = found.select_related("workspace", "virtual_key", "api_key", "payload").prefetch_related(images).first()
    if log is None:
        raise Http404("There is no such log in this workspace.")
    payload = getattr(log, "payload", None)
    context = {
        "workspace": workspace,
        "log": log,
        "payload": payload,
        "conversation": read_conversation(log, payload),
        "request_json": pieces(bodies.request_text(payload), log, LogImage.Direction.INPUT) if payload else [],
        "sent_json": pieces(bodies.sent_text(payload), log, LogImage.Direction.INPUT) if payload else [],
        "response_json": pieces(bodies.response_text(payload), log, LogImage.Direction.OUTPUT) if payload else [],
        "newer": RequestLog.objects.of(workspace).filter(pk__gt=log_id).order_by("id").first(),
        "older": RequestLog.objects.of(workspace).newest_first().before(log_id).first(),
    }
    return render(request, "logsui/log_detail.html", context)


@require_safe
@member()
def log_body(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID, which: str) -> HttpResponse:
    """A body to the byte, pictures put back, as a download."""
    log = RequestLog.objects.of(workspace).filter(pk=log_id).select_related("payload").first()
    payload = getattr(log, "payload", None)
    if payload is None or which not in BODIES:
        raise Http404("There is no such body.")
    try:
        data = BODIES[which](payload)
    except blobs.BlobMissing:
        raise Http404("A picture of this body is not in the blob store any more.") from None
    headers = {
        "Content-Disposition": f'attachment; filename="{log_id}-{which}.bin"',
        "Content-Security-Policy": serving.SANDBOX_POLICY,
        "Cache-Control": "no-store",
    }
    return HttpResponse(data, content_type="application/octet-stream", headers=headers)


@require_safe
@member()
def image(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID, number: str) -> HttpResponse:
    found = find_image(workspace, log_id, number).image
    if found is None or serving.cross_site(request):
        raise Http404("This image is not kept.")
    return serving.original(request, found)


@require_safe
@member()
def thumbnail(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID, number: str, size: int) -> HttpResponse:
    found = find_image(workspace, log_id, number).image
    if found is None or serving.cross_site(request):
        raise Http404("This image is not kept.")
    return serving.thumbnail(request, found, size)
