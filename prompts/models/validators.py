"""What every database can keep: PostgreSQL takes no NUL and no half of a character, and JSON no number that is none."""

from __future__ import annotations

import math
import re
from typing import Any

from django.core.exceptions import ValidationError

SURROGATE = re.compile("[\ud800-\udfff]")


def validate_for_database(value: Any, what: str) -> None:
    """Raises ValidationError when `value`, a JSON document or a text, cannot be kept; `what` begins its sentence."""
    if not _fits_the_database(value):
        raise ValidationError(f"{what} holds a NUL, half a character or a number such as NaN, which no database keeps.")


def _fits_the_database(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_fits_the_database(one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple):
        return all(_fits_the_database(one) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, str) or ("\0" not in value and not SURROGATE.search(value))
