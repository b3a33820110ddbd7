"""What a request says about itself in its headers: which key, which provider, which trace.

Reads every form in which the OpenAI and Portkey SDKs send them (reference/portkey.md A2, A3). Nothing here is trusted yet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.content.plain_text import clean_text
from gateway.errors import BadRequest

# Sent by the Portkey SDKs when their caller gave no provider key; never a key (portkey.md A2).
PLACEHOLDER_KEYS = frozenset({"OPENAI_API_KEY", "DUMMY-KEY"})
# Where the SDKs of Anthropic, Google and Azure put their key.
NATIVE_KEY_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")
GATEWAY_KEY_PREFIX = "lp_"
# The model that portkey-ai sends when its caller named none.
PLACEHOLDER_MODEL = "portkey-default"
CONFIG_KEYS = frozenset({"provider", "virtual_key", "api_key", "custom_host", "request_timeout"})
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class CallOptions:
    """The caller's own words, sorted. `provider_key` is a secret of the caller's and is never kept."""

    gateway_key: str
    provider_key: str = field(default="", repr=False)
    provider: str = ""
    virtual_key: str = ""
    custom_host: str = ""
    trace_id: str = ""
    span_id: str = ""
    span_name: str = ""
    parent_span_id: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    keep_bodies: bool = True
    timeout: float | None = None
    forward_headers: tuple[str, ...] = ()
    strict: bool = True
    portkey: Mapping[str, str] = field(default_factory=dict, repr=False)
    sdk: str = ""


def read_call_options(headers: Mapping[str, str]) -> CallOptions:
    """Sort the headers of one request.

    Args:
        headers: lower-case names to values.

    Raises:
        BadRequest: a gateway header holds something that cannot be used.
    """
    portkey = {
        name.split("-", 2)[2]: value for name, value in headers.items() if name.startswith(("x-portkey-", "x-loupe-"))
    }
    gateway_key, provider_key = _keys(headers, portkey)
    config = _config(portkey.get("config", ""))
    trace_id, parent = _trace(headers, portkey)
    timeout = portkey.get("request-timeout") or str(config.get("request_timeout") or "")
    return CallOptions(
        gateway_key=gateway_key,
        provider_key=provider_key or str(config.get("api_key") or ""),
        provider=portkey.get("provider") or str(config.get("provider") or ""),
        virtual_key=portkey.get("virtual-key") or str(config.get("virtual_key") or ""),
        custom_host=portkey.get("custom-host") or str(config.get("custom_host") or ""),
        trace_id=trace_id,
        span_id=portkey.get("span-id", "")[:128],
        span_name=portkey.get("span-name", "")[:128],
        parent_span_id=parent,
        metadata=_metadata(portkey.get("metadata", ""), headers.get("baggage", "")),
        keep_bodies=portkey.get("debug", "").strip().lower() != "false",
        timeout=_seconds(timeout),
        forward_headers=_names(portkey.get("forward-headers", "")),
        strict=portkey.get("strict-open-ai-compliance", "").strip().lower() != "false",
        portkey=portkey,
        sdk=_sdk(headers, portkey),
    )


def bearer(value: str) -> str:
    """The credential of an `Authorization` value, with or without the word Bearer."""
    scheme, _, rest = value.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value.strip()


def _keys(headers: Mapping[str, str], portkey: Mapping[str, str]) -> tuple[str, str]:
    authorization = bearer(headers.get("authorization", ""))
    explicit = portkey.get("api-key", "").strip()
    native = next((headers[name].strip() for name in NATIVE_KEY_HEADERS if headers.get(name)), "")
    if not explicit:
        return authorization or native, ""
    provider_key = authorization or native
    if provider_key == explicit or provider_key in PLACEHOLDER_KEYS or provider_key.startswith(GATEWAY_KEY_PREFIX):
        provider_key = ""
    return explicit, provider_key


def _config(text: str) -> dict[str, object]:
    if not text:
        return {}
    if not text.lstrip().startswith("{"):
        raise BadRequest(
            f"x-portkey-config names the saved config {text!r}, and this Loupe has no saved configs. "
            "Send a JSON object with provider or virtual_key, or use those headers.",
            code="config_not_found",
        )
    try:
        config = msgspec.json.decode(text.encode(), type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"x-portkey-config is not a JSON object: {error}.", code="invalid_config") from None
    unknown = sorted(set(config) - CONFIG_KEYS)
    if unknown:
        raise BadRequest(
            f"x-portkey-config holds {', '.join(unknown)}, which this Loupe does not carry out. "
            f"It knows {', '.join(sorted(CONFIG_KEYS))}.",
            code="unsupported_config",
        )
    return config


def _trace(headers: Mapping[str, str], portkey: Mapping[str, str]) -> tuple[str, str]:
    """Portkey's own headers win over W3C `traceparent`."""
    match = TRACEPARENT.fullmatch(headers["traceparent"].strip()) if "traceparent" in headers else None
    trace, parent = (match[1], match[2]) if match else ("", "")
    return _plain(portkey.get("trace-id", "")) or trace, _plain(portkey.get("parent-span-id", "")) or parent


def _plain(text: str) -> str:
    """Only what may stand in a header again; at most 128 characters."""
    return "".join(c for c in text.strip() if " " <= c <= "~")[:128] if text else ""


def _metadata(text: str, baggage: str) -> dict[str, str]:
    if not text and not baggage:
        return {}
    pairs = (item.partition("=") for item in baggage.split(",") if "=" in item)
    metadata = {key.strip(): value.strip() for key, _, value in pairs}
    if text:
        metadata |= _metadata_object(text)
    return {clean_text(key, 128): clean_text(value, 1024) for key, value in metadata.items()}


def _metadata_object(text: str) -> dict[str, str]:
    text = _as_utf8(text)
    for attempt in (text, text.replace("'", '"')):  # Portkey's documentation shows single quotes too
        try:
            found = json.loads(attempt)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return dict(flat(found))
    raise BadRequest(
        'x-portkey-metadata must be a JSON object of strings, such as {"_user": "ada"}.',
        code="invalid_metadata",
    )


def flat(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Objects in objects by names with dots: `user.id`."""
    for name, value in found.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_utf8(text: str) -> str:
    """A header's bytes, which many clients send as UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = 0
    if not 0 < milliseconds < float("inf"):
        raise BadRequest(
            f"x-portkey-request-timeout must be a number of milliseconds above zero, not {text!r}.",
            code="invalid_timeout",
        )
    return milliseconds / 1000


def _names(text: str) -> tuple[str, ...]:
    return () if not text else tuple(name.strip(" \"'[]").lower() for name in text.split(",") if name.strip(" \"'[]"))


def _sdk(headers: Mapping[str, str], portkey: Mapping[str, str]) -> str:
    if "package-version" in portkey:
        return f"{portkey['package-version']} {portkey.get('runtime', '')}".strip()[:64]
    if "x-stainless-package-version" in headers:
        return f"openai-{headers.get('x-stainless-lang', '')} {headers['x-stainless-package-version']}"[:64]
    return headers.get("user-agent", "")[:64]
