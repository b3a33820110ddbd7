"""One log: its page, its bodies as trees and downloads, and its pictures."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from gateway.api.logs import find_image
from gateway.index.search import Search
from gateway.models import Feedback, KeptLog, LogImage, Payload, RequestLog, Workspace
from gateway.pictures import blobs, serving
from gateway.recording import bodies
from logsui.access import may_edit, member, remember, root_of
from logsui.logs.list_query import ListQuery
from logsui.request import breakdown, marks
from logsui.request.conversation import read_conversation
from logsui.request.copy_as import folder_name, folder_zip, programs
from logsui.request.failure import failure_of
from logsui.request.json_tree import Node, Tree
from logsui.request.trace import read_trace
from logsui.request.usage import used

BODIES = {
    "request": bodies.request_body,
    "sent": bodies.sent_body,
    "response": bodies.response_body,
}
TEXTS = {
    "request": (bodies.request_text, LogImage.Direction.INPUT),
    "sent": (bodies.sent_text, LogImage.Direction.INPUT),
    "response": (bodies.response_text, LogImage.Direction.OUTPUT),
}
SHOWN_TEXT = 100_000
COUNTED_PICTURES = 12
MOST_COUNTED = 100


@require_GET
@member()
def log_detail(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    log = find_log(workspace, log_id)
    payload = getattr(log, "payload", None)
    images = list(log.images.all())
    calls = programs(log, payload, root_of(request)) if payload else []
    model, spaces = marks.cookie_name(log.answer_model or log.model), marks.remembered(request.COOKIES)
    picked = request.GET.get("space", "")
    if picked:
        spaces[model] = picked
    context = {
        "workspace": workspace,
        "log": log,
        "payload": payload,
        "conversation": read_conversation(log, payload, spaces.get(model, "")),
        "failure": failure_of(log, payload),
        "sent_to": payload.url if payload and log.state != RequestLog.State.REFUSED else "",
        "trees": _trees(log, payload),
        "byte_bar": breakdown.bytes_of(log, images),
        "time_bar": breakdown.time_of(log),
        "used": used(log),
        "trace": read_trace(log),
        "programs": calls,
        "folder": folder_name(log),
        "needs_folder": any(program.needs_folder for program in calls),
        "can_edit": may_edit(request),
        "kept": KeptLog.objects.filter(log=log_id).exists(),
        "is_thinned": payload is None and log.bodies_kept and not log.is_in_flight,
        "feedback": Feedback.objects.filter(log=log_id).select_related("user", "api_key"),
        "shared": _shown_elsewhere(workspace, images),
        **_neighbours(request, workspace, log_id),
    }
    response = render(request, "logsui/request/log_detail.html", context)
    if picked:
        remember(response, marks.COOKIE, marks.remembering(spaces, model, picked))
    return response


@require_GET
@member()
def json_branch(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID, which: str) -> HttpResponse:
    """What stands at a JSON pointer of a body, for a tree that is unfolded."""
    log = find_log(workspace, log_id)
    payload = getattr(log, "payload", None)
    if payload is None or which not in TEXTS:
        raise Http404("There is no such body.")
    try:
        node = _tree(log, payload, which).at(request.GET.get("at", ""))
    except (LookupError, TypeError, ValueError):
        raise Http404("There is nothing at this place of the body.") from None
    context = {"workspace": workspace, "log": log, "which": which, "node": node}
    return render(request, "logsui/request/_branch.html", context)


@require_safe
@member()
def log_body(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID, which: str) -> HttpResponse:
    """A body to the byte, pictures put back, as a download."""
    payload = getattr(find_log(workspace, log_id), "payload", None)
    if payload is None or which not in BODIES:
        raise Http404("There is no such body.")
    try:
        data = BODIES[which](payload)
    except blobs.BlobMissing:
        raise Http404("A picture of this body is not in the blob store any more.") from None
    return serving.download(data, f"{log_id}-{which}.bin")


@require_safe
@member()
def log_program(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID, program: str) -> HttpResponse:
    """One of the programs, whole, as its button copies it."""
    log = find_log(workspace, log_id)
    payload = getattr(log, "payload", None)
    found = programs(log, payload, root_of(request)) if payload else []
    text = next((one.text for one in found if one.name == program), None)
    if text is None:
        raise Http404("The bodies of this request were not kept, or there is no such program.")
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
@member()
def log_folder(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    """What the copied programs read: pictures, body and the programs themselves, as a ZIP."""
    log = find_log(workspace, log_id)
    payload = getattr(log, "payload", None)
    if payload is None:
        raise Http404("The bodies of this request were not kept.")
    try:
        data = folder_zip(log, payload, root_of(request))
    except blobs.BlobMissing:
        raise Http404("A picture of this body is not in the blob store any more.") from None
    return serving.download(data, f"{folder_name(log)}.zip")


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


def find_log(workspace: Workspace, log_id: uuid.UUID) -> RequestLog:
    """A log with its bodies and pictures. Raises Http404."""
    images = Prefetch("images", LogImage.objects.select_related("image"))
    found = RequestLog.objects.of(workspace).filter(pk=log_id)
    log = found.select_related("workspace", "virtual_key", "api_key", "payload").prefetch_related(images).first()
    if log is None:
        raise Http404("There is no such log in this workspace.")
    return log


def _neighbours(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> dict[str, Any]:
    """The list from which this log was opened, as its address says, and the logs next to it there."""
    query = ListQuery.read(request.GET.dict())
    search = Search(workspace, query.search, query.whole_window)
    older = search.page(log_id, 1).ids
    return {"query": query, "newer": search.newer(log_id), "older": older[0] if older else None}


def _trees(log: RequestLog, payload: Payload | None) -> list[dict[str, Any]]:
    """Each body with its tree, or as plain text where it is not JSON."""
    if payload is None:
        return []
    titles = {"request": "Request body", "sent": f"Body as {log.provider} got it", "response": "Response body"}
    sizes = {"request": log.request_bytes, "response": log.response_bytes}
    found = [(which, TEXTS[which][0](payload)) for which in TEXTS]
    return [
        {
            "which": which,
            "title": titles[which],
            "size": sizes.get(which),
            "wire": log.wire if which == "sent" else "",
            **_root(log, payload, which, body),
        }
        for which, body in found
        if body or which != "sent"
    ]


def _root(log: RequestLog, payload: Payload, which: str, body: bytes) -> dict[str, Node | str]:
    try:
        return {"node": _tree(log, payload, which).root()}
    except ValueError:
        return {"text": body[:SHOWN_TEXT].decode("utf-8", "replace")}


def _tree(log: RequestLog, payload: Payload, which: str) -> Tree:
    text, direction = TEXTS[which]
    return Tree(text(payload), [one for one in log.images.all() if one.direction == direction])


def _shown_elsewhere(workspace: Workspace, images: list[LogImage]) -> dict[str, int]:
    """In how many other logs each of the first pictures stands, by its hash, counted up to a bound."""
    found = {}
    for sha256 in list(dict.fromkeys(one.image_id for one in images if one.image_id))[:COUNTED_PICTURES]:
        logs = (
            LogImage.objects.filter(workspace=workspace, image=sha256)
            .order_by("log_id")
            .values_list("log_id", flat=True)
        )
        found[sha256] = len(set(logs[: MOST_COUNTED + 1])) - 1
    return found
