"""A request that is opened as a prompt is that request: its messages, tools and parameters, and what cannot be kept is told."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from logsui.prompts.log_as_draft import DELIMITERS, escaped
from prompts.language import mustache
from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.pictures import data_url, picture

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}
FIELD = re.compile(r'<(?:input|textarea)\b[^>]*?\bname="([^"]+)"[^>]*?(?:value="([^"]*)"[^>]*)?>([^<]*)')


def opened(browser: Browser, stage: Stage, path: str, body: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The editor's page, and the fields of its form."""
    stage.post(path, json.dumps({"model": f"@{stage.slug}/gpt-4o", **body}).encode())
    page = browser.get(f"/w/default/logs/{stage.log()['id']}/prompt")
    assert page.status == 200
    return page.text, {name: html.unescape(value or text).strip() for name, value, text in FIELD.findall(page.text)}


def drawn(template: str) -> str:
    return mustache.render(mustache.parse(template), {}, lambda _: None)


def test_tools_calls_ids_and_every_parameter_are_kept(browser: Browser, stage: Stage) -> None:
    messages = [
        {"role": "user", "content": "Weather in Rome?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"c": 31}'},
    ]
    more = {"tool_choice": "auto", "parallel_tool_calls": False, "user": "ann", "logit_bias": {"50256": -100}}
    page, fields = opened(browser, stage, "/v1/chat/completions", {"messages": messages, "tools": TOOLS, **more})
    assert json.loads(fields["m1-rest"]) == {"tool_calls": [CALL]}
    assert json.loads(fields["m2-rest"]) == {"tool_call_id": "call_1"}
    assert json.loads(fields["p-tools"]) == TOOLS
    assert json.loads(fields["p-more"]) == more
    assert "Not in this prompt" not in page


def test_pictures_stay_in_their_places_and_braces_stay_text(browser: Browser, stage: Stage) -> None:
    words = "Fix: Hello {{customer}}, see ${{ secrets.KEY }} and \\frac{{a}}{b} end."
    shown = {"type": "image_url", "image_url": {"url": data_url(picture("PNG")), "detail": "low"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": words}, shown]}]
    page, fields = opened(browser, stage, "/v1/chat/completions", {"messages": messages})
    assert fields["m0-1-url"] == f"loupe:sha256:{stage.log()['images'][0]['sha256']}"
    assert drawn(fields["m0-0-text"]) == words
    assert 'name="v-customer"' not in page


def test_a_responses_request_becomes_a_chat_with_its_tools(browser: Browser, stage: Stage) -> None:
    parts = [{"type": "input_text", "text": "Weather?"}, {"type": "input_image", "image_url": data_url(picture("PNG"))}]
    items = [
        {"role": "user", "content": parts},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "31"},
    ]
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
    page, fields = opened(browser, stage, "/v1/responses", {"input": items, "tools": [tool], "truncation": "auto"})
    assert json.loads(fields["m1-rest"])["tool_calls"][0]["function"]["name"] == "get_weather"
    assert fields["m0-1-url"].startswith("loupe:sha256:")
    assert "Not in this prompt: truncation" in page


@example("\n{{")
@example(" \t\r\n{{a}}")
@given(st.text(st.sampled_from("{}<%>=[]() @#/a\r\n\t"), max_size=40))
def test_no_text_holds_a_tag_once_it_is_escaped(text: str) -> None:
    if any(left not in text for left, _ in DELIMITERS):
        assert drawn(escaped(text)) == text
