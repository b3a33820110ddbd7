"""What a call cost, and what each kind of its tokens did, by the public price table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.openai_fields import Usage
from gateway.providers import PROVIDERS, by_name
from gateway.recording import pricing

AT = datetime(2026, 1, 15, tzinfo=UTC)


def bill(usage: Usage, model: str, provider: str = "openai") -> pricing.Bill | None:
    return pricing.bill(usage, provider=by_name(provider), model=model, at=AT)


def test_each_kind_of_token_has_its_own_price() -> None:
    """GPT-4o: 2.50 dollars a million in, 1.25 from the cache, 10 out."""
    found = bill(Usage(10_000, 500, cached=4000, image_in=765, reasoning=100), "gpt-4o")
    assert found is not None
    assert found.charges == {
        "prompt": Decimal("0.020"),
        "cached": Decimal("0.005"),
        "image_in": Decimal("0.0019125"),
        "completion": Decimal("0.005"),
        "reasoning": Decimal("0.001"),
    }
    assert found.image_token == Decimal("0.0000025")


def test_a_long_prompt_raises_the_price_of_all_of_its_kinds() -> None:
    """Gemini 2.5 Pro above 200,000 tokens: 2.50 a million in, 0.25 from the cache, 15 out."""
    found = bill(Usage(300_000, 500, cached=100_000), "gemini-2.5-pro", "google")
    assert found is not None
    assert found.charges["cached"] == Decimal("0.025")
    assert found.charges["prompt"] == Decimal("0.525")
    assert found.charges["completion"] == Decimal("0.0075")


def test_what_is_not_known_has_no_bill() -> None:
    assert bill(Usage(10, 10), "no-such-model") is None
    assert bill(Usage(None, 10), "gpt-4o") is None
    assert pricing.bill(Usage(10, 10), provider=None, model="gpt-4o", at=AT) is None


@given(st.integers(0, 500_000), st.integers(0, 10_000), st.integers(0, 500_000), st.integers(0, 10_000))
def test_the_bill_adds_up_to_the_cost(prompt: int, completion: int, cached: int, reasoning: int) -> None:
    usage = Usage(prompt, completion, cached=min(cached, prompt), reasoning=min(reasoning, completion))
    for provider, model in (("openai", "gpt-4o"), ("google", "gemini-2.5-pro"), ("anthropic", "claude-sonnet-4-5")):
        found = bill(usage, model, provider)
        assert found is not None
        assert found.total == pricing.price(usage, provider=by_name(provider), models=[model], at=AT).amount
        assert all(price >= 0 for price in found.charges.values())


MODELS = sorted({(provider.id, model.id) for provider in providers for model in provider.models})
COUNTS = st.sampled_from([0, 1, 900, 150_000, 250_000, 3_000_000])


@given(
    st.sampled_from(MODELS),
    st.builds(Usage, COUNTS, COUNTS | st.none(), cached=COUNTS | st.none(), cache_write=COUNTS | st.none()),
    st.sampled_from(["", "batch", "flex", "priority"]),
    st.booleans(),
)
def test_the_rates_that_are_remembered_give_the_price_of_the_table(
    named: tuple[str, str], usage: Usage, tier: str, has_pictures: bool
) -> None:
    """Whatever the kinds, the tier and the length of the prompt: the same price, or the same refusal."""
    table, model = named
    usage = replace(usage, tier=tier, image_in=usage.prompt if has_pictures else None)
    provider = next((one for one in PROVIDERS if one.prices == table), None) or replace(PROVIDERS[0], prices=table)

    def outcome(work_out: Callable[[], Decimal]) -> Decimal | type[Exception]:
        try:
            return work_out()
        except (LookupError, ValueError) as error:
            return LookupError if isinstance(error, LookupError) else ValueError

    known = outcome(lambda: pricing._price(usage, provider, model, AT))
    assert known == outcome(lambda: pricing._calculated(usage, table, model, AT).total_price)
