"""A logged request sent once more, its pictures intact, edited if wished. The browser makes the call, through the gateway
as any client does, with a key that lives for minutes.
"""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from gateway.content.cutting import Cut, rebuild
from gateway.content.json_edit import Edit, apply, edits_for
from gateway.content.json_text import encoded, parse, parsed_or_none
from gateway.content.json_written import broken_into_lines
from gateway.keys.api_keys import create_passing_key
from gateway.models import LogImage, Membership, Payload, RequestLog, VirtualKey, Workspace
from gateway.pictures import blobs
from gateway.recording import bodies
from logsui.access import below_root, member
from logsui.request.conversation import read_conversation
from logsui.request.detail import find_log

TOKEN = re.compile(rb"sha256:([0-9a-f]{64})")
DETAILS = ("low", "high", "original", "auto")
KEY_LIFETIME = timedelta(minutes=10)
EDITOR = Membership.Role.EDITOR


@require_GET
@member(EDITOR)
def replay_page(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    log, payload = _found(workspace, log_id)
    text = bodies.request_text(payload)
    document = parsed_or_none(text)
    detail = request.GET.get("detail", "")
    if isinstance(document, dict) and detail in DETAILS:
        text = encoded(at_detail(document, detail))
    keys = VirtualKey.objects.of(workspace).live()
    context = {
        "workspace": workspace,
        "log": log,
        "sent_to": below_root(log.path),
        "payload": payload,
        "text": _pretty(text) if isinstance(document, dict) else "",
        "model": model_of(log),
        "models": [f"@{key.slug}/{log.model}" for key in keys],
        "needs_key": log.virtual_key is None,
        "images": [one for one in log.images.all() if one.direction == LogImage.Direction.INPUT],
        "here": reverse("log", args=[workspace.slug, log.pk]),
        "conversation": read_conversation(log, payload),
    }
    return render(request, "logsui/request/replay.html", context)


@require_POST
@member(EDITOR)
def replay_body(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    """The body to send, pictures put back, and in a header a key to send it with."""
    _, payload = _found(workspace, log_id)
    model = request.POST.get("model", "").strip()
    try:
        body = _edited(payload, request.POST["body"], model) if "body" in request.POST else bodies.request_body(payload)
    except blobs.BlobMissing:
        return _refusal("A picture of this request is not in the blob store any more.")
    except ValueError as error:
        return _refusal(f"The body is not JSON: {error}.")
    key = create_passing_key(workspace=workspace, name=f"replay by {request.user}", lifetime=KEY_LIFETIME)
    response = HttpResponse(body, content_type="application/octet-stream")
    response["X-Loupe-Key"], response["Cache-Control"] = key, "no-store"
    return response


def at_detail(document: Any, detail: str) -> Any:
    """The same request with this `detail` at each of its pictures (OpenAI: chat, Responses)."""
    if isinstance(document, list):
        return [at_detail(one, detail) for one in document]
    if not isinstance(document, dict):
        return document
    made = {name: at_detail(one, detail) for name, one in document.items()}
    picture = made.get("image_url")
    if made.get("type") == "input_image":
        made["detail"] = detail
    elif isinstance(picture, dict):
        made["image_url"] = picture | {"detail": detail}
    elif isinstance(picture, str):
        made["image_url"] = {"url": picture, "detail": detail}
    return made


def _model_edits(body: bytes, document: dict[str, object], model: str) -> list[Edit]:
    name = encoded(model).decode()
    if "model" in document:
        return edits_for(body, document, "model", lambda path, _: (lambda _: name) if path == () else None)
    brace = body.index(b"{") + 1
    return [(brace, brace, f'"model": {name}{"," if document else ""}')]


def _refusal(text: str) -> HttpResponse:
    return HttpResponse(text, status=400, content_type="text/plain")


def _found(workspace: Workspace, log_id: uuid.UUID) -> tuple[RequestLog, Payload]:
    log = find_log(workspace, log_id)
    payload = getattr(log, "payload", None)
    if payload is None or log.method != "POST":
        raise Http404("This request cannot be replayed: its body was not kept, or it has none.")
    return log, payload


def model_of(log: RequestLog) -> str:
    """The model as a call names it that is made now, with the virtual key."""
    if log.model.startswith("@") or not log.virtual_key:
        return log.model
    return f"@{log.virtual_key.slug}/{log.model}"


def _pretty(text: bytes) -> str:
    return broken_into_lines(text.decode("utf-8", "replace"))


def _edited(payload: Payload, text: str, model: str) -> bytes:
    """The body as it was edited, its numbers as they were written. Raises ValueError when it is not JSON, blobs.BlobMissing."""
    cut = text.encode()
    document = parse(cut)
    if isinstance(document, dict) and model:
        cut = apply(cut, _model_edits(cut, document, model))
    encodings = {sha256: encoding for _, sha256, encoding in payload.request_cuts}
    found = ((match.start(), match[1].decode()) for match in TOKEN.finditer(cut))
    cuts = [Cut(at, sha256, encodings[sha256]) for at, sha256 in found if sha256 in encodings]
    return rebuild(cut, cuts, blobs.get)
