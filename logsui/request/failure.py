"""Why a request has no whole answer: in the words of whoever refused it, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.content.json_text import obj, parsed_or_none
from gateway.models import Payload, RequestLog
from gateway.recording.bodies import response_text
from gateway.upstream.provider_errors import retold

REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-goog-request-id", "cf-ray")
STATES = {
    RequestLog.State.FAILED: "No whole answer came",
    RequestLog.State.REFUSED: "Loupe did not send this request",
    RequestLog.State.ABORTED: "The client left before the answer was whole",
    RequestLog.State.INTERRUPTED: "Loupe stopped before the answer was whole",
}
BY_STATE = {
    RequestLog.State.ABORTED: "What had come by then is below. A client's own timeout is the usual cause: raise it, or stream.",
    RequestLog.State.INTERRUPTED: "What had come by then is below. The server process ended; the call can be replayed.",
}
ADDRESS = "Look at the base URL of the virtual key on the page Keys, and at the network between here and there."
SLOW = "Stream the answer, ask a quicker model, or raise the timeout (LOUPE_UPSTREAM_IDLE_SECONDS, x-portkey-request-timeout)."
BY_FAILURE = {
    "broken_off": "The provider closed the connection. What had come by then is below; the call can be replayed.",
    "not_http": "What answers at this address broke off, or speaks no HTTP. If it lasts, look at the virtual key's base URL.",
    "unreachable": ADDRESS,
    "connect_timeout": ADDRESS,
    "read_timeout": SLOW,
    "request_timeout": SLOW,
    "stream_error": "The provider broke its stream off with this error. What had come by then is below.",
    "invalid_answer": "The provider's answer is below as it came. If its model is new, it may need a newer Loupe.",
}
BY_STATUS = {
    400: "Look at the parameter that the provider names, and at the notes under the pictures.",
    401: "The provider did not take the key: look at the virtual key on the page Keys.",
    402: "The account at the provider has no credit left.",
    403: "The key may not do this: look at its rights, the region and the model's terms at the provider.",
    404: "The provider knows no such model or address: look at the model's name, and at the base URL on the page Keys.",
    408: "The provider waited too long for the request: send smaller pictures, or try again.",
    413: "The body is too large for the provider: send smaller pictures, or links to them.",
    422: "Look at the parameter that the provider names.",
    429: "Too many requests or tokens for now: wait as long as the provider says, or spread the calls over more keys.",
    529: "The provider is overloaded: try again in a while.",
}
PROVIDERS_FAULT = "Something broke at the provider: try again; if it lasts, look at its status page."


@dataclass(frozen=True, slots=True)
class Failure:
    """`cure` is empty where the message itself says what to do."""

    title: str
    message: str
    code: str = ""
    kind: str = ""
    param: str = ""
    request_id: str = ""
    cure: str = ""


def failure_of(log: RequestLog, payload: Payload | None) -> Failure | None:
    """None for a request that was answered, or is under way."""
    if log.state in (RequestLog.State.OK, RequestLog.State.IN_FLIGHT):
        return None
    headers = {name.lower(): value for name, value in (payload.response_headers if payload else {}).items()}
    said = _said(log, payload, headers)
    own = log.state == RequestLog.State.REFUSED
    return Failure(
        title=STATES.get(RequestLog.State(log.state), f"{log.provider or 'The provider'} answered {log.status}"),
        message=log.failure_message or str(said.get("message") or ""),
        code=str(said.get("code") or log.failure),
        kind=str(said.get("type") or ""),
        param=str(said.get("param") or ""),
        request_id=next((headers[name] for name in REQUEST_IDS if headers.get(name)), ""),
        cure="" if own else _cure(log),
    )


def _said(log: RequestLog, payload: Payload | None, headers: Mapping[str, str]) -> Mapping[str, object]:
    """The fields of the error's body, whoever made it."""
    body = response_text(payload) if payload and log.is_error_status else b""
    if not body:
        return {}
    if log.state == RequestLog.State.ERROR:
        body = retold(log.status or 0, body, dict(headers), log.provider).body
    return obj(obj(parsed_or_none(body)).get("error"))


def _cure(log: RequestLog) -> str:
    if log.state == RequestLog.State.ERROR:
        return BY_STATUS.get(log.status or 0, PROVIDERS_FAULT if (log.status or 0) >= 500 else "")
    return BY_STATE.get(RequestLog.State(log.state)) or BY_FAILURE.get(log.failure, "")
