"""From one finished flow to its rows and blobs. The only writer of logs; writing the same flow twice changes nothing."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.db import DataError, IntegrityError, transaction

from gateway import dialects, ids, metrics
from gateway.content import multipart
from gateway.content.cutting import Cutter, Cutting, cut
from gateway.content.encodings import unpack
from gateway.content.json_written import compact, parsed_as_written
from gateway.content.openai_fields import error_of
from gateway.content.plain_text import clean_text
from gateway.dialects.base import Answer, Dialect, Question, text_of
from gateway.faults import will_pass
from gateway.models import LOGS, PAYLOADS, LogImage, Payload, RequestLog, Tombstone, engine
from gateway.pictures.log_images import form_document, read_images
from gateway.recording import bodies, kept_turns, own_prices
from gateway.recording.flow import Flow
from gateway.recording.log_rows import Rows
from gateway.recording.log_rows import write as _write
from gateway.recording.picture_notes import note_image_tokens, note_inlined
from gateway.recording.words import texts_of, unindexed

log = logging.getLogger(__name__)

PREVIEW = 200
MOST_IMAGES = 32767
MOST_METADATA = 64


class Unreadable(Exception):
    """A flow that cannot be turned into rows; ingest puts it aside."""


def announce(flows: Sequence[Flow]) -> None:
    """Show requests that are under way, with what was asked. What exists already, whatever its state, is left alone."""
    try:
        _write([_announced(flow) for flow in flows], final=False)
    except Exception as error:
        if isinstance(error, OSError) or will_pass(error):
            raise
        log.warning("requests under way are not shown until they end: %s", error)


def record(flows: Sequence[Flow]) -> None:
    """Write finished flows: blobs first, then all rows in one transaction.

    Raises:
        Unreadable: one of them cannot be written. django.db.OperationalError: the database is not there; try again.
    """
    rows = [_rows(flow) for flow in flows]
    try:
        _write(rows, final=True)
    except Exception as error:
        if isinstance(error, OSError) or will_pass(error):
            raise
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    for row in rows:
        metrics.RECORDED.labels(str(row.log.state)).inc()


def record_unreadable(flow: Flow, reason: str, keep: Callable[[], None]) -> None:
    """A row for a flow that could not be read: what is certain of it, and where `keep` puts the rest. None when it was deleted."""
    row = _light_row(flow, RequestLog.State.FAILED)
    row.failure, row.failure_message = "unreadable", clean_text(reason, 1000)
    try:
        _write_unreadable(row, keep)
    except (DataError, IntegrityError, ValueError):
        row.api_key_id = row.virtual_key_id = None  # one of them may be gone
        _write_unreadable(row, keep)


@transaction.atomic
def _write_unreadable(row: RequestLog, keep: Callable[[], None]) -> None:
    engine.share(engine.LOGS)
    if not Tombstone.objects.filter(pk=row.pk).exists():
        keep()
        RequestLog.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["id"], update_fields=["state", "failure", "failure_message"]
        )


def ended(flow_ids: Sequence[bytes]) -> set[bytes]:
    """Which of these requests have their final row already."""
    rows = RequestLog.objects.filter(pk__in=[uuid.UUID(bytes=id) for id in flow_ids])
    return {pk.bytes for pk in rows.exclude(state=RequestLog.State.IN_FLIGHT).values_list("pk", flat=True)}


def _announced(flow: Flow) -> Rows:
    arrived, flow.parts = flow.parts, []  # half a picture would be taken for a whole one
    try:
        rows = _rows(flow)
    except Unreadable:
        return Rows(_light_row(flow, RequestLog.State.IN_FLIGHT))  # it will be put aside when it has ended
    finally:
        flow.parts = arrived
    rows.log.state, rows.log.failure, rows.log.failure_message = RequestLog.State.IN_FLIGHT, "", ""
    rows.log.answer_preview = ""
    return rows


def _rows(flow: Flow) -> Rows:
    try:
        return _read(flow)
    except OSError:
        raise  # the blob store is not there, which is no fault of the flow
    except Exception as error:
        log.exception("flow %s could not be read", uuid.UUID(bytes=flow.id))
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _read(flow: Flow) -> Rows:
    meta, end = flow.meta, flow.ending
    row = _light_row(flow, RequestLog.State(end.get("state", RequestLog.State.INTERRUPTED)))
    response, outgoing = flow.response, flow.outgoing()
    row.warnings = [clean_text(line, 500) for line in [*meta.get("warnings", []), *outgoing.warnings]][:100]
    asking = dialects.for_endpoint(meta["endpoint"]) if meta["method"] == "POST" else None
    _note_ending(row, end, response)
    request_cut = flow.request_cut = flow.request_cut or flow.cutter.cut(flow.request, meta["content_type"])
    headers = end.get("headers", {})
    readable = unpack(response, headers.get("content-encoding", ""))
    answer_type = headers.get("content-type", "")
    response_cut = cut(readable, answer_type)
    question = flow.question = flow.question or _question(asking, request_cut, meta["content_type"])
    row.metadata = _with_own_metadata(row.metadata, question.settings.get("metadata"))
    row.warnings += bodies.unread(request_cut, "request") + bodies.unread(response_cut, "answer")
    answering = dialects.answering(meta["endpoint"], row.wire) if asking else None
    text = readable if dialects.is_framed(answer_type) else response_cut.text
    answer, problem = _answer(answering, text, answer_type, row)
    _note_answer(row, question, answer, problem)
    rows = Rows(row)
    if meta["keep_bodies"]:
        kept = response_cut if readable is response else Cutting(response, [], [])
        sent_cut = flow.sent_cut = flow.sent_cut or flow.cutter.cut(flow.sent_body(), "application/json")
        flow.cutter = Cutter()  # it remembers whole pictures, and both bodies are cut
        rows.payload = _payload(row, meta, end, request_cut, kept)
        rows.payload.url = clean_text(outgoing.url, 1000) or rows.payload.url
        rows.payload.sent_body = bodies.stored(sent_cut.text)
        rows.payload.sent_cuts = sent_cut.cuts
        parts = {part.position: part for turn in question.turns for part in turn.parts if part.position}
        asked = read_images(row, request_cut, meta["content_type"], LogImage.Direction.INPUT, parts)
        answered = read_images(row, response_cut, answer_type, LogImage.Direction.OUTPUT, {})
        rows.log_images = asked + answered
        rows.keep_files(request_cut, sent_cut, response_cut)
        for one in rows.log_images:
            one.image = rows.images.get(one.image_id or "")
        row.input_images, row.output_images = _pictures(asked), _pictures(answered)
        note_inlined(asked, outgoing.inlined, rows.images)
        note_image_tokens(row, asked, rows.images, answer.usage)
        rows.kept_turns = kept_turns.rows_of(row, readable, answer_type)
        rows.texts = texts_of(row, question, answer, meta["headers"])
        row.warnings += unindexed(rows.texts)
    else:
        row.prompt_preview = row.answer_preview = ""
    return rows


def _pictures(rows: list[LogImage]) -> int:
    return min(sum(row.is_picture for row in rows), MOST_IMAGES)


def _light_row(flow: Flow, state: RequestLog.State) -> RequestLog:
    meta = flow.meta
    prompt = meta.get("prompt") or {}
    id = uuid.UUID(bytes=flow.id)
    return LOGS.blank(
        id=id,
        workspace_id=meta["workspace"],
        api_key_id=meta["api_key"],
        virtual_key_id=meta["virtual_key"],
        started_at=ids.time_of(id),
        state=state,
        endpoint=clean_text(meta["endpoint"].strip("/"), 40),
        method=clean_text(meta["method"], 10),
        path=clean_text(meta["path"], 500),
        stream=meta["stream"],
        provider=meta["provider"],
        model=clean_text(meta["model"], 200),
        request_bytes=meta["bytes"],
        trace_id=clean_text(meta["trace_id"], 128),
        span_id=clean_text(meta["span_id"], 128),
        span_name=clean_text(meta["span_name"], 128),
        parent_span_id=clean_text(meta["parent_span_id"], 128),
        metadata={clean_text(key, 128): clean_text(value, 1024) for key, value in meta["metadata"].items()},
        sdk=clean_text(meta["sdk"], 64),
        wire=meta.get("wire", ""),
        prompt_slug=prompt.get("slug", ""),
        prompt_version=prompt.get("version"),
        prompt_label=clean_text(prompt.get("label", ""), 50),
        bodies_kept=meta["keep_bodies"],
    )


def _note_ending(row: RequestLog, end: dict[str, Any], response: bytes) -> None:
    row.status = end.get("status")
    row.failure = end.get("failure", "") or ("" if end else "interrupted")
    row.failure_message = clean_text(
        end.get("message", "" if end else "the gateway was killed while this was under way"), 1000
    )
    row.total_ms, row.first_byte_ms = end.get("total_ms"), end.get("first_byte_ms")
    row.upstream_ms, row.gateway_ms = end.get("upstream_ms"), end.get("gateway_ms")
    row.response_bytes = len(response)


def _note_answer(row: RequestLog, question: Question, answer: Answer, problem: str) -> None:
    usage = answer.usage
    row.answer_model = clean_text(answer.model, 200)
    row.finish_reason = clean_text(answer.finish_reason, 40)
    row.prompt_tokens, row.completion_tokens = usage.prompt, usage.completion
    both = None if usage.prompt is None else usage.prompt + (usage.completion or 0)
    row.total_tokens = usage.total if usage.total is not None else both
    row.cached_tokens, row.reasoning_tokens = usage.cached, usage.reasoning
    row.token_kinds = usage.kinds()
    row.provider_cost = None if usage.cost is None else Decimal(str(usage.cost)).quantize(Decimal("0.00000001"))
    row.service_tier = usage.tier
    own_prices.note_cost(row, usage)
    row.prompt_preview = clean_text(" ".join(text_of(question.turns, "user").split()), PREVIEW)
    row.answer_preview = clean_text(
        " ".join((text_of(answer.turns) or answer.error or row.failure_message).split()), PREVIEW
    )
    if problem and row.state == RequestLog.State.OK:
        row.state, row.failure, row.failure_message = RequestLog.State.FAILED, "invalid_stream", problem


def _with_own_metadata(metadata: dict[str, str], own: Any) -> dict[str, str]:
    """OpenAI's own `metadata` of the body, beside that of the headers, which counts where both name one."""
    if not isinstance(own, dict):
        return metadata
    given = {name: one if isinstance(one, str) else compact(one) for name, one in list(own.items())[:MOST_METADATA]}
    return {clean_text(name, 128): clean_text(one, 1024) for name, one in given.items()} | metadata


