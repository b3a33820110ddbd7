"""JSON that people wrote, and values written as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def parsed(text: str) -> Any:
    """Raises ValueError, also for what is nested too deeply and for the constants that are no JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def written(value: Any) -> str:
    """A value as JSON. Numbers that JSON lacks, NaN and the infinities, become null at any depth, as in JavaScript."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
