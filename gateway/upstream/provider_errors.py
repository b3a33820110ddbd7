"""A provider's error in the one shape that every caller's SDK reads, whatever shape it came in.

Kept are the status, the provider's own code and type, its words, and how long it asks to wait (reference/providers.md 5).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from gateway.content import framing
from gateway.content.json_text import encoded, items, obj, parsed_or_none, words

SHOWN_BYTES = 4096
RETRY_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s")
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


def is_openai_shape(body: bytes) -> bool:
    """Whether an SDK finds `error.message` and has nothing to trip over."""
    error = obj(parsed_or_none(body)).get("error")
    return isinstance(error, dict) and isinstance(error.get("message"), str) and "status" not in error


class Retold(NamedTuple):
    """An error's body for the caller; the seconds to wait, if the provider's body names any; and the words of a page that
    is no JSON, for the log.
    """

    body: bytes
    retry_after: str
    page: str


def retold(status: int, body: bytes, headers: dict[str, str], provider: str) -> Retold:
    """The same error in OpenAI's shape."""
    doc: Any = parsed_or_none(body)
    if doc is None and body.lstrip().startswith((b"event:", b"data:")):
        doc = next(iter(framing.documents(body)[0]), None)
    readable = doc is not None
    doc = obj(doc[0]) if isinstance(doc, list) and doc else obj(doc)
    error = doc.get("error")
    inner = obj(error)
    message = (
        words(inner.get("message"))
        or (error if isinstance(error, str) else "")
        or words(doc.get("message"))
        or words(doc.get("Message"))
        or _detail(doc.get("detail") or obj(doc.get("message")).get("detail"))
        or f"{provider} answered {status}: {'no reason given' if readable else _plain_text(body)}"
    )
    amazon = headers.get("x-amzn-errortype", "").partition(":")[0]
    missing = None if readable else f"http_{status}"
    code = inner.get("code") or inner.get("status") or doc.get("code") or doc.get("error_type") or amazon or missing
    if isinstance(code, int) and inner.get("status"):
        code = inner["status"]
    usual = TYPES.get(status, "provider_error") if readable else "provider_error"
    flat = doc if words(doc.get("object")).lower() == "error" else {}  # Mistral's and vLLM's: all fields at the top
    kind = words(inner.get("type")) or words(flat.get("type")) or amazon or usual
    told: dict[str, Any] = {
        "message": message,
        "type": kind,
        "param": inner.get("param") or flat.get("param"),
        "code": str(code) if code is not None else None,
    }
    for name in ("innererror", "details", "metadata", "failed_generation"):
        if inner.get(name):
            told[name] = inner[name]
    answer = {"error": told, "message": message, "provider": provider, "status": "failure"}
    return Retold(encoded(answer), _retry_after(inner), "" if readable else message)


def _detail(detail: Any) -> str:
    """FastAPI's `detail`: a text, or a list of what is wrong where."""
    if isinstance(detail, str):
        return detail
    lines = [
        f"{'.'.join(str(step) for step in items(obj(one).get('loc')))}: {words(obj(one).get('msg'))}"
        for one in items(detail)
    ]
    return "; ".join(lines)


def _plain_text(page: bytes) -> str:
    """The words of an HTML page or a text, shortened."""
    text = page[:SHOWN_BYTES].decode("utf-8", "replace")
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(text.split())[:500] or "an empty body"


def _retry_after(error: dict[str, Any]) -> str:
    """Google's `RetryInfo.retryDelay`, as whole seconds."""
    for one in items(error.get("details")):
        match = RETRY_SECONDS.fullmatch(words(obj(one).get("retryDelay")))
        if match:
            return str(int(float(match[1]) + 0.999))
    return ""
