"""Where the parts of a multipart/form-data body lie (RFC 7578, RFC 2046). Reads offsets only; never alters or rejects a body.

Read is what clients write: names quoted or not (.NET), escaped with backslashes (Python) or percent signs (browsers, undici),
`filename*` (RFC 8187), headers in any order and folded over lines, boundaries of any legal character.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

MOST_PARTS = 10_000
LONGEST_HEAD = 16 * 1024
PARAMETER = re.compile(rb';[ \t]*([^\s;="]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|([^;"]*))', re.DOTALL)
FOLD = re.compile(rb"\r\n[ \t]+")
ESCAPED = re.compile(rb'\\(["\\])')
# The three that browsers escape in a name (HTML, multipart form data).
PERCENT = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n"}
MIME_WORD = re.compile(rb"=\?utf-8\?b\?([^?]*)\?=", re.IGNORECASE)  # how .NET writes a name beyond ASCII (RFC 2047)
END_OF_LINE = re.compile(rb"[ \t]*\r\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One part; its content is `body[start:end]`."""

    name: str
    filename: str | None
    content_type: str
    start: int
    end: int


def boundary_of(content_type: str) -> bytes | None:
    if "multipart/" not in content_type.lower():
        return None
    return _parameters(content_type.encode("latin-1", "replace")).get("boundary") or None


def parts(body: bytes, boundary: bytes) -> list[Part]:
    """The complete parts of the body, in order, up to a number. A part whose end is missing is left out."""
    fence = b"--" + boundary
    found: list[Part] = []
    at = _next_fence(body, fence, 0)
    while at >= 0 and len(found) < MOST_PARTS:
        line = END_OF_LINE.match(body, at + len(fence))
        if line is None:  # the last one: two hyphens follow
            break
        empty = body.startswith(b"\r\n", line.end())
        head_end = line.end() - 2 if empty else body.find(b"\r\n\r\n", line.end(), line.end() + LONGEST_HEAD)
        following = _next_fence(body, fence, head_end + 2) if head_end >= 0 else -1
        if following < 0:
            break
        start = head_end + 4
        found.append(_part(body[line.end() : max(head_end, line.end())], start, max(following - 2, start)))
        at = following
    return found


def _next_fence(body: bytes, fence: bytes, at: int) -> int:
    """Where the next line stands that is a boundary, and no longer one that begins like it."""
    while (found := body.find(fence, at)) >= 0:
        begins_line = found == 0 or body.startswith(b"\r\n", found - 2)
        after = found + len(fence)
        if begins_line and (body.startswith(b"--", after) or END_OF_LINE.match(body, after)):
            return found
        at = found + 1
    return -1


def _part(head: bytes, start: int, end: int) -> Part:
    headers = _headers(head)
    disposition = _parameters(headers.get(b"content-disposition", b""))
    filename = disposition.get("filename*", disposition.get("filename"))
    content_type = headers.get(b"content-type", b"").partition(b";")[0]
    return Part(
        name=disposition.get("name*", disposition.get("name", b"")).decode("utf-8", "replace"),
        filename=None if filename is None else filename.decode("utf-8", "replace"),
        content_type=content_type.decode("latin-1").strip().lower(),
        start=start,
        end=end,
    )


def _headers(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in FOLD.sub(b" ", head).split(b"\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _parameters(value: bytes) -> dict[str, bytes]:
    """Of `form-data; name=…; filename="…"`: names in lower case to values. The first of one name counts."""
    found: dict[str, bytes] = {}
    for name, quoted, token in PARAMETER.findall(value):
        key = name.decode("latin-1").lower()
        text = ESCAPED.sub(rb"\1", quoted) if quoted else token.strip()
        found.setdefault(key, _extended(text) if key.endswith("*") else _unescaped(text))
    return found


def _unescaped(text: bytes) -> bytes:
    if word := MIME_WORD.fullmatch(text):
        return _decoded(word[1])
    for escape, char in PERCENT.items():
        text = text.replace(escape, char) if b"%" in text else text
    return text


def _decoded(word: bytes) -> bytes:
    try:
        return binascii.a2b_base64(word)
    except binascii.Error:
        return word


def _extended(text: bytes) -> bytes:
    """RFC 8187: charset'language'percent-encoded."""
    charset, _, rest = text.partition(b"'")
    data = unquote_to_bytes(rest.partition(b"'")[2])
    return data.decode("latin-1").encode() if charset.lower() == b"iso-8859-1" else data
