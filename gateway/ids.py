"""Time-ordered ids (UUIDv7, RFC 9562, 5.7): they sort by the millisecond of their making."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime


def uuid7() -> uuid.UUID:
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 68 & 0xFFF) << 64 | 2 << 62 | random & (1 << 62) - 1
    )
    return uuid.UUID(int=value)


def time_of(id: uuid.UUID) -> datetime:
    return datetime.fromtimestamp((id.int >> 80) / 1000, tz=UTC)


def first_of(at: datetime) -> uuid.UUID:
    """The smallest id that can be made at that time."""
    return uuid.UUID(int=max(int(at.timestamp() * 1000), 0) << 80)
