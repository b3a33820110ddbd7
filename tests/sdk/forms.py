"""A small reader of multipart/form-data, so that tests need not trust Loupe's own."""

from __future__ import annotations

import re
from typing import NamedTuple


class Field(NamedTuple):
    name: str
    filename: str | None
    content: bytes


def fields(body: bytes, content_type: str) -> list[Field]:
    fence = b"\r\n--" + content_type.partition("boundary=")[2].strip('"').encode()
    found = []
    for piece in (b"\r\n" + body).split(fence)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        named = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode()))
        found.append(Field(named["name"], named.get("filename"), content))
    return found


def boundary_type(body: bytes) -> str:
    """The content type with which a body was sent, told from its first line."""
    first_line = body.partition(b"\r\n")[0]
    return f"multipart/form-data; boundary={first_line[2:].decode()}"
