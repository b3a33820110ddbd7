"""Where the parts of a multipart/form-data body lie (RFC 7578). Reads offsets only; never alters or rejects a body."""

from __future__ import annotations

import re
from dataclasses import dataclass

BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
NAME = re.compile(rb'[;\s]name="([^"]*)"', re.IGNORECASE)
FILENAME = re.compile(rb'[;\s]filename="([^"]*)"', re.IGNORECASE)
CONTENT_TYPE = re.compile(rb"^content-type:\s*([^\r\n;]+)", re.IGNORECASE | re.MULTILINE)

MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """One part; its content is `body[start:end]`."""

    name: str
    filename: str | None
    content_type: str
    start: int
    end: int


def boundary_of(content_type: str) -> bytes | None:
    match = BOUNDARY.search(content_type) if "multipart/" in content_type.lower() else None
    return (match[1] or match[2]).encode() if match else None


def parts(body: bytes, boundary: bytes) -> list[Part]:
    """The complete parts of the body, in order, up to a number. A part whose end is missing is left out."""
    fence = b"--" + boundary
    found: list[Part] = []
    at = body.find(fence)
    while at >= 0 and len(found) < MOST_PARTS:
        line_end = body.find(b"\r\n", at)
        if line_end < 0 or body.startswith(b"--", at + len(fence)):
            break
        head_end = body.find(b"\r\n\r\n", line_end)
        end = body.find(b"\r\n" + fence, head_end + 2)
        if head_end < 0 or end < 0:
            break
        found.append(_part(body[line_end:head_end], head_end + 4, max(end, head_end + 4)))
        at = end + 2
    return found


def _part(head: bytes, start: int, end: int) -> Part:
    name, filename, content_type = NAME.search(head), FILENAME.search(head), CONTENT_TYPE.search(head)
    return Part(
        name=name[1].decode("utf-8", "replace") if name else "",
        filename=filename[1].decode("utf-8", "replace") if filename else None,
        content_type=content_type[1].decode("latin-1").strip().lower() if content_type else "",
        start=start,
        end=end,
    )
