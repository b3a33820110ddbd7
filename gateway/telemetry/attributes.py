"""The attributes of spans as OTLP carries them. What it cannot carry is made so that it can."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from gateway.content.plain_text import clean_text

Value = str | bool | int | float | list[str]
LONGEST = 1_000_000  # characters; a message is longer only where somebody tries how long one can be
GREATEST = 2**63


def key_values(attributes: Mapping[str, Value | None]) -> list[KeyValue]:
    """Without those that are None, empty or no number that OTLP has."""
    return [
        KeyValue(key=clean_text(name, 256), value=_any(value))
        for name, value in attributes.items()
        if value not in (None, "", []) and not _is_beyond(value)
    ]


def _is_beyond(value: object) -> bool:
    return isinstance(value, int) and not -GREATEST <= value < GREATEST


def _any(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(one) for one in value]))
    return AnyValue(string_value=clean_text(str(value), LONGEST))
