"""The fields that many vendors copied from OpenAI, read for what they mean: token counts and errors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from gateway.content.json_text import encoded, items, number, obj, parsed_or_none, words


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; None is unknown. All but the first three are inside `prompt` and `completion`.

    `drawn_*` are those of a tool that drew with a model of its own, `drawn_by`, and so are beside the others. `cost` is what
    the provider itself says that the call cost, in US dollars; `tier` the service tier that it says it answered in.
    """

    prompt: int | None = None
    completion: int | None = None
    total: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    text_in: int | None = None
    image_in: int | None = None
    audio_in: int | None = None
    text_out: int | None = None
    image_out: int | None = None
    audio_out: int | None = None
    drawn_in: int | None = None
    drawn_image_in: int | None = None
    drawn_out: int | None = None
    cost: float | None = None
    tier: str = ""
    drawn_by: str = ""

    def kinds(self) -> dict[str, int]:
        """The known counts by kind, for what is neither prompt, completion nor total."""
        return {name: count for name in KINDS if (count := getattr(self, name)) is not None}


NO_KINDS = ("prompt", "completion", "total", "cost", "tier", "drawn_by")
KINDS = tuple(field.name for field in fields(Usage) if field.name not in NO_KINDS)


def error_of(doc: Any) -> str:
    error = obj(doc).get("error")
    if isinstance(error, str):
        return error
    message = obj(error).get("message") or obj(doc).get("message") or obj(doc).get("detail")
    return message if isinstance(message, str) else ""


def openai_usage(doc: Any) -> Usage:
    """`usage` as chat, Responses and Images spell it; Groq's streams keep it under `x_groq`, Cohere under `tokens`."""
    doc = obj(doc)
    drawn, drawer = obj(obj(doc.get("tool_usage")).get("image_gen")), obj(_drawing_tool(doc))
    usage = obj(doc.get("usage") or obj(doc.get("x_groq")).get("usage"))
    usage = obj(usage.get("tokens")) | usage
    into = obj(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    out = obj(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return Usage(
        prompt=number(usage.get("prompt_tokens", usage.get("input_tokens"))),
        completion=number(usage.get("completion_tokens", usage.get("output_tokens"))),
        total=number(usage.get("total_tokens")),
        cached=number(into.get("cached_tokens", usage.get("cached_tokens"))),
        reasoning=number(out.get("reasoning_tokens")),
        cache_write=number(into.get("cache_write_tokens", into.get("cache_creation_tokens"))),
        text_in=number(into.get("text_tokens")),
        image_in=number(into.get("image_tokens", usage.get("image_tokens"))),
        audio_in=number(into.get("audio_tokens")),
        text_out=number(out.get("text_tokens")),
        image_out=number(out.get("image_tokens")),
        audio_out=number(out.get("audio_tokens")),
        drawn_in=number(drawn.get("input_tokens")) or None,
        drawn_image_in=number(obj(drawn.get("input_tokens_details")).get("image_tokens")) or None,
        drawn_out=number(drawn.get("output_tokens")) or None,
        cost=_stated_cost(usage),
        tier=tier_of(doc.get("service_tier") or usage.get("service_tier")),
        drawn_by=words(drawer.get("model")),
    )


def tier_of(named: Any) -> str:
    """The tier that prices depend on; the usual one has none, whatever it is called."""
    tier = words(named).lower().removeprefix("on_demand_")[:20]  # Google's ON_DEMAND_FLEX and its like
    return "" if tier in ("default", "auto", "standard", "on_demand") else tier


def _drawing_tool(doc: dict[str, Any]) -> Any:
    return next((tool for tool in items(doc.get("tools")) if obj(tool).get("type") == "image_generation"), None)


def _stated_cost(usage: dict[str, Any]) -> float | None:
    """OpenRouter's `cost`; xAI's `cost_in_usd_ticks`, of which ten billion are a dollar."""
    cost, ticks = usage.get("cost"), usage.get("cost_in_usd_ticks")
    if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1e6:
        return float(cost)
    return ticks / 1e10 if isinstance(ticks, int) and not isinstance(ticks, bool) and 0 <= ticks < 1e16 else None


def completed(body: bytes) -> bytes:
    """The same completion with a `message` in every choice: Azure leaves it out when its filter took the answer."""
    if b'"message"' in body or b'"choices"' not in body:
        return body
    doc = parsed_or_none(body)
    for choice in items(obj(doc).get("choices")):
        if isinstance(choice, dict) and "text" not in choice:
            choice.setdefault("message", {"role": "assistant", "content": None})
    return encoded(doc)