def _question(dialect: Dialect | None, body: Cutting, content_type: str) -> Question:
    boundary = multipart.boundary_of(content_type)
    if dialect is None:
        return Question()
    return dialect.read_question(form_document(body.text, boundary) if boundary else parsed_as_written(body.text))


def _answer(dialect: Dialect | None, body: bytes, content_type: str, row: RequestLog) -> tuple[Answer, str]:
    """What was answered, and what is wrong with the stream it came in, if anything is."""
    if not dialects.is_stream(content_type):
        document = parsed_as_written(body)
        return (dialect.read_answer(document) if dialect else Answer(error=error_of(document))), ""
    answer, bad = dialects.read_response(dialect or dialects.CHAT, body, content_type, row.status or 0)
    if answer.error and row.state == RequestLog.State.OK:
        row.state = RequestLog.State.ERROR
        row.failure, row.failure_message = "stream_error", clean_text(answer.error, 1000)
    if bad:
        return answer, f"{bad} event{'' if bad == 1 else 's'} of the stream could not be read"
    marks = (dialect or dialects.CHAT).end_marks
    if (row.status or 0) >= 400:
        return answer, ""
    if dialect and not answer.complete and not any(mark in body for mark in marks):
        return answer, "the stream ended before its end mark"
    return answer, ""


def _payload(
    row: RequestLog, meta: dict[str, Any], end: dict[str, Any], request: Cutting, response: Cutting
) -> Payload:
    return PAYLOADS.blank(
        log_id=row.pk,
        url=clean_text(meta["url"], 1000),
        request_headers=meta["headers"],
        request_body=bodies.stored(request.text),
        request_cuts=request.cuts,
        request_edits=meta["edits"],
        response_headers=end.get("headers", {}),
        response_body=bodies.stored(response.text),
        response_cuts=response.cuts,
        prompt_variables=(meta.get("prompt") or {}).get("variables", {}),
    )
