"""Whatever a log holds, its spans can be written."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gateway import providers
from gateway.dialects.base import Part, Question, Turn
from gateway.models import RequestLog
from gateway.telemetry import messages
from gateway.telemetry.attributes import key_values
from gateway.telemetry.request_settings import settings_of
from gateway.telemetry.spans import PROVIDERS, _route, span_number, trace_number

TEXTS = st.text(alphabet=st.characters())  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)
NAMES = st.sampled_from(
    [
        "temperature",
        "top_p",
        "max_tokens",
        "maxOutputTokens",
        "seed",
        "n",
        "stop",
        "top_k",
        "response_format",
        "generationConfig",
        "text",
    ]
)


@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON)))
def test_settings_of_any_kind_can_be_written(asked: dict[str, Any]) -> None:
    found = settings_of(RequestLog(endpoint="chat/completions"), Question((), asked))
    assert Span.FromString(Span(attributes=key_values(found)).SerializeToString())


@given(st.dictionaries(TEXTS, TEXTS | st.integers() | st.floats() | st.booleans() | st.lists(TEXTS)))
def test_attributes_of_any_kind_can_be_written(given_values: dict[str, Any]) -> None:
    Span(attributes=key_values(given_values)).SerializeToString()


@given(st.text(max_size=128))
def test_every_trace_id_is_one_number(id: str) -> None:
    number = trace_number(RequestLog(trace_id=id))
    assert len(number) == 16
    assert any(number)
    assert number == trace_number(RequestLog(trace_id=id))


@given(st.text(min_size=1, max_size=128))
def test_every_span_id_is_one_number(id: str) -> None:
    assert len(span_number(id)) == 8
    assert any(span_number(id))


def test_ids_of_opentelemetry_stay_as_they_are() -> None:
    trace = uuid.uuid4()
    assert trace_number(RequestLog(trace_id=trace.hex)) == trace_number(RequestLog(trace_id=str(trace))) == trace.bytes
    assert span_number("00f067aa0ba902b7").hex() == "00f067aa0ba902b7"
    assert span_number("") == b""


def test_only_vendors_that_there_are_have_another_name() -> None:
    assert set(PROVIDERS) <= {provider.name for provider in providers.PROVIDERS}


@pytest.mark.parametrize(
    ("asked", "name", "value"),
    [
        ({"max_completion_tokens": 9}, "gen_ai.request.max_tokens", 9),
        ({"generationConfig": {"maxOutputTokens": 9}}, "gen_ai.request.max_tokens", 9),
        ({"inferenceConfig": {"topP": 0.5}}, "gen_ai.request.top_p", 0.5),
        ({"stop_sequences": ["a", "b"]}, "gen_ai.request.stop_sequences", ["a", "b"]),
        ({"n": 1}, "gen_ai.request.choice.count", None),
        ({"n": 3}, "gen_ai.request.choice.count", 3),
        ({"response_format": {"type": "json_schema"}}, "gen_ai.output.type", "json"),
        ({"text": {"format": {"type": "json_object"}}}, "gen_ai.output.type", "json"),
        ({"generationConfig": {"responseMimeType": "application/json"}}, "gen_ai.output.type", "json"),
        ({"temperature": True}, "gen_ai.request.temperature", None),
        ({"temperature": 10**400}, "gen_ai.request.temperature", None),
    ],
)
def test_every_vendors_spelling_is_read(asked: dict[str, Any], name: str, value: object) -> None:
    assert settings_of(RequestLog(endpoint="chat/completions"), Question((), asked))[name] == value


def test_system_words_beside_the_history_are_instructions_and_those_within_are_not() -> None:
    beside = Turn("system", (Part("text", "Be brief."),))
    within = Turn("system", (Part("text", "Be kind."),), "messages[0]")
    asked = Turn("user", (Part("text", "Hi"),), "messages[1]")
    assert messages.instructions([beside, asked]) == '[{"type":"text","content":"Be brief."}]'
    assert messages.instructions([within, asked]) == ""
    assert '"role":"system"' in messages.history([within, asked], [], str)


def test_calls_and_their_results_keep_name_and_arguments_apart() -> None:
    called = Turn("assistant", (Part("tool", 'look {"at": 1}'),), "messages[0]")
    result = Turn("tool", (Part("text", "a cat"),), "messages[1]")
    assert messages.history([called, result], [], str) == (
        '[{"role":"assistant","parts":[{"type":"tool_call","name":"look","arguments":{"at":1}}]},'
        '{"role":"tool","parts":[{"type":"tool_call_response","response":"a cat"}]}]'
    )


@pytest.mark.parametrize(
    ("endpoint", "route"),
    [
        ("chat/completions", "/v1/chat/completions"),
        ("models/gemini-3-pro:generateContent", "/v1/generateContent"),
        ("model/eu.anthropic.claude/converse", "/v1/converse"),
        ("files/file-abc123", ""),
    ],
)
def test_spans_are_named_for_what_many_calls_share(endpoint: str, route: str) -> None:
    assert _route(RequestLog(endpoint=endpoint)) == route
