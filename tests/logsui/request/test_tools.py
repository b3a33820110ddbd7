"""Calls of tools, and the tools themselves, read as what they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logsui.request.tools import read_tools
from tests.conftest import Stage
from tests.fake_upstream import response
from tests.logsui.browser import Browser

SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}, "note": {}}, "required": ["total"]}
ABOUT = {"name": "save_receipt", "description": "Stores a receipt"}


@pytest.mark.parametrize(
    "given",
    [
        [{"type": "function", "function": ABOUT | {"parameters": SCHEMA}}],
        [{"type": "function"} | ABOUT | {"parameters": SCHEMA}],
        [ABOUT | {"input_schema": SCHEMA}],
        [{"functionDeclarations": [ABOUT | {"parameters": SCHEMA}]}],
        {"tools": [{"toolSpec": ABOUT | {"inputSchema": {"json": SCHEMA}}}]},
    ],
)
def test_every_providers_tools_are_read(given: Any) -> None:
    (tool,) = read_tools(given)
    assert (tool.name, tool.description, tool.takes) == ("save_receipt", "Stores a receipt", "total*, note")


@pytest.mark.parametrize("given", [None, "x", 3, {}, [None], [{}]])
def test_what_is_no_tool_is_none(given: Any) -> None:
    assert read_tools(given) == []


@pytest.mark.parametrize(
    ("given", "name"), [({"type": "web_search"}, "web_search"), ({"googleSearch": {}}, "googleSearch")]
)
def test_a_providers_own_tool_goes_by_its_kind(given: Any, name: str) -> None:
    assert [tool.name for tool in read_tools([given])] == [name]


def test_a_call_is_shown_with_its_name_its_id_and_its_arguments_in_lines(stage: Stage, browser: Browser) -> None:
    function = {"name": "save_receipt", "arguments": json.dumps({"total": 68.42, "items": [{"name": "coffee"}]})}
    call = {"id": "call_abc123", "type": "function", "function": function}
    stage.case.will(response(body={"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}))
    tools = [{"type": "function", "function": ABOUT | {"parameters": SCHEMA}}]
    result = {"role": "tool", "tool_call_id": "call_0", "content": '{"stored": true}'}
    stage.chat({"messages": [{"role": "user", "content": "save it"}, result], "tools": tools})
    page = browser.get(f"/w/default/logs/{stage.log()['id']}").text
    shown = page.partition('class="tool-call"')[2].partition("</div>")[0]
    for words in (">save_receipt<", "call_abc123", "68.42"):
        assert words in shown
    assert shown.count("\n") > 6
    assert "1 tool offered" in page
    assert "total*, note" in page
