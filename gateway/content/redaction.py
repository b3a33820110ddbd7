"""What may be written down of a request's headers and address. By allow list: a header not named here is not kept."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote

from gateway.content.json_text import Outline, parsed_or_none, words
from gateway.content.scrubber import SHORTEST_IN_ERRORS, Scrubber

KEPT_REQUEST_HEADERS = frozenset(
    [
        "accept",
        "content-type",
        "content-length",
        "user-agent",
        "x-request-id",
        "openai-beta",
        "x-stainless-lang",
        "x-stainless-package-version",
        "x-stainless-os",
        "x-stainless-runtime",
        "x-stainless-runtime-version",
        "x-stainless-retry-count",
        "x-portkey-provider",
        "x-portkey-virtual-key",
        "x-portkey-trace-id",
        "x-portkey-span-id",
        "x-portkey-span-name",
        "x-portkey-parent-span-id",
        "x-portkey-metadata",
        "x-portkey-debug",
        "x-portkey-request-timeout",
        "x-portkey-package-version",
        "x-portkey-runtime",
        "x-portkey-runtime-version",
        "x-portkey-strict-open-ai-compliance",
        "x-portkey-forward-headers",
        "x-loupe-inline-images",
        "x-loupe-lint",
        "anthropic-version",
        "anthropic-beta",
    ]
)
KEPT_RESPONSE_HEADERS = frozenset(
    [
        "content-type",
        "content-length",
        "content-encoding",
        "retry-after",
        "x-request-id",
        "openai-processing-ms",
        "openai-version",
        "x-ratelimit-limit-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
        "cf-ray",
        "request-id",
        "apim-request-id",
        "x-amzn-requestid",
        "x-amzn-errortype",
    ]
)
KEPT_QUERY_NAMES = frozenset(
    [
        "limit",
        "after",
        "before",
        "order",
        "offset",
        "sort",
        "purpose",
        "model",
        "provider",
        "api-version",
        "alt",
        "stream",
    ]
)
KEY_SHAPES = re.compile(r"\b(?:sk-|lp_|gsk_|xai-|AIza|AKIA)[A-Za-z0-9_\-]{8,}")
MASK = "***"
SECRET_NAMES = frozenset(["api_key", "apikey", "api-key", "x-api-key", "authorization", "proxy-authorization"])
NAME_HINTS = (b'key"', b'authorization"', b"\\u00")
# A name of any spelling, and its value when that is a string
FIELD = re.compile(rb'"((?:[^"\\]|\\.){1,120}+)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')


def kept_headers(headers: Mapping[str, str], allowed: frozenset[str]) -> dict[str, str]:
    kept = {name: value[:2048] for name, value in headers.items() if name in allowed}
    if KEY_SHAPES.search("\n".join(kept.values())):
        kept = {name: mask_keys(value) for name, value in kept.items()}
    return kept


def safe_query(query: str) -> str:
    """A query string whose values are masked unless their name is known to be harmless."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(f"{quote(name)}={quote(value) if name in KEPT_QUERY_NAMES else MASK}" for name, value in pairs)


def safe_url(url: str) -> str:
    address, _, query = url.partition("?")
    return f"{address}?{safe_query(query)}" if query else address


def masked_fields(body: bytes) -> bytes:
    """A JSON body with the values of `api_key`, `authorization` and the like starred out, however their names are
    spelled; length kept so that offsets stay true.
    """
    names = Outline.of(body).text.lower()
    if not any(hint in names for hint in NAME_HINTS):
        return body
    return FIELD.sub(_masked_field, body)


def _masked_field(field: re.Match[bytes]) -> bytes:
    if words(parsed_or_none(b'"' + field[1] + b'"')).lower() not in SECRET_NAMES:
        return field[0]
    value = field.start(2) - field.start()
    return field[0][:value] + b"*" * len(field[2]) + b'"'


def mask_keys(text: str) -> str:
    """Anything shaped like a provider's or a gateway key, masked."""
    return KEY_SHAPES.sub(MASK, text)


class MaskingFormatter(logging.Formatter):
    """Log lines, tracebacks included, in which nothing that is shaped like a key stands."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_keys(super().format(record))


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """An error's words, in which even short secrets are starred out."""
    return mask_keys(Scrubber.of(secrets, shortest=SHORTEST_IN_ERRORS).text(text))
