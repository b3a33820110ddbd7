"""What a request asked for beside its words, by the names of the GenAI conventions, out of every vendor's own."""

from __future__ import annotations

import math
from typing import Any

from gateway.content.json_text import obj
from gateway.dialects.base import Question
from gateway.models import RequestLog
from gateway.telemetry.attributes import Value

# Google and Amazon keep them in an object of their own.
INSIDE = ("generationConfig", "generation_config", "inferenceConfig")
NUMBERS = {
    "gen_ai.request.temperature": ("temperature",),
    "gen_ai.request.top_p": ("top_p", "topP"),
    "gen_ai.request.frequency_penalty": ("frequency_penalty", "frequencyPenalty"),
    "gen_ai.request.presence_penalty": ("presence_penalty", "presencePenalty"),
    "gen_ai.request.top_k": ("top_k", "topK"),
}
WHOLE_NUMBERS = {
    "gen_ai.request.max_tokens": (
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "maxOutputTokens",
        "maxTokens",
    ),
    "gen_ai.request.seed": ("seed",),
}
CHOICES = ("n", "candidateCount")
STOPS = ("stop", "stop_sequences", "stopSequences")
JSON_FORMATS = ("json_object", "json_schema")


def settings_of(log: RequestLog, question: Question) -> dict[str, Value | None]:
    asked = dict(question.settings)
    for name in INSIDE:
        asked |= obj(asked.get(name))
    found: dict[str, Value | None] = {name: _number(asked, keys) for name, keys in NUMBERS.items()}
    found |= {name: _whole(asked, keys) for name, keys in WHOLE_NUMBERS.items()}
    choices = _whole(asked, CHOICES)
    return found | {
        "gen_ai.request.choice.count": None if choices == 1 else choices,
        "gen_ai.request.stop_sequences": _stops(_first(asked, STOPS)),
        "gen_ai.output.type": _output_type(log, asked),
    }


def _first(asked: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((asked[key] for key in keys if asked.get(key) is not None), None)


def _number(asked: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    given = _first(asked, keys)
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        return float(given) if math.isfinite(given) else None
    except OverflowError:
        return None


def _whole(asked: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    given = _number(asked, keys)
    return int(given) if given is not None and given.is_integer() else None


def _stops(given: Any) -> list[str] | None:
    if isinstance(given, str):
        return [given]
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else None


def _output_type(log: RequestLog, asked: dict[str, Any]) -> str | None:
    if log.endpoint.startswith("images/"):
        return "image"
    told = obj(asked.get("response_format")) or obj(obj(asked.get("text")).get("format"))
    is_json = told.get("type") in JSON_FORMATS or asked.get("responseMimeType") == "application/json"
    return "json" if is_json else None
