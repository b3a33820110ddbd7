"""GET /v1/logs: the logs for programs, by gateway key with the scope `logs.read`. Field names are Portkey's where it has one."""

from __future__ import annotations

import json
import logging
import re
import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from gateway.api.access import json_body, with_key
from gateway.errors import BadRequest
from gateway.index.search import Search, Window
from gateway.index.search_language import BadQuery, parse
from gateway.keys.audit import Actor
from gateway.models import ApiKey, Deletion, LogImage, RequestLog, Workspace
from gateway.pictures import serving
from gateway.recording import bodies
from gateway.retention import deletions

log = logging.getLogger(__name__)

MOST = 200
FILTERS = {
    "trace_id": "trace_id",
    "model": "model",
    "provider": "provider",
    "state": "state",
    "status": "status",
}
KNOWN = {*FILTERS, "limit", "before", "q"}


reading = with_key("logs.read", "GET", "HEAD")
deleting = with_key("logs.delete", "DELETE")


@reading
def no_such_path(request: HttpRequest, workspace: Workspace, key: ApiKey, rest: str) -> HttpResponse:
    """Never an HTML page under /v1."""
    raise Http404(f"There is no /v1/logs/{rest[:100]}. A log is /v1/logs/<id>, its image /v1/logs/<id>/images/i0.")


@reading
def log_list(request: HttpRequest, workspace: Workspace, key: ApiKey) -> HttpResponse:
    unknown = sorted(set(request.GET) - KNOWN)
    if unknown:
        raise BadRequest(
            f"Unknown filter {', '.join(unknown)}; known: {', '.join(sorted(KNOWN))}.", code="unknown_filter"
        )
    limit = _limit(request.GET.get("limit", "50"))
    wanted = {field: request.GET[name] for name, field in FILTERS.items() if name in request.GET}
    if not re.fullmatch(r"[0-9]{1,5}", wanted.get("status", "0")):
        raise BadRequest("status must be a number such as 200.", code="invalid_filter", param="status")
    if "q" in request.GET:
        return _found(request, workspace, wanted, limit)
    logs = RequestLog.objects.of(workspace).filter(**wanted).newest_first().before(_before(request))
    rows = list(logs[: limit + 1])
    data = [summary(row) for row in rows[:limit]]
    return JsonResponse({"object": "list", "data": data, "has_more": len(rows) > limit})


def _found(request: HttpRequest, workspace: Workspace, wanted: dict[str, str], limit: int) -> HttpResponse:
    """A search in the language of the log browser. `next` is the `before` of the next page."""
    if wanted:
        raise BadRequest(f"Write {', '.join(wanted)} into q, such as q=model:gpt-4o status:4xx.", code="invalid_filter")
    try:
        question = parse(request.GET["q"])
    except BadQuery as error:
        raise BadRequest(str(error), code="invalid_filter", param="q") from None
    page = Search(workspace, question, Window()).page(_before(request), limit)
    rows = RequestLog.objects.of(workspace).filter(pk__in=page.ids).newest_first()
    found = {"object": "list", "data": [summary(row) for row in rows], "has_more": page.next is not None}
    hints = {"hints": question.hints} if question.hints else {}
    return JsonResponse(found | {"next": page.next} | hints)


@reading
def log_detail(request: HttpRequest, workspace: Workspace, key: ApiKey, log_id: uuid.UUID) -> HttpResponse:
    images = Prefetch("images", LogImage.objects.select_related("image"))
    found = (
        RequestLog.objects.of(workspace)
        .filter(pk=log_id)
        .select_related("payload", "virtual_key")
        .prefetch_related(images)
        .first()
    )
    if found is None:
        raise Http404(f"No log {log_id} in this workspace.")
    return JsonResponse(whole(found, request))


