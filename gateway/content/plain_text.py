"""Text that every database and every header can hold."""

from __future__ import annotations


def clean_text(text: str, length: int) -> str:
    """No NUL, no lone surrogate, at most `length` characters."""
    if text.isascii() and "\0" not in text:
        return text[:length]
    return text[:length].encode("utf-8", "replace").decode().replace("\0", "\N{SYMBOL FOR NULL}")
