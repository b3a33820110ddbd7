"""JSON schemas in the dialect that each vendor takes: what it refuses is taken out, and told.

Sources: platform.claude.com, structured-outputs (JSON schema limitations), which Amazon Bedrock shares; ai.google.dev,
structured-output (supported keywords of responseJsonSchema).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]
ANTHROPIC_REFUSES = frozenset(
    [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
        "uniqueItems", "minContains", "maxContains", "contains", "minProperties", "maxProperties", "patternProperties",
        "propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "not", "if",
        "then", "else", "prefixItems",
    ]
)  # fmt: skip
ANTHROPIC_FORMATS = frozenset(
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"]
)
GEMINI_REFUSES = frozenset(
    [
        "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern", "minLength", "maxLength", "uniqueItems", "contains",
        "minContains", "maxContains", "minProperties", "maxProperties", "patternProperties", "propertyNames", "not", "if",
        "then", "else", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems",
    ]
)  # fmt: skip
DEEPEST = 100


@dataclass(slots=True)
class Adapted:
    """A schema in a vendor's dialect, and the paths of what was taken out of the caller's."""

    schema: Schema
    left_out: list[str] = field(default_factory=list)

    def warning(self, setting: str, provider: str) -> Iterator[str]:
        if self.left_out:
            shown = ", ".join(self.left_out[:10]) + (
                f" and {len(self.left_out) - 10} more" if len(self.left_out) > 10 else ""
            )
            yield f"{setting}: {provider}'s schemas do not hold {shown}; it was not sent, so check the answer yourself"


Rule = Callable[[Schema, str, list[str]], Schema]


def for_anthropic(schema: Mapping[str, Any]) -> Adapted:
    """Every object closed, no bounds on numbers, texts and lists."""
    return _adapted(schema, _anthropic)


def for_gemini(schema: Mapping[str, Any]) -> Adapted:
    return _adapted(schema, _gemini)


def typed(schema: Mapping[str, Any]) -> Schema:
    """The schema of a tool's arguments, which every vendor wants to be that of an object, and said so."""
    return {"type": "object", **schema} if schema else {"type": "object", "properties": {}}


def _adapted(schema: Mapping[str, Any], rule: Rule) -> Adapted:
    left_out: list[str] = []
    return Adapted(_walk(dict(schema), "", rule, left_out, 0), left_out)


def _walk(schema: Any, path: str, rule: Rule, left_out: list[str], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > DEEPEST:
        return schema
    schema = rule(schema, path, left_out)
    found: Schema = {}
    for name, value in schema.items():
        at = f"{path}.{name}" if path else name
        if name in ("properties", "$defs", "definitions") and isinstance(value, dict):
            value = {key: _walk(one, f"{at}.{key}", rule, left_out, depth + 1) for key, one in value.items()}
        elif name in ("items", "additionalProperties"):
            value = _walk(value, at, rule, left_out, depth + 1)
        elif name in ("anyOf", "allOf", "oneOf", "prefixItems") and isinstance(value, list):
            value = [_walk(one, f"{at}[{index}]", rule, left_out, depth + 1) for index, one in enumerate(value)]
        found[name] = value
    return found


def _without(schema: Schema, refused: frozenset[str], path: str, left_out: list[str]) -> Schema:
    gone = [name for name in schema if name in refused]
    left_out += [f"{path}.{name}" if path else name for name in gone]
    return {name: value for name, value in schema.items() if name not in refused}


def _anthropic(schema: Schema, path: str, left_out: list[str]) -> Schema:
    schema = _without(schema, ANTHROPIC_REFUSES, path, left_out)
    if schema.get("minItems", 0) not in (0, 1):
        schema = _without(schema, frozenset({"minItems"}), path, left_out)
    if "format" in schema and str(schema["format"]) not in ANTHROPIC_FORMATS:
        schema = _without(schema, frozenset({"format"}), path, left_out)
    if "oneOf" in schema and "anyOf" not in schema:
        schema = {("anyOf" if name == "oneOf" else name): value for name, value in schema.items()}
    return _closed(schema, path, left_out) if _is_object(schema) else schema


def _closed(schema: Schema, path: str, left_out: list[str]) -> Schema:
    if schema.get("additionalProperties", False) is not False:
        left_out.append(f"{path}.additionalProperties" if path else "additionalProperties")
    return {"type": "object", **schema, "additionalProperties": False}


def _is_object(schema: Schema) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)
    )


def _gemini(schema: Schema, path: str, left_out: list[str]) -> Schema:
    schema = _without(schema, GEMINI_REFUSES, path, left_out)
    if "const" in schema:
        schema = {
            ("enum" if name == "const" else name): ([value] if name == "const" else value)
            for name, value in schema.items()
        }
    return schema
