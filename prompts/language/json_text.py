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


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
