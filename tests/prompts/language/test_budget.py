"""A small template cannot ask for more than a machine has: it is refused, naming the section, and holds nobody up."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from prompts.language import mustache
from prompts.language.budget import Budget, TooMuch
from prompts.language.rendering import PromptProblem, Template, render_messages
from tests.patience import soon

HUNDRED = list(range(100))


def rendered(text: str, variables: dict[str, Any], *, is_raw: bool = False, **partials: str) -> Any:
    template = Template(text if is_raw else json.dumps([{"role": "user", "content": text}]), is_raw)
    return render_messages(template, variables, partials=partials.get, pictures=lambda sha256: "")


def nested(depth: int, inside: str, name: str = "a") -> str:
    return f"{{{{#{name}}}}}" * depth + inside + f"{{{{/{name}}}}}" * depth


@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("inside", ["{{x}}", "", "y", "{{^x}}{{/x}}", "{{>one}}"])
def test_nested_sections_end_in_an_error_that_names_them(inside: str, *, is_raw: bool) -> None:
    text = nested(4, inside, "items")
    if is_raw:
        text = f'[{{"role": "user", "content": "{text}"}}]'
    with soon(), pytest.raises(PromptProblem, match=r"in the section \{\{#items\}\} more than 250,000 tags"):
        rendered(text, {"items": HUNDRED, "x": ""}, is_raw=is_raw, one="{{x}}")


def test_output_that_multiplies_is_refused() -> None:
    with pytest.raises(PromptProblem, match=r"in the section \{\{#a\}\} more than 64 MiB come out"):
        rendered("{{#a}}{{x}}{{/a}}", {"a": HUNDRED, "x": "y" * 1_000_000})


def test_partials_that_double_are_refused() -> None:
    partials = {f"p{n}": f"{{{{>p{n + 1}}}}}" * 2 for n in range(18)} | {"p18": "text"}
    with pytest.raises(PromptProblem, match="more than 250,000"):
        rendered("{{>p0}}", {}, **partials)


def test_an_indent_that_multiplies_is_refused() -> None:
    with pytest.raises(PromptProblem, match="64 MiB"):
        rendered("\n" + " " * 10_000 + "{{>lines}}\n", {}, lines="x\n" * 10_000)


@pytest.mark.parametrize("name", ["a." * 5000 + "a", "a" * 10_000])
def test_a_long_name_costs_what_it_takes(name: str) -> None:
    with pytest.raises(PromptProblem, match="more than 250,000"):
        rendered(f"{{{{#l}}}}{{{{{name}}}}}{{{{/l}}}}", {"l": list(range(10_000)), "a": 1})


@pytest.mark.parametrize(
    "template",
    ["{{!}}" * 200_000, "{{" * 500_000, "{{/x}}" * 100_000, "{{#x}}" * 100_000, "\n{{>a}} " * 100_000, "{{=a" * 99_999],
    ids=["comments", "open", "closed", "sections", "partials", "delimiters"],
)
def test_parsing_takes_as_long_as_the_template(template: str) -> None:
    with soon():
        mustache.parse.__wrapped__(template)
        mustache.slips(template)


@pytest.mark.parametrize("text", ['"' + '\\"' * 500_000, "[" + "," * 500_000 + "]", "[" * 500_000, ", " * 500_000])
def test_a_raw_template_of_odd_text_is_read_or_refused_soon(text: str) -> None:
    with soon(), suppress(PromptProblem):
        rendered(text, {}, is_raw=True)


def test_an_ordinary_template_fits_the_quick_budget() -> None:
    nodes = mustache.parse("{{#items}}{{name}}: {{price}}\n{{/items}}" + "{{note}}" * 100)
    variables = {"items": [{"name": "a", "price": 1}] * 100, "note": "x" * 100}
    assert len(mustache.render(nodes, variables, lambda name: None, Budget.quick())) > 1000
    with pytest.raises(TooMuch):
        mustache.render(nodes, variables | {"items": [{}] * 1000}, lambda name: None, Budget.quick())
