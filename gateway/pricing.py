"""What a call cost, in US dollars, by genai-prices' table. Unknown is None, never zero."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from gateway.openai_fields import Usage
from gateway.providers.base import Provider


def cost(usage: Usage, *, provider: Provider | None, model: str, at: datetime) -> Decimal | None:
    """The price of `usage`; None when the provider's prices, the model or the token counts are not known."""
    if provider is not None and provider.built_in:
        return Decimal(0)
    if provider is None or provider.prices is None or not model or usage.prompt is None:
        return None
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
    try:
        price = calc_price(counted, model_ref=model, provider_id=provider.prices, genai_request_timestamp=at)
    except (LookupError, ValueError):
        return None
    return price.total_price.quantize(Decimal("0.00000001"))
