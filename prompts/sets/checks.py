"""Whether an answer is what a case expects: that it contains or is a text, or that it is JSON that fits a schema. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable

from prompts.language.json_text import parsed

FENCE = re.compile(r"\s*```\w*\n(.*)\n```\s*", re.DOTALL)
KINDS = ("", "contains", "equals", "schema")
# These can be made to run for ever, or for the square of the answer's length; and a schema is anybody's in the workspace.
UNBOUNDED = ("pattern", "patternProperties", "$ref", "$dynamicRef", "$recursiveRef", "uniqueItems")
LONGEST_SCHEMA = 20_000


class BadCheck(Exception):
    """What is expected cannot be checked; says why."""


def check_expected(kind: str, expected: str) -> None:
    """Raises BadCheck."""
    if kind not in KINDS:
        raise BadCheck(f"{kind[:30]!r} is no kind of check; there are {', '.join(KINDS[1:])}.")
    if kind and not expected.strip():
        raise BadCheck("Write what the answer is expected to hold, or choose not to check it.")
    if kind == "schema":
        if len(expected) > LONGEST_SCHEMA:
            raise BadCheck(f"The schema is longer than {LONGEST_SCHEMA:,} characters. Check less of the answer.")
        _schema(expected)


def problem_of(kind: str, expected: str) -> str:
    """Why what is expected cannot be checked; empty when it can."""
    try:
        check_expected(kind, expected)
    except BadCheck as error:
        return str(error)
    return ""


def verdict(kind: str, expected: str, answer: str) -> tuple[bool | None, str]:
    """Whether it passes, None when nothing is expected; and why not. Case and space do not matter to texts."""
    if not kind:
        return None, ""
    if kind == "schema":
        why = _misfit(_schema(expected), answer)
        return not why, why
    wanted, got = _plain(expected), _plain(answer)
    passes = wanted in got if kind == "contains" else wanted == got
    return (
        passes,
        "" if passes else f"The answer {'does not contain' if kind == 'contains' else 'is not'} “{expected[:100]}”.",
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _schema(text: str) -> dict[str, Any]:
    try:
        schema = parsed(text)
        if not isinstance(schema, dict):
            raise BadCheck('A schema is a JSON object such as {"type": "object", "required": ["total"]}.')
        jsonschema.Draft202012Validator.check_schema(schema)
    except ValueError as error:
        raise BadCheck(f"The schema is not JSON: {error}.") from None
    except jsonschema.SchemaError as error:
        raise BadCheck(f"This is no JSON schema: {error.message[:200]}") from None
    except RecursionError:
        raise BadCheck("The schema is nested too deeply.") from None
    if found := next((name for name in _keys(schema) if name in UNBOUNDED), None):
        raise BadCheck(f"A check's schema takes no {found}: it could run without end. Leave it out.")
    return schema


def _misfit(schema: dict[str, Any], answer: str) -> str:
    """Why an answer does not fit; models like to put JSON into a fence of Markdown, which is no fault of it.

    Nothing is fetched for a `$ref`.
    """
    fenced = FENCE.fullmatch(answer)
    validator = jsonschema.Draft202012Validator(schema, registry=Registry())
    try:
        found = next(validator.iter_errors(parsed(fenced[1] if fenced else answer)), None)
    except ValueError:
        return "The answer is not JSON."
    except (ArithmeticError, RecursionError, Unresolvable) as error:
        return f"The answer cannot be held against the schema: {type(error).__name__}."
    return f"{found.json_path}: {found.message[:200]}." if found else ""


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _keys(one)
    elif isinstance(value, list):
        for one in value:
            yield from _keys(one)
