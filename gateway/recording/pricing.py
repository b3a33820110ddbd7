"""What a call cost, in US dollars. Unknown is None, never zero.

In this order: the workspace's own prices, what the provider itself stated, genai-prices' table. A table's price depends on
the service tier of the answer, on how long a cache was written for, on the length of the prompt, and on the kinds of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price
from genai_prices.types import PriceCalculation, TieredPrices

from gateway.content.openai_fields import Usage
from gateway.providers.base import Provider

KINDS_IN = ("cached", "cache_write", "cache_write_1h", "text_in", "image_in", "audio_in")
KINDS_OUT = ("reasoning", "text_out", "image_out", "audio_out")
INSIDE = {"cache_write_1h": "cache_write"}  # a kind that is a part of another kind
RARE_KINDS = ("cache_write_1h", "image_in", "image_out", "audio_in", "audio_out")
MILLION = 1_000_000
Rate = Decimal | TieredPrices | None
Source = Literal["own", "provider", "table", "built in", ""]
# The model that draws for OpenAI's Responses when its tool names none (OpenAI API reference, image_generation tool).
USUAL_DRAWER = "gpt-image-1"


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """Rates in US dollars per million tokens, for the models whose names fit `pattern`, at any provider or at one.

    A kind without a rate of its own costs what the side that it is on costs: `input` or `output`.
    """

    pattern: str
    provider: str = ""
    rates: dict[str, Decimal] = field(default_factory=dict)

    def fits(self, model: str, provider: str) -> bool:
        return fnmatchcase(model.lower(), self.pattern.lower()) and self.provider in ("", provider)

    def price(self, usage: Usage) -> Decimal:
        """Raises LookupError where the counts are not known."""
        if usage.prompt is None:
            raise LookupError(self.pattern)
        into = self._side(
            usage, usage.prompt, "input", {"cached": "cached", "cache_write": "cache_write", "image_in": "image_in"}
        )
        out = self._side(usage, usage.completion or 0, "output", {"image_out": "image_out"})
        return (into + out) / MILLION

    def _side(self, usage: Usage, count: int, side: str, kinds: dict[str, str]) -> Decimal:
        total, rest = Decimal(0), count
        for kind, name in kinds.items():
            inside = getattr(usage, kind) or 0
            if name in self.rates and inside:
                total += self.rates[name] * inside
                rest -= inside
        return total + self.rates.get(side, Decimal(0)) * max(rest, 0)


@dataclass(frozen=True, slots=True)
class Price:
    """`amount` is None where it is not known. `model` is whose price it is, where that is not the model that answered."""

    amount: Decimal | None = None
    source: Source = ""
    model: str = ""


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


def price(
    usage: Usage, *, provider: Provider | None, models: Sequence[str], at: datetime, own: Iterable[OwnPrice] = ()
) -> Price:
    """The price of `usage`. `models` are the names of the model: as the answer says it, then as it was asked for."""
    named = [model for model in dict.fromkeys(models) if model]
    for one in own:
        fitting = next((model for model in named if one.fits(model, provider.name if provider else "")), "")
        if fitting and usage.prompt is not None:
            return Price(_rounded(one.price(usage)), "own")
    if usage.cost is not None:
        return Price(_rounded(Decimal(str(usage.cost))), "provider")
    if provider is not None and provider.built_in:
        return Price(Decimal(0), "built in")
    for model in named:
        try:
            amount = _price(usage, provider, model, at) + _drawn(usage, provider, at)
            return Price(_rounded(amount), "table", model if model != named[0] else "")
        except (LookupError, ValueError):
            continue
    return Price()


def bill(
    usage: Usage, *, provider: Provider | None, model: str, at: datetime, own: Iterable[OwnPrice] = ()
) -> Bill | None:
    """What each kind of token cost; None when that is not known.

    A long prompt changes the price of the whole call, so that a kind's price is found in how it changes the whole.
    """
    mine = next((one for one in own if one.fits(model, provider.name if provider else "")), None)
    try:
        return _bill(usage, mine.price if mine else lambda counted: _price(counted, provider, model, at))
    except (LookupError, ValueError):
        return None


def _bill(usage: Usage, price: Callable[[Usage], Decimal]) -> Bill:
    bare = Usage(usage.prompt, usage.completion, tier=usage.tier)
    into, both, whole = price(replace(bare, completion=None)), price(bare), price(usage)
    asked, answered = usage.prompt or 1, usage.completion or 1
    rates = dict.fromkeys(KINDS_IN, into / asked) | dict.fromkeys(KINDS_OUT, (both - into) / answered)
    counts = {kind: count for kind in rates if (count := getattr(usage, kind))}
    charges = {kind: price(_with(bare, kind, count)) - both + rates[kind] * count for kind, count in counts.items()}
    completion = whole - price(replace(usage, completion=0, reasoning=None, image_out=None, audio_out=None))
    charges |= {"prompt": whole - completion, "completion": completion}
    pictures = Usage(usage.prompt, image_in=usage.prompt, tier=usage.tier)
    return Bill(charges, price(pictures) / asked)


def _with(bare: Usage, kind: str, count: int) -> Usage:
    counts: dict[str, Any] = {kind: count} | ({INSIDE[kind]: count} if kind in INSIDE else {})
    return replace(bare, **counts)


def _drawn(usage: Usage, provider: Provider | None, at: datetime) -> Decimal:
    """What a picture cost that a tool of the provider's drew with a model of its own."""
    if not usage.drawn_in and not usage.drawn_out:
        return Decimal(0)
    drawn = Usage(usage.drawn_in or 0, usage.drawn_out or 0, image_in=usage.drawn_image_in, image_out=usage.drawn_out)
    return _price(drawn, provider, usage.drawn_by or USUAL_DRAWER, at)