@deleting
def log_delete(request: HttpRequest, workspace: Workspace, key: ApiKey, log_id: uuid.UUID) -> HttpResponse:
    if not deletions.delete(workspace=workspace, log_ids=[log_id], actor=Actor.key(key)):
        raise Http404(f"No log {log_id} in this workspace.")
    return JsonResponse({"object": "log", "id": str(log_id), "deleted": True})


@with_key("logs.delete", "POST")
def delete_found(request: HttpRequest, workspace: Workspace, key: ApiKey) -> HttpResponse:
    """Delete everything that `q` finds now; or, as a `dry_run`, count it. It goes on in the worker."""
    given = json_body(request)
    unknown = sorted(set(given) - {"q", "dry_run"})
    query = given.get("q")
    if unknown or not isinstance(query, str) or not query.strip():
        raise BadRequest(
            'The body says what to delete: {"q": "metadata._user:ada"}, with "dry_run": true to count it first. '
            'All logs are {"q": "*"}.' + (f" Unknown: {', '.join(unknown)}." if unknown else ""),
            code="invalid_body",
            param="q",
        )
    query = "" if query.strip() == "*" else query
    try:
        if given.get("dry_run"):
            count = deletions.counted(workspace, query, Window())
            found = {"count": count.number, "is_at_least": count.is_at_least}
            return JsonResponse({"object": "deletion", "q": query} | found)
        row = deletions.begin(workspace=workspace, query=query, actor=Actor.key(key))
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages), code="invalid_filter", param="q") from None
    return JsonResponse(_deletion(row), status=202)


@with_key("logs.delete", "GET", "HEAD")
def deletion_detail(request: HttpRequest, workspace: Workspace, key: ApiKey, id: uuid.UUID) -> HttpResponse:
    row = Deletion.objects.of(workspace).filter(pk=id).first()
    if row is None:
        raise Http404(f"No deletion {id} in this workspace.")
    return JsonResponse(_deletion(row))


def _deletion(row: Deletion) -> dict[str, Any]:
    return {
        "object": "deletion",
        "id": str(row.pk),
        "q": row.query,
        "state": "running" if row.is_running else "done",
        "deleted": row.deleted,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
    }


@reading
def log_image(request: HttpRequest, workspace: Workspace, key: ApiKey, log_id: uuid.UUID, number: str) -> HttpResponse:
    image = find_image(workspace, log_id, number).image
    if image is None:
        raise Http404("This image is not kept; its log says why.")
    return serving.linked(image) or serving.original(request, image)


@reading
def log_thumbnail(
    request: HttpRequest, workspace: Workspace, key: ApiKey, log_id: uuid.UUID, number: str
) -> HttpResponse:
    image = find_image(workspace, log_id, number).image
    if image is None:
        raise Http404("This image is not kept; its log says why.")
    return serving.thumbnail(request, image, 256)


def find_image(workspace: Workspace, log_id: uuid.UUID, number: str) -> LogImage:
    """`i0` is the first picture of a request, `o0` the first of its answer. Raises Http404."""
    directions = {direction.value[0]: direction for direction in LogImage.Direction}
    direction = directions.get(number[:1])
    if direction is None or not number[1:].isdigit() or len(number) > 6:
        raise Http404(f"No image {number} here.")
    found = LogImage.objects.of_log(workspace, log_id).filter(direction=direction, index=int(number[1:])).first()
    if found is None:
        raise Http404(f"No image {number} here.")
    return found


