"""The tools that a model was offered, whatever provider's shape they came in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.content.json_text import items, obj, words
from gateway.content.json_written import compact

TOOLS = ("tools", "functions", "toolConfig")  # the names under which requests hold them, the last one with more
SCHEMAS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema")


@dataclass(frozen=True, slots=True)
class Tool:
    """`takes` names its parameters, the required ones with a star; `written` is all of it."""

    name: str
    description: str
    takes: str
    written: str


def read_tools(given: Any) -> list[Tool]:
    """Nothing where it is no list of tools; an entry that is not understood is shown by its type."""
    found = items(obj(given).get("tools")) if isinstance(given, dict) else items(given)
    return [_tool(one) for entry in found for one in _declared(obj(entry)) if one]


def _declared(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Google's entries hold several; OpenAI's and Bedrock's wrap the one."""
    several = items(entry.get("functionDeclarations")) or items(entry.get("function_declarations"))
    if several:
        yield from (obj(one) for one in several)
    else:
        yield obj(entry.get("function")) or obj(entry.get("toolSpec")) or entry


def _tool(one: dict[str, Any]) -> Tool:
    schema = next((obj(one[name]) for name in SCHEMAS if one.get(name)), {})
    schema = obj(schema.get("json")) or schema
    required = items(schema.get("required"))
    takes = ", ".join(f"{name}{'*' if name in required else ''}" for name in obj(schema.get("properties")))
    return Tool(
        words(one.get("name")) or words(one.get("type")) or next(iter(one)),
        words(one.get("description")),
        takes,
        compact(one),
    )
