"""What a call cost, in US dollars, by genai-prices' table. Unknown is None, never zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from gateway.content.openai_fields import Usage
from gateway.providers.base import Provider

KINDS_IN = ("cached", "cache_write", "text_in", "image_in", "audio_in")
KINDS_OUT = ("reasoning", "text_out", "image_out", "audio_out")


@dataclass(frozen=True, slots=True)
class Bill:
    """US dollars by the names of `Usage`'s fields; what is not `prompt` or `completion` is inside one of these.

    `image_token` is what one token of a picture cost that was sent with this call.
    """

    charges: dict[str, Decimal]
    image_token: Decimal

    @property
    def total(self) -> Decimal:
        return _rounded(self.charges["prompt"] + self.charges["completion"])


def cost(usage: Usage, *, provider: Provider | None, model: str, at: datetime) -> Decimal | None:
    """The price of `usage`; None when the provider's prices, the model or the token counts are not known."""
    if provider is not None and provider.built_in:
        return Decimal(0)
    try:
        return _rounded(_price(usage, provider, model, at))
    except (LookupError, ValueError):
        return None


def bill(usage: Usage, *, provider: Provider | None, model: str, at: datetime) -> Bill | None:
    """What each kind of token cost; None when that is not known.

    A long prompt changes the price of the whole call, so that a kind's price is found in how it changes the whole.
    """
    try:
        return _bill(usage, lambda counted: _price(counted, provider, model, at))
    except (LookupError, ValueError):
        return None


def _bill(usage: Usage, price: Callable[[Usage], Decimal]) -> Bill:
    bare = Usage(usage.prompt, usage.completion)
    into, both, whole = price(Usage(usage.prompt)), price(bare), price(usage)
    asked, answered = usage.prompt or 1, usage.completion or 1
    rates = dict.fromkeys(KINDS_IN, into / asked) | dict.fromkeys(KINDS_OUT, (both - into) / answered)
    counts = {kind: count for kind in rates if (count := getattr(usage, kind))}
    charges = {
        kind: price(replace(bare, **{kind: count})) - both + rates[kind] * count for kind, count in counts.items()
    }
    completion = whole - price(replace(usage, completion=0, reasoning=None, image_out=None, audio_out=None))
    charges |= {"prompt": whole - completion, "completion": completion}
    return Bill(charges, price(Usage(usage.prompt, image_in=usage.prompt)) / asked)


def _price(usage: Usage, provider: Provider | None, model: str, at: datetime) -> Decimal:
    """Not rounded. Raises LookupError where no price is known, ValueError for counts that contradict each other."""
    if provider is None or provider.prices is None or not model or usage.prompt is None:
        raise LookupError(model)
    counted = PricedUsage(
        input_tokens=usage.prompt,
        output_tokens=usage.completion or 0,
        cache_read_tokens=usage.cached or 0,
        cache_write_tokens=usage.cache_write or 0,
        input_image_tokens=usage.image_in,
        output_image_tokens=usage.image_out,
        input_audio_tokens=usage.audio_in,
        output_audio_tokens=usage.audio_out,
    )
    return calc_price(counted, model_ref=model, provider_id=provider.prices, genai_request_timestamp=at).total_price


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.00000001"))
