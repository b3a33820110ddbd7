"""POST /v1/feedback and PUT /v1/feedback/{id}, as Portkey's SDKs speak them: one object, or several at once."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from gateway.api.access import with_key
from gateway.content.json_text import parse
from gateway.errors import BadRequest
from gateway.models import ApiKey, Feedback, Workspace
from gateway.recording import feedback

MOST = 1000
SCOPE = "completions.write"


@with_key(SCOPE, "POST")
def create(request: HttpRequest, workspace: Workspace, key: ApiKey) -> HttpResponse:
    given = [_checked(one) for one in _objects(_document(request))]
    ids = []
    for one in given:
        try:
            row = feedback.give(workspace=workspace, api_key=key, **one)
        except ValidationError as error:
            raise BadRequest(error.messages[0], code="invalid_feedback") from None
        ids.append(str(row.pk))
    return JsonResponse({"status": "success", "message": "Feedback taken.", "feedback_ids": ids})


@with_key(SCOPE, "PUT")
def update(request: HttpRequest, workspace: Workspace, key: ApiKey, feedback_id: int) -> HttpResponse:
    row = Feedback.objects.filter(workspace=workspace, pk=feedback_id).first()
    if row is None:
        raise Http404(f"No feedback {feedback_id} in this workspace.")
    body = _object(_document(request))
    try:
        feedback.change(
            row=row,
            value=body.get("value", row.value),
            weight=body.get("weight", row.weight),
            metadata=body.get("metadata") if isinstance(body.get("metadata"), dict) else None,
        )
    except ValidationError as error:
        raise BadRequest(error.messages[0], code="invalid_feedback") from None
    return JsonResponse({"status": "success", "message": "Feedback changed.", "feedback_ids": [str(row.pk)]})


def _document(request: HttpRequest) -> Any:
    try:
        return parse(request.body)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.", code="invalid_json") from None


def _objects(document: Any) -> list[dict[str, Any]]:
    """One object, a list of them, or the Node SDK's list: an object with the keys "0", "1", and so on."""
    if isinstance(document, dict) and document and all(name.isdigit() for name in document):
        document = list(document.values())
    found = document if isinstance(document, list) else [document]
    if not found or len(found) > MOST:
        raise BadRequest(f"Give from 1 to {MOST} objects of feedback at once.", code="invalid_feedback")
    return [_object(one) for one in found]


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BadRequest("Feedback is an object with trace_id and value.", code="invalid_feedback")
    return document


def _checked(one: dict[str, Any]) -> dict[str, Any]:
    trace = one.get("trace_id", one.get("traceID", one.get("traceId")))
    if not isinstance(trace, str) or not trace:
        raise BadRequest("Feedback needs the trace_id of the request.", code="invalid_feedback", param="trace_id")
    metadata = one.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise BadRequest("metadata must be an object.", code="invalid_feedback", param="metadata")
    try:
        value, weight = feedback.checked_value(one.get("value")), feedback.checked_weight(one.get("weight", 1.0))
    except ValidationError as error:
        raise BadRequest(error.messages[0], code="invalid_feedback") from None
    return {"trace_id": trace, "value": value, "weight": weight, "metadata": metadata, "note": str(one.get("note", ""))}