def _price(usage: Usage, provider: Provider | None, model: str, at: datetime) -> Decimal:
    """Not rounded. Raises LookupError where no price is known, ValueError for counts that contradict each other."""
    if provider is None or provider.prices is None or not model or usage.prompt is None:
        raise LookupError(model)
    rates = _rates(provider.prices, model, at.replace(second=0, microsecond=0), usage.tier)
    if rates is None:
        raise LookupError(model)
    known = rates.price(usage)
    return _calculated(usage, provider.prices, model, at).total_price if known is None else known


@dataclass(frozen=True, slots=True)
class _Rates:
    """A model's prices for the usual four kinds of tokens. `is_all` says that a call without other kinds costs nothing else."""

    input: Rate
    output: Rate
    cached: Rate
    cache_write: Rate
    is_all: bool

    def price(self, usage: Usage) -> Decimal | None:
        """None for a call that genai-prices must work out itself: it checks its whole registry for each."""
        if not self.is_all or any(getattr(usage, kind) for kind in RARE_KINDS):
            return None
        asked = usage.prompt or 0
        cached = (usage.cached or 0) if self.cached is not None else 0
        written = (usage.cache_write or 0) if self.cache_write is not None else 0
        plain = asked - cached - written
        if plain < 0:
            return None
        counts = (
            (self.input, plain),
            (self.cached, cached),
            (self.cache_write, written),
            (self.output, usage.completion or 0),
        )
        return sum((_at(rate, asked) * count for rate, count in counts), Decimal(0)) / MILLION


def _at(rate: Rate, asked: int) -> Decimal:
    """The rate of a prompt of that length: a long one has its own for all of its tokens."""
    if isinstance(rate, TieredPrices):
        return next((tier.price for tier in reversed(rate.tiers) if asked > tier.start), rate.base)
    return rate or Decimal(0)


@lru_cache(maxsize=1024)
def _rates(prices: str, model: str, minute: datetime, tier: str) -> _Rates | None:
    """None for a model without a price at that minute; prices change by the day, and some by the hour."""
    try:
        found = _calculated(Usage(0, 0, tier=tier), prices, model, minute).model_price
    except LookupError:
        return None
    priced = {name for name, value in vars(found).items() if value is not None}
    usual = found.input_mtok, found.output_mtok, found.cache_read_mtok, found.cache_write_mtok
    return _Rates(*usual, is_all="requests_kcount" not in priced)


def _calculated(usage: Usage, prices: str, model: str, at: datetime) -> PriceCalculation:
    counted = PricedUsage(
        input_tokens=usage.prompt,
        output_tokens=usage.completion or 0,
        cache_read_tokens=usage.cached or 0,
        cache_write_tokens=usage.cache_write or 0,
        cache_write_1h_tokens=usage.cache_write_1h or None,
        input_image_tokens=usage.image_in,
        output_image_tokens=usage.image_out,
        input_audio_tokens=usage.audio_in,
        output_audio_tokens=usage.audio_out,
    )
    context = {"processing" if usage.tier == "batch" else "service_tier": usage.tier} if usage.tier else None
    return calc_price(counted, model_ref=model, provider_id=prices, genai_request_timestamp=at, price_context=context)


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.00000001"))
