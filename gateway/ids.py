"""Time-ordered ids (UUIDv7, RFC 9562, 5.7): they sort by the millisecond of their making."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime


def uuid7() -> uuid.UUID:
    now = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (now & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 68 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)


def milliseconds(id: uuid.UUID) -> int:
    """When it was made (Unix)."""
    return id.int >> 80


def time_of(id: uuid.UUID) -> datetime:
    return datetime.fromtimestamp(milliseconds(id) / 1000, tz=UTC)


def first_of(at: datetime) -> uuid.UUID:
    """The smallest id that can be made at that time."""
    return uuid.UUID(int=max(int(at.timestamp() * 1000), 0) << 80)
