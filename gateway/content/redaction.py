"""What may be written down of a request's headers and address. By allow list: a header not named here is not kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote

from gateway.content.json_text import outside_long_strings

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
SECRET_FIELDS = re.compile(rb'("(?:api_key|authorization)"\s*:\s*")([^"\\]*(?:\\.[^"\\]*)*)"', re.IGNORECASE)


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
    """A JSON body with the values of `api_key` and `authorization` starred out, length kept so that offsets stay true."""
    keys = outside_long_strings(body)
    if b'"api_key"' not in keys and b'"authorization"' not in keys:
        return body
    return SECRET_FIELDS.sub(lambda match: match[1] + b"*" * len(match[2]) + b'"', body)


def starred(data: bytes, secret: str) -> bytes:
    """`data` with every occurrence of the secret starred out, length kept."""
    return data.replace(secret.encode(), b"*" * len(secret.encode())) if len(secret) >= 4 else data


def begun(data: bytes, secret: str) -> int:
    """How many bytes at the end of `data` may be the beginning of the secret."""
    whole = secret.encode() if len(secret) >= 4 else b""
    return next((size for size in range(min(len(whole) - 1, len(data)), 0, -1) if data.endswith(whole[:size])), 0)


def mask_keys(text: str) -> str:
    """Anything shaped like a provider's or a gateway key, masked."""
    return KEY_SHAPES.sub(MASK, text)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    return mask_keys(text)
