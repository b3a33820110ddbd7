"""Schemas in the vendors' dialects: whatever the caller wrote, it is taken out and told, or it is sent."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translation.rules.schemas import (
    ANTHROPIC_REFUSES,
    GEMINI_REFUSES,
    Adapted,
    Schema,
    for_anthropic,
    for_gemini,
)

HOLDERS = ("items", "additionalProperties")
NAMES = ["type", "format", "minItems", "const", "enum", "required", "oneOf", "anyOf", "properties", "$defs", *HOLDERS]
PLAIN = st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "array", "email", "x"])
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, *sorted(ANTHROPIC_REFUSES | GEMINI_REFUSES)]), inner, max_size=4)
    ),
    max_leaves=20,
)
SCHEMAS = st.dictionaries(st.sampled_from([*NAMES, *sorted(ANTHROPIC_REFUSES)]), VALUES, max_size=6)


@pytest.mark.parametrize(("adapt", "refused"), [(for_anthropic, ANTHROPIC_REFUSES), (for_gemini, GEMINI_REFUSES)])
@given(schema=SCHEMAS)
def test_of_any_schema_nothing_refused_is_sent_and_all_of_it_is_told(
    adapt: Any, refused: frozenset[str], schema: Schema
) -> None:
    before = copy.deepcopy(schema)
    adapted: Adapted = adapt(schema)
    assert schema == before
    assert not [one for one in _schemas(adapted.schema) if refused & set(one)]
    assert {name for name in schema if name in refused} <= set(adapted.left_out)


def _schemas(schema: Any) -> Iterator[Schema]:
    """The schema and those that are the values of its items."""
    while isinstance(schema, dict):
        yield schema
        schema = schema.get("items")
