"""What public bug reports found in answers: how they are read, translated, and what they cost; `gateway/*.json`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cases.stand import CaseStand, read, stand
from tests.vendors import whole

__all__ = ["stand"]


def test_a_zero_at_the_end_of_a_stream_overwrites_no_count(stand: CaseStand) -> None:
    tried = stand.try_case("anthropic_usage_zero_at_the_end")
    usage = next(chunk["usage"] for chunk in tried.chunks if chunk.get("usage"))
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (111, 100)
    assert tried.log["req_units"] == 111


def test_two_calls_under_one_index_stay_two(stand: CaseStand) -> None:
    """DeepSeek has a `/responses` of its own now (api-docs.deepseek.com, thinking_mode), so another chat-only vendor is asked."""
    case = read("gateway", "calls_under_one_index")
    request = case["request"] | {"model": "@slug/kimi-k2"}
    tried = stand.ask("moonshot", request, case["upstream_answers"], path="/v1/responses")
    done = tried.chunks[-1]["response"]["output"]
    assert [item["arguments"] for item in done if item["type"] == "function_call"] == ['{"n":1}', '{"n":2}']


def test_a_call_whose_name_comes_late_or_twice_has_it_once(stand: CaseStand) -> None:
    def chunk(**call: Any) -> dict[str, Any]:
        delta = {"tool_calls": [{"index": 0, **call}]}
        return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}

    end = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    late = [chunk(id="a", function={"arguments": '{"n"'}), chunk(function={"name": "look", "arguments": ":1}"})]
    twice = [
        chunk(id="a", function={"name": "look", "arguments": '{"n"'}),
        chunk(id="a", function={"name": "look", "arguments": ":1}"}),
    ]
    for pieces in (late, twice):
        answers = [*pieces, end, "[DONE]"]
        tried = stand.ask(
            "moonshot", {"model": "@slug/kimi", "stream": True, "input": "q"}, answers, path="/v1/responses"
        )
        (call,) = tried.chunks[-1]["response"]["output"]
        assert (call["name"], call["arguments"], call["call_id"]) == ("look", '{"n":1}', "a")
        assert tried.log["answer_preview"] == 'look {"n":1}'


@pytest.mark.parametrize(("tier", "cost"), [("flex", 0.1125), ("priority", 0.45), ("default", 0.225), (None, 0.225)])
def test_the_answers_service_tier_makes_the_price(stand: CaseStand, tier: str | None, cost: float) -> None:
    case = read("gateway", "cost_service_tier")
    tried = stand.ask("openai", case["request"], case["upstream_answers"] | {"service_tier": tier})
    assert float(tried.log["cost"]) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("lifetime", "cost"), [("ephemeral_1h_input_tokens", 0.6), ("ephemeral_5m_input_tokens", 0.375)]
)
def test_an_hours_cache_write_has_its_own_price(stand: CaseStand, lifetime: str, cost: float) -> None:
    case = read("gateway", "cost_cache_write_1h")
    answer = case["upstream_answers"]
    answer["usage"]["cache_creation"] = {lifetime: 100000}
    tried = stand.ask("anthropic", case["request"], answer, path=case["path"], named=True)
    assert float(tried.log["cost"]) == pytest.approx(cost)


def test_a_packed_error_is_told_in_words(stand: CaseStand) -> None:
    tried = stand.try_case("gzip_error_answer")
    assert (tried.status, tried.answer["error"]["message"], tried.answer["error"]["code"]) == (
        400,
        "Invalid image.",
        "invalid_image",
    )
    assert tried.log["answer_preview"] == "Invalid image."


@pytest.mark.parametrize("provider", ["google", "anthropic", "bedrock"])
def test_a_packed_answer_is_translated(stand: CaseStand, provider: str) -> None:
    dialect = {"google": "gemini", "bedrock": "converse"}.get(provider, provider)
    packed = {"status": 200, "headers": {"content-type": "application/json", "content-encoding": "gzip"}}
    body = {"model": "@slug/claude-or-gemini", "messages": [{"role": "user", "content": "q"}]}
    tried = stand.ask(provider, body, packed | {"gzip_of": whole(dialect, "ok")})
    assert (tried.status, tried.answer["choices"][0]["message"]["content"]) == (200, "ok")


@pytest.mark.parametrize(("kind", "tier"), [("ON_DEMAND", None), ("ON_DEMAND_FLEX", "flex"), (None, None)])
def test_googles_traffic_type_is_a_tier(stand: CaseStand, kind: str | None, tier: str | None) -> None:
    usage = {"promptTokenCount": 100000, "candidatesTokenCount": 10000, "trafficType": kind}
    answer = whole("gemini", "ok") | {"modelVersion": "gemini-2.5-pro", "usageMetadata": usage}
    body = {"model": "@slug/gemini-2.5-pro", "messages": [{"role": "user", "content": "q"}]}
    assert stand.ask("google", body, answer).log["service_tier"] == tier


def test_a_batchs_answer_has_its_price(stand: CaseStand) -> None:
    case = read("gateway", "cost_cache_write_1h")
    usage = {"input_tokens": 100000, "output_tokens": 10000, "service_tier": "batch"}
    answer = case["upstream_answers"] | {"usage": usage}
    tried = stand.ask("anthropic", case["request"], answer, path=case["path"], named=True)
    assert float(tried.log["cost"]) == pytest.approx(0.225)
