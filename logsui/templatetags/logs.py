"""How figures are written: durations, sizes, money, tokens. Unknown is said, never shown as zero."""

from __future__ import annotations

from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


@register.filter
def bytesize(count: int | None) -> str:
    if count is None:
        return ""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} KB"
    return f"{count / 1_000_000:.1f} MB"


@register.filter
def money(cost: Decimal | None) -> str:
    if cost is None:
        return "unknown"
    if cost == 0:
        return "$0"
    return f"${cost:.4f}" if cost >= Decimal("0.0001") else f"${cost:.6f}"


@register.filter
def share(part: float | None, whole: float | None) -> str:
    """A percentage for the width of a bar."""
    return f"{100 * part / whole:.1f}" if part and whole else "0"
