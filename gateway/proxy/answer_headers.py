"""Which headers an answer carries: the provider's that pass, and Loupe's own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from gateway.network.request_head import HeaderList

HOP_HEADERS = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
KEPT_FROM_CLIENT = HOP_HEADERS | frozenset(
    ["set-cookie", "strict-transport-security", "alt-svc", "server", "date", "content-length", "x-should-retry"]
)


def own_headers(id: uuid.UUID, trace_id: str, provider: str) -> HeaderList:
    """Loupe's headers on every answer (portkey.md A7)."""
    return [
        ("x-portkey-trace-id", trace_id),
        ("x-portkey-request-id", str(id)),
        ("x-portkey-provider", provider),
        ("x-portkey-cache-status", "DISABLED"),
        ("x-portkey-retry-attempt-count", "0"),
        ("x-portkey-last-used-option-index", "config"),
    ]


def passes(name: str) -> bool:
    return name not in KEPT_FROM_CLIENT and not name.startswith("x-portkey-")


def warnings_header(lines: Sequence[str]) -> tuple[str, str]:
    """What was found in the request, as one header of plain characters."""
    return "x-loupe-warnings", "".join(c if " " <= c <= "~" else "?" for c in "; ".join(lines))[:2000]