def summary(log: RequestLog) -> dict[str, Any]:
    """A log without its bodies."""
    return {
        "id": str(log.pk),
        "trace_id": log.trace_id,
        "state": log.state,
        "created_at": log.started_at.isoformat(),
        "request_method": log.method,
        "request_path": log.path,
        "mode": log.endpoint,
        "stream_mode": log.stream,
        "is_success": log.state == RequestLog.State.OK,
        "response_status_code": log.status,
        "failure": log.failure or None,
        "failure_message": log.failure_message or None,
        "ai_org": log.provider,
        "ai_model": log.model,
        "answer_model": log.answer_model or None,
        "virtual_key_id": log.virtual_key_id,
        "api_key_id": log.api_key_id,
        "req_units": log.prompt_tokens,
        "res_units": log.completion_tokens,
        "total_units": log.total_tokens,
        "cost": float(log.cost) if log.cost is not None else None,
        "cost_currency": "USD",
        "cost_source": log.cost_source or None,
        "priced_as": log.priced_as or None,
        "service_tier": log.service_tier or None,
        "provider_cost": float(log.provider_cost) if log.provider_cost is not None else None,
        "token_kinds": log.token_kinds,
        "image_tokens_estimate": log.image_tokens,
        "image_tokens_disagree": log.tokens_disagree,
        "wire": log.wire or None,
        "warnings": log.warnings,
        "response_time": log.total_ms,
        "time_to_first_byte": log.first_byte_ms,
        "upstream_response_time": log.upstream_ms,
        "gateway_processing_time": log.gateway_ms,
        "request_bytes": log.request_bytes,
        "response_bytes": log.response_bytes,
        "prompt_preview": log.prompt_preview,
        "answer_preview": log.answer_preview,
        "input_images": log.input_images,
        "output_images": log.output_images,
        "span_id": log.span_id or None,
        "span_name": log.span_name or None,
        "parent_span_id": log.parent_span_id or None,
        "metadata": log.metadata,
        "sdk": log.sdk,
        "prompt_slug": log.prompt_slug or None,
        "prompt_version": log.prompt_version,
        "prompt_label": log.prompt_label or None,
    }


def whole(log: RequestLog, request: HttpRequest) -> dict[str, Any]:
    """A log with its bodies, in which each picture reads `sha256:<hex>`, and its pictures."""
    payload = getattr(log, "payload", None)
    return summary(log) | {
        "request": {
            "url": payload.url,
            "method": log.method,
            "headers": payload.request_headers,
            "body": _readable(bodies.request_text(payload)),
        }
        if payload
        else None,
        "transformedRequest": {
            "url": payload.url,
            "method": log.method,
            "body": _readable(bodies.sent_text(payload)),
        }
        if payload and payload.sent_body
        else None,
        "response": {
            "status": log.status,
            "headers": payload.response_headers,
            "body": _readable(bodies.response_text(payload)),
            "responseTime": log.total_ms,
        }
        if payload
        else None,
        "prompt_variables": payload.prompt_variables if payload else None,
        "images": [_image(one, request) for one in log.images.all()],
    }


def _image(one: LogImage, request: HttpRequest) -> dict[str, Any]:
    image = one.image
    where = {"log_id": one.log_id, "number": one.number}
    return {
        "sha256": image.sha256 if image else None,
        "media_type": one.media_type or None,
        "kind": "image" if one.is_picture else "document",
        "width": image.width if image else None,
        "height": image.height if image else None,
        "bytes": image.size if image else None,
        "direction": one.direction,
        "position": one.position,
        "source": one.source,
        "source_url": one.url or None,
        "detail": one.detail or None,
        "tokens_estimate": one.tokens,
        "inlined": one.inlined,
        "snapshot": f"failed: {one.snapshot_reason}" if one.snapshot == LogImage.Snapshot.FAILED else one.snapshot,
        "problem": (image.thumbnail_problem if image else one.snapshot_reason) or None,
        "url": request.build_absolute_uri(reverse("api-image", kwargs=where)) if image else None,
        "thumbnail_url": request.build_absolute_uri(reverse("api-thumbnail", kwargs=where))
        if image and image.drawn
        else None,
    }


def _readable(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.decode("utf-8", "replace")


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) <= MOST:
        raise BadRequest(f"limit must be a number from 1 to {MOST}.", code="invalid_limit", param="limit")
    return int(text)


def _before(request: HttpRequest) -> uuid.UUID | None:
    text = request.GET.get("before")
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        raise BadRequest("before must be the id of a log.", code="invalid_cursor", param="before") from None
