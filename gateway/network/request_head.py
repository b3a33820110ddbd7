"""The head of an HTTP/1.1 request as bytes; addresses are parsed once."""

from __future__ import annotations

import httpx2

HeaderList = list[tuple[str, str]]
Origin = tuple[str, str, int]
_PARSED: dict[str, tuple[Origin, str, str]] = {}


def request_head(method: str, url: str, headers: HeaderList, length: int) -> tuple[Origin, bytes]:
    """Where a request goes, and its first line and headers as they are written. Raises httpx2.InvalidURL."""
    origin, host, target = _PARSED.get(url) or _parse(url)
    lines = [f"{method} {target} HTTP/1.1\r\nhost: {host}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    if length or method not in ("GET", "HEAD", "DELETE"):
        lines.append(f"content-length: {length}\r\n")
    lines.append("\r\n")
    return origin, "".join(lines).encode("latin-1", "replace")


def _parse(url: str) -> tuple[Origin, str, str]:
    parsed = httpx2.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise httpx2.UnsupportedProtocol(f"{url[:200]!r} is not an http or https address")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    known = (parsed.scheme, parsed.host, port), parsed.netloc.decode("ascii"), parsed.raw_path.decode("ascii")
    if len(_PARSED) < 1024:
        _PARSED[url] = known
    return known
