"""The tokens of a request by kind, each with what it cost, as the lines of a bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.content.openai_fields import Usage
from gateway.models import RequestLog
from gateway.providers import by_name
from gateway.recording import own_prices, pricing

TITLES = {
    "prompt": "input",
    "completion": "output",
    "cached": "from cache",
    "cache_write": "written to cache",
    "cache_write_1h": "written for an hour",
    "text_in": "text",
    "image_in": "pictures",
    "audio_in": "audio",
    "reasoning": "reasoning",
    "text_out": "text",
    "image_out": "pictures",
    "audio_out": "audio",
}
SIDES = {"prompt": pricing.KINDS_IN, "completion": pricing.KINDS_OUT}


@dataclass(frozen=True, slots=True)
class Line:
    """`is_part` says that it is inside the line above that is none; `cost` in US dollars, None where not known."""

    title: str
    tokens: int
    cost: Decimal | None
    is_part: bool


@dataclass(frozen=True, slots=True)
class Used:
    """`problem` says why there are no prices, or why they do not add up to what was kept when the call was made."""

    lines: Sequence[Line]
    image_token: Decimal | None
    problem: str
    total: Decimal | None = None
    is_stated: bool = False
    has_no_price: bool = False

    @property
    def is_stated_beside(self) -> bool:
        """Whether the provider stated a cost, and the price list has one too."""
        return self.is_stated and self.total is not None


def used(log: RequestLog) -> Used:
    usage = own_prices.usage_of(log)
    model = log.priced_as or log.answer_model or log.model
    own = own_prices.of(log.workspace_id) if log.cost_source == "own" else ()
    bill = pricing.bill(usage, provider=by_name(log.provider), model=model, at=log.started_at, own=own)
    charges = bill.charges if bill else {}
    lines = [line for side in SIDES for line in _side(side, usage, charges)]
    if usage.drawn_out:
        drawn = log.cost - bill.total if bill and log.cost is not None and log.cost_source == "table" else None
        lines.append(Line("drawn by a tool", (usage.drawn_in or 0) + usage.drawn_out, drawn, is_part=False))
    total = bill.total if bill else None
    return Used(
        lines,
        bill.image_token if bill else None,
        _problem(log, bill, model),
        total,
        is_stated=log.provider_cost is not None,
        has_no_price=log.cost is None and log.prompt_tokens is not None,
    )


def _side(side: str, usage: Usage, charges: dict[str, Decimal]) -> list[Line]:
    counts = {name: getattr(usage, name) for name in (side, *SIDES[side])}
    return [
        Line(TITLES[name], count, charges.get(name), is_part=name != side)
        for name, count in counts.items()
        if count or (name == side and count is not None)
    ]


def _problem(log: RequestLog, bill: pricing.Bill | None, model: str) -> str:
    if log.prompt_tokens is None:
        return "" if log.state == RequestLog.State.IN_FLIGHT else _without_counts(log)
    if bill is None:
        provider = by_name(log.provider)
        free = provider is not None and provider.built_in
        return (
            ""
            if free or log.cost is not None
            else f"No price is known for {model or 'an unnamed model'} at {log.provider}."
        )
    if log.priced_as:
        return f"No price is known for {log.answer_model}; this is that of {log.priced_as}, which was asked for."
    if log.cost_source == "table" and bill.total != log.cost and "drawn_out" not in log.token_kinds:
        return "The kinds are at today's prices, which differ from those of the time of the call."
    return ""


def _without_counts(log: RequestLog) -> str:
    cure = (
        ' Ask with stream_options: {"include_usage": true}.'
        if log.stream and log.endpoint == "chat/completions"
        else ""
    )
    return f"The answer names no token counts.{cure}"
