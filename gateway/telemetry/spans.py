"""A log as spans: one for what the gateway did, and inside it one for the call of the model, where one was made.

Names follow OpenTelemetry's conventions for HTTP servers and for GenAI clients (open-telemetry/semantic-conventions-genai,
registry of attributes, 2026). What they have no name for begins with `loupe.`.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway import dialects, ids
from gateway.dialects.base import Answer, Question
from gateway.models import LogImage, Payload, RequestLog
from gateway.recording.reading import answer_of, question_of
from gateway.recording.words import SESSIONS
from gateway.telemetry import messages
from gateway.telemetry.attributes import Value, key_values
from gateway.telemetry.request_settings import settings_of

# Our names of vendors that the conventions call otherwise.
PROVIDERS = {
    "azure-ai": "azure.ai.inference",
    "azure-openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral-ai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex-ai": "gcp.vertex_ai",
    "x-ai": "x_ai",
}
OPERATIONS = {
    "completions": "text_completion",
    "embeddings": "embeddings",
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "images/generations": "generate_content",
    "images/edits": "generate_content",
    "images/variations": "generate_content",
}
CHATS = frozenset({"chat/completions", "responses", "messages", "converse", "converse-stream"})
USERS = ("_user", "user", "user_id")
SAMPLED = 1
Attributes = dict[str, Value | None]


@dataclass(frozen=True, slots=True)
class Content:
    """Whether texts go along, and the address at which browsers reach this Loupe, if it is known."""

    texts: bool = False
    address: str = ""

    def link(self, one: LogImage) -> str:
        """The caller's own link, else where Loupe shows the picture to its members, else the hash of its bytes."""
        if one.source == LogImage.Source.LINK or not one.image_id:
            return one.url
        here = f"{self.address}/w/{one.workspace.slug}/logs/{one.log_id}/images/{one.number}"
        return here if self.address else f"urn:sha256:{one.image_id}"


def spans_of(log: RequestLog, payload: Payload | None, images: list[LogImage], content: Content) -> list[Span]:
    """The gateway's span, and that of the model's call behind it."""
    trace, begun = trace_number(log), ids.milliseconds(log.pk) * 1_000_000
    ended = begun + _nanoseconds(log.total_ms)
    served = Span(
        trace_id=trace,
        span_id=span_number(log.span_id) if log.span_id else log.pk.bytes[8:],
        parent_span_id=span_number(log.parent_span_id),
        flags=SAMPLED,
        name=log.span_name or f"{log.method} {_route(log)}".strip(),
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=begun,
        end_time_unix_nano=ended,
        attributes=key_values(_of_gateway(log, content)),
        status=_status(log),
    )
    if not log.upstream_ms:
        return [served]
    called = Span(
        trace_id=trace,
        span_id=_hashed(log.pk.bytes + b"call", 8),
        parent_span_id=served.span_id,
        flags=SAMPLED,
        name=f"{_operation(log)} {log.model}".strip(),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=min(begun + _nanoseconds(log.gateway_ms), ended),
        end_time_unix_nano=ended,
        attributes=key_values(_of_call(log, payload, images, content)),
        status=_status(log),
    )
    return [served, called]


def trace_number(log: RequestLog) -> bytes:
    """16 bytes: those that the caller's id spells (W3C, a UUID), else of its hash, so that a trace's logs stay together."""
    try:
        number = uuid.UUID(log.trace_id).bytes
    except ValueError:
        return _hashed(log.trace_id.encode(), 16)
    return number if any(number) else _hashed(number, 16)


def span_number(id: str) -> bytes:
    """8 bytes, as `trace_number`; none of none."""
    if not id:
        return b""
    try:
        number = bytes.fromhex(id)
    except ValueError:
        number = b""
    return number if len(number) == 8 and any(number) else _hashed(id.encode(), 8)


def _hashed(data: bytes, length: int) -> bytes:
    return hashlib.sha256(data).digest()[:length]


def _nanoseconds(milliseconds: float | None) -> int:
    return int((milliseconds or 0) * 1_000_000)


def _status(log: RequestLog) -> Status:
    if log.is_bad or log.state == RequestLog.State.INTERRUPTED:
        return Status(code=Status.STATUS_CODE_ERROR, message=log.failure_message or log.answer_preview)
    return Status()


def _error(log: RequestLog) -> str | None:
    if not _status(log).code:
        return None
    return log.failure or (str(log.status) if log.status else log.state)


