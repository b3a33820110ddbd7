"""A stored exchange, read again as it was when it was written."""

from __future__ import annotations

from typing import Any

from gateway import dialects
from gateway.content import multipart
from gateway.content.json_written import parsed_as_written
from gateway.dialects.base import Answer, Question
from gateway.models import Payload, RequestLog
from gateway.pictures.log_images import form_document
from gateway.recording import bodies


def question_of(log: RequestLog, payload: Payload) -> Question:
    """What was asked; of an endpoint that is not known, as far as it looks like a chat."""
    asking = dialects.for_endpoint(f"/{log.endpoint}") or dialects.CHAT
    return asking.read_question(_request_document(payload))


def answer_of(log: RequestLog, payload: Payload) -> Answer:
    dialect = dialects.answering(f"/{log.endpoint}", log.wire) or dialects.CHAT
    content_type = payload.response_headers.get("content-type", "")
    framed = dialects.is_framed(content_type)
    body = bodies.response_body(payload) if framed else bodies.response_text(payload)
    return dialects.read_response(dialect, body, content_type, log.status or 0)[0]


def _request_document(payload: Payload) -> Any:
    text = bodies.request_text(payload)
    boundary = multipart.boundary_of(payload.request_headers.get("content-type", ""))
    return form_document(text, boundary) if boundary else parsed_as_written(text)
