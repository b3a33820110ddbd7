"""JSON that people wrote."""

from __future__ import annotations

import json
from typing import Any


def parsed(text: str) -> Any:
    """Raises ValueError, also for what is nested too deeply and for the constants that are no JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def value_of(text: str) -> Any:
    """A value as a call gives it: JSON where it is meant as such, text otherwise."""
    stripped = text.strip()
    if not stripped.startswith(("[", "{")) and stripped not in ("true", "false"):
        return text
    try:
        return parsed(stripped)
    except ValueError:
        return text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
