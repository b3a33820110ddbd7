"""Headers from anybody are read into options or refused with a reason; nothing else happens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.content.redaction import kept_headers, mask_keys, safe_query
from gateway.errors import BadRequest
from gateway.proxy.call_options import PLACEHOLDER_KEYS, bearer, read_call_options

NAMES = "api-key provider virtual-key config trace-id span-id metadata custom-host request-timeout forward-headers debug".split()
names = st.sampled_from(
    [f"x-portkey-{name}" for name in NAMES] + ["authorization", "traceparent", "baggage", "x-api-key", "user-agent"]
)
values = st.text(max_size=60) | st.sampled_from(
    ['{"a": 1}', "Bearer ", "{'a': 'b'}", "[]", "1e400", "nan", "-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"]
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(names, values))
def test_any_headers_give_options_or_a_reason(headers: dict[str, str]) -> None:
    try:
        options = read_call_options(headers)
    except BadRequest:
        return
    assert options.trace_id.isprintable()
    assert options.trace_id.isascii()
    assert options.timeout is None or options.timeout > 0
    assert options.provider_key != options.gateway_key or not options.provider_key
    assert options.provider_key not in PLACEHOLDER_KEYS


def test_the_callers_provider_key_is_not_in_any_repr() -> None:
    options = read_call_options({"x-portkey-api-key": "lp_1", "authorization": "Bearer sk-own"})
    assert options.provider_key == "sk-own"
    assert "sk-own" not in repr(options)


@pytest.mark.parametrize(
    ("value", "key"), [("Bearer k", "k"), ("bearer  k ", "k"), ("k", "k"), ("", ""), ("Bearer", "")]
)
def test_a_bearer_may_be_bare(value: str, key: str) -> None:
    assert bearer(value) == key


@pytest.mark.parametrize(
    "text",
    ["sk-abcdef1234567890", "lp_0123456789abcdef", "gsk_1234567890", "AIzaSyA1234567890", "x sk-proj-aaaaaaaaaa y"],
)
def test_what_looks_like_a_key_is_masked(text: str) -> None:
    assert "***" in mask_keys(text)
    assert kept_headers({"user-agent": text}, frozenset({"user-agent"}))["user-agent"] == mask_keys(text)


def test_query_values_are_masked_unless_known_to_be_harmless() -> None:
    assert safe_query("key=abc&limit=5&x=") == "key=***&limit=5&x=***"