def _operation(log: RequestLog) -> str:
    known = dialects.short(f"/{log.endpoint}").removeprefix("/")
    return OPERATIONS.get(known) or ("chat" if known in CHATS or dialects.for_endpoint(f"/{known}") else known)


def _route(log: RequestLog) -> str:
    """The path without what differs from call to call; empty where that is not known, for a name must not be one of thousands."""
    known = dialects.short(f"/{log.endpoint}")
    return f"/v1{known}" if dialects.for_endpoint(known) else ""


def _of_gateway(log: RequestLog, content: Content) -> Attributes:
    own = {f"loupe.metadata.{name}": value for name, value in log.metadata.items()}
    return own | {
        "http.request.method": log.method,
        "url.path": log.path,
        "http.route": _route(log),
        "http.response.status_code": log.status,
        "http.request.body.size": log.request_bytes,
        "http.response.body.size": log.response_bytes,
        "error.type": _error(log),
        "user.id": next((log.metadata[name] for name in USERS if log.metadata.get(name)), None),
        "session.id": _session(log),
        "loupe.log.id": str(log.pk),
        "loupe.log.url": f"{content.address}/w/{log.workspace.slug}/logs/{log.pk}" if content.address else None,
        "loupe.workspace": log.workspace.slug,
        "loupe.state": log.state,
        "loupe.api_key": log.api_key.name if log.api_key else None,
        "loupe.virtual_key": log.virtual_key.slug if log.virtual_key else None,
        "loupe.gateway_ms": log.gateway_ms,
        "loupe.trace_id": log.trace_id,
        "loupe.warnings": [str(warning) for warning in log.warnings],
    }


def _session(log: RequestLog) -> str | None:
    return next((log.metadata[name] for name in SESSIONS if log.metadata.get(name)), None)


def _of_call(log: RequestLog, payload: Payload | None, images: list[LogImage], content: Content) -> Attributes:
    question = question_of(log, payload) if payload else Question()
    answer = answer_of(log, payload) if payload else Answer()
    first = (log.first_byte_ms or 0) - (log.gateway_ms or 0)
    own: Attributes = {
        "gen_ai.operation.name": _operation(log),
        "gen_ai.provider.name": PROVIDERS.get(log.provider, log.provider) or "unknown",
        "gen_ai.request.model": log.model,
        "gen_ai.request.stream": log.stream or None,
        "gen_ai.response.model": log.answer_model,
        "gen_ai.response.id": answer.id,
        "gen_ai.response.finish_reasons": [log.finish_reason] if log.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": first / 1000 if log.stream and first > 0 else None,
        "gen_ai.conversation.id": _session(log),
        "gen_ai.prompt.name": log.prompt_slug,
        "error.type": _error(log),
        "loupe.prompt.version": log.prompt_version,
        "loupe.cost_usd": None if log.cost is None else float(log.cost),
        "loupe.input_images": log.input_images or None,
        "loupe.image_tokens_estimated": log.image_tokens,
    }
    return (
        own
        | _usage(log)
        | _server(payload)
        | settings_of(log, question)
        | _texts(log, question, answer, images, content)
    )


def _usage(log: RequestLog) -> Attributes:
    kinds = log.token_kinds
    return {
        "gen_ai.usage.input_tokens": log.prompt_tokens,
        "gen_ai.usage.output_tokens": log.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": log.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": kinds.get("cache_write"),
        "gen_ai.usage.reasoning.output_tokens": log.reasoning_tokens,
        "gen_ai.usage.text.input_tokens": kinds.get("text_in"),
        "gen_ai.usage.image.input_tokens": kinds.get("image_in"),
        "gen_ai.usage.audio.input_tokens": kinds.get("audio_in"),
        "gen_ai.usage.text.output_tokens": kinds.get("text_out"),
        "gen_ai.usage.audio.output_tokens": kinds.get("audio_out"),
    }


def _server(payload: Payload | None) -> Attributes:
    try:
        parts = urlsplit(payload.url if payload else "")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return {}
    return {"server.address": parts.hostname, "server.port": port} if parts.hostname else {}


def _texts(log: RequestLog, question: Question, answer: Answer, images: list[LogImage], content: Content) -> Attributes:
    if not content.texts:
        return {}
    asked = [one for one in images if one.is_input]
    answered = [one for one in images if not one.is_input]
    return {
        "gen_ai.system_instructions": messages.instructions(question.turns),
        "gen_ai.input.messages": messages.history(question.turns, asked, content.link),
        "gen_ai.output.messages": messages.output(answer.turns, answered, content.link, log.finish_reason),
    }
