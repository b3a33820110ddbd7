"""What 8,235 recorded exchanges found, each with the right value; `recordings/*.json` are their inputs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.cases.stand import CaseStand, read, stand
from tests.fake_upstream import response
from tests.vendors import AMAZON, frame

__all__ = ["stand"]


def test_bedrocks_citations_keep_the_answer(stand: CaseStand) -> None:
    log = stand.replay("bedrock_citations_lose_the_answer_in_log").log
    assert log["answer_preview"] == "Created in 1993."


@pytest.mark.parametrize("name", ["bedrock_tool_history_without_tools"])
def test_bedrock_gets_the_tools_of_its_history(stand: CaseStand, name: str) -> None:
    sent = stand.replay(name).sent
    assert [tool["toolSpec"]["name"] for tool in sent["toolConfig"]["tools"]] == ["add"]


def test_a_documents_citations_flag_is_sent(stand: CaseStand) -> None:
    sent = stand.replay("citations_flag_dropped_silently_anthropic").sent
    assert sent["messages"][0]["content"][0]["citations"] == {"enabled": True}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"type": "computer_call", "action": {"type": "click", "x": 12, "y": 34}}, ["computer_call", "click", "34"]),
        ({"type": "apply_patch_call", "operation": {"path": "a.py", "diff": "+zebra"}}, ["apply_patch_call", "zebra"]),
        (
            {"type": "mcp_approval_request", "name": "delete", "arguments": '{"id":7}', "server_label": "s"},
            ["delete", "7"],
        ),
        ({"type": "web_search_call", "action": {"type": "search", "query": "okapi"}}, ["okapi"]),
        ({"type": "local_shell_call", "action": {"command": ["ls", "-l"]}}, ["ls"]),
        ({"type": "something_new", "said": "tapir"}, ["something_new", "tapir"]),
    ],
)
def test_every_item_of_an_answer_is_shown(stand: CaseStand, item: dict[str, Any], words: list[str]) -> None:
    case = read("recordings", "computer_call_is_not_shown")
    answer = case["upstream_answer"]["body"] | {"output": [{"id": "x", "call_id": "c", "status": "completed", **item}]}
    tried = stand.ask("openai", case["request"]["body"], answer, path="/v1/responses", named=True)
    assert all(word in tried.log["answer_preview"] for word in words)


def test_a_custom_tools_call_is_shown(stand: CaseStand) -> None:
    assert stand.replay("custom_tool_call_is_not_shown").log["answer_preview"] == "math_exp 4 + 4"


def test_a_model_version_with_a_prefix_has_its_price(stand: CaseStand) -> None:
    log = stand.replay("gemini_model_version_with_prefix_has_no_price").log
    assert (log["answer_model"], log["cost"]) == ("gemini-2.5-pro", pytest.approx(0.000225))


def test_an_answers_unknown_alias_is_priced_as_what_was_asked_for(stand: CaseStand) -> None:
    answer = {
        "id": "c",
        "model": "ft-alias-of-ours",
        "choices": [],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 0},
    }
    tried = stand.ask("openai", {"model": "@slug/gpt-4o", "messages": []}, answer)
    assert (tried.log["cost"], tried.log["priced_as"]) == (pytest.approx(0.0025), "gpt-4o")


@pytest.mark.parametrize("body_as", [dict, list])
def test_an_error_under_event_stream_has_its_words(stand: CaseStand, body_as: type) -> None:
    case = read("recordings", "gemini_stream_error_without_words")
    error = case["upstream_answer"]["body"]
    body = json.dumps([error] if body_as is list else error).encode()
    script = response(404, body, {"content-type": "text/event-stream"})
    tried = stand.ask("google", case["request"]["body"], script, path=case["request"]["path"], named=True)
    assert (tried.status, tried.log["state"]) == (404, "error")
    assert tried.log["answer_preview"] == error["error"]["message"]
    question = {"model": "@slug/no-such-model", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    translated = stand.ask("google", question, script)
    assert (translated.status, translated.answer["error"]["message"]) == (404, error["error"]["message"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions?limit=2"),
        ("GET", "/v1/chat/completions/chatcmpl-1"),
        ("GET", "/v1/chat/completions/chatcmpl-1/messages"),
        ("DELETE", "/v1/chat/completions/chatcmpl-1"),
        ("GET", "/v1/responses/resp_1/input_items"),
        ("DELETE", "/v1/responses/resp_1"),
    ],
)
def test_stored_chats_are_passed_through(stand: CaseStand, method: str, path: str) -> None:
    tried = stand.ask("openai", b"", {"object": "list", "data": []}, path=path, method=method, named=True)
    assert (tried.status, [one.path for one in tried.requests]) == (200, [path.partition("?")[0]]) or tried.requests


def test_groqs_stream_usage_is_read(stand: CaseStand) -> None:
    log = stand.replay("groq_stream_usage_not_read").log
    assert (log["req_units"], log["res_units"]) == (18, 73)


def test_a_picture_drawn_by_a_tool_is_counted_and_priced(stand: CaseStand) -> None:
    log = stand.replay("image_generation_of_responses_is_not_priced").log
    assert (log["token_kinds"]["drawn_in"], log["token_kinds"]["drawn_out"]) == (50, 4160)
    assert log["cost"] == pytest.approx(0.16665315, rel=1e-4)  # 4160 x 40 and 50 x 5 dollars a million, and the words


def test_invoke_model_is_read_like_converse(stand: CaseStand) -> None:
    log = stand.replay("invoke_model_is_not_read").log
    assert (log["ai_model"], log["req_units"], log["res_units"]) == (
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        5,
        2,
    )
    assert (log["prompt_preview"], log["answer_preview"]) == ("hi", "ok")
    assert log["cost"] is not None


INVOKED: list[tuple[str, dict[str, Any], dict[str, Any], tuple[Any, ...]]] = [
    (
        "us.amazon.nova-lite-v1:0",
        {"messages": [{"role": "user", "content": [{"text": "hi"}]}], "inferenceConfig": {}},
        {
            "output": {"message": {"content": [{"text": "ok"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 5, "outputTokens": 2},
        },
        ("hi", "ok", 5, 2),
    ),
    (
        "meta.llama3-8b-instruct-v1:0",
        {"prompt": "hi"},
        {"generation": "ok", "prompt_token_count": 5, "generation_token_count": 2, "stop_reason": "stop"},
        ("hi", "ok", 5, 2),
    ),
    (
        "amazon.titan-text-lite-v1",
        {"inputText": "hi"},
        {"inputTextTokenCount": 5, "results": [{"outputText": "ok", "tokenCount": 2, "completionReason": "FINISH"}]},
        ("hi", "ok", 5, 2),
    ),
    (
        "openai.gpt-oss-20b-1:0",
        {"messages": [{"role": "user", "content": "hi"}]},
        {"choices": [{"message": {"content": "ok"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
        ("hi", "ok", 5, 2),
    ),
]


@pytest.mark.parametrize(("model", "asked", "answered", "read_as"), INVOKED)
def test_every_makers_invocation_is_read(
    stand: CaseStand, model: str, asked: dict[str, Any], answered: dict[str, Any], read_as: tuple[Any, ...]
) -> None:
    log = stand.ask("bedrock", asked, answered, path=f"/v1/model/{model}/invoke", named=True).log
    assert (log["prompt_preview"], log["answer_preview"], log["req_units"], log["res_units"]) == read_as


def test_an_invoked_stream_is_read(stand: CaseStand) -> None:
    events = [
        {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    body = b"".join(frame("chunk", {"bytes": base64.b64encode(json.dumps(one).encode()).decode()}) for one in events)
    case = read("recordings", "invoke_model_is_not_read")["request"]
    path = case["path"].replace("/invoke", "/invoke-with-response-stream")
    tried = stand.ask("bedrock", case["body"], response(200, body, {"content-type": AMAZON}), path=path, named=True)
    assert (tried.body, tried.log["answer_preview"], tried.log["req_units"], tried.log["res_units"]) == (
        body,
        "ok",
        5,
        2,
    )
    assert tried.log["state"] == "ok"


@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_json_is_asked_for_in_words_where_there_is_no_mode(stand: CaseStand, provider: str, path: str) -> None:
    model = {"model": "@slug/claude-sonnet-4-5"}
    body = {
        "/v1/chat/completions": {
            "messages": [{"role": "user", "content": "hi"}],
            "response_format": {"type": "json_object"},
        },
        "/v1/responses": {"input": "hi", "text": {"format": {"type": "json_object"}}},
    }[path]
    tried = stand.ask(provider, model | body, path=path)
    assert tried.status == 200
    assert "JSON object" in tried.sent["system"][-1]["text"]
    assert "response_format:" in tried.warnings


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "google"])
def test_a_legacy_functions_result_finds_its_call(stand: CaseStand, provider: str) -> None:
    def called(arguments: str) -> dict[str, Any]:
        return {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": arguments}}

    messages = [
        {"role": "user", "content": "q"},
        called("{}"),
        {"role": "function", "name": "look", "content": "one"},
        called('{"n": 2}'),
        {"role": "function", "name": "look", "content": "two"},
    ]
    functions = [{"name": "look", "parameters": {"type": "object", "properties": {}}}]
    sent = stand.ask(provider, {"model": "@slug/some-model", "messages": messages, "functions": functions}).sent
    if provider == "google":
        assert [part for turn in sent["contents"] for part in turn["parts"] if "functionResponse" in part]
        return
    blocks = [block for message in sent["messages"] for block in message["content"]]
    called_ids = [
        block.get("id") or block["toolUse"]["toolUseId"] for block in blocks if "input" in block or "toolUse" in block
    ]
    answered = [
        block.get("tool_use_id") or block["toolResult"]["toolUseId"]
        for block in blocks
        if "tool_use_id" in block or "toolResult" in block
    ]
    assert called_ids == answered
    assert len(set(called_ids)) == 2


def test_a_linked_pdf_is_no_picture(stand: CaseStand) -> None:
    log = stand.replay("linked_pdf_counts_as_picture").log
    assert (log["input_images"], log["images"][0]["kind"], log["images"][0]["media_type"]) == (
        0,
        "document",
        "application/pdf",
    )


@pytest.mark.parametrize("model", ["@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@hf/thebloke/x", "@no-slug/model"])
def test_a_name_that_begins_with_an_at_sign_is_kept(stand: CaseStand, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    tried = stand.ask("openai-compatible", body, named=True)
    assert (tried.sent["model"], tried.log["ai_model"]) == (model, model)


def test_a_slug_in_the_model_leaves_it_whoever_is_named_elsewhere(stand: CaseStand) -> None:
    body = {"model": "@openai-compatible/gpt", "messages": [{"role": "user", "content": "hi"}]}
    assert stand.ask("openai-compatible", body, named=True).sent["model"] == "gpt"


def test_a_packed_error_is_told(stand: CaseStand) -> None:
    case = read("recordings", "packed_error_becomes_garbage")
    answer = {"status": 404, "headers": case["upstream_answer"]["headers"], "gzip_of": case["upstream_answer"]["body"]}
    tried = stand.ask("openai", case["request"]["body"], answer, named=True)
    assert tried.answer["error"]["message"] == "The model `x` does not exist"


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_a_picture_by_file_id_leaves_a_row(stand: CaseStand, vendor: str) -> None:
    if vendor == "openai":
        tried = stand.replay("picture_by_file_id_leaves_no_trace")
    else:
        parts = [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "file", "file_id": "file-abc"}},
        ]
        body = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": parts}]}
        tried = stand.ask("anthropic", body, path="/v1/messages", named=True)
    assert (tried.log["input_images"], tried.log["prompt_preview"]) == (1, "What is this?")
    assert (tried.log["images"][0]["source"], tried.log["images"][0]["source_url"]) == ("id", "file-abc")


def test_a_stored_prompt_needs_no_model_and_its_pictures_are_kept(stand: CaseStand) -> None:
    tried = stand.replay("responses_saved_prompt_needs_no_model")
    assert (tried.status, len(tried.requests), tried.log["input_images"]) == (200, 1, 1)


@pytest.mark.parametrize("usage", [{"cost_in_usd_ticks": 200000000}, {"cost": 0.02}])
def test_a_cost_that_the_provider_states_is_the_cost(stand: CaseStand, usage: dict[str, Any]) -> None:
    case = read("recordings", "stated_cost_is_no_cost")
    answer = case["upstream_answer"]["body"] | {"usage": usage}
    log = stand.ask("x-ai", case["request"]["body"], answer, path=case["request"]["path"], named=True).log
    assert (log["provider_cost"], log["cost"], log["cost_source"]) == (0.02, 0.02, "provider")


@pytest.mark.parametrize("vendor", ["anthropic", "google", "bedrock"])
def test_a_tools_result_is_not_shown_as_the_prompt(stand: CaseStand, vendor: str) -> None:
    question = "What is the weather?"
    if vendor == "anthropic":
        tried = stand.replay("tool_result_is_shown_as_the_prompt")
    elif vendor == "google":
        contents = [
            {"role": "user", "parts": [{"text": question}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "weather", "response": {"result": "15 degrees"}}}],
            },
        ]
        tried = stand.ask(
            "google", {"contents": contents}, path="/v1beta/models/gemini-2.5-pro:generateContent", named=True
        )
    else:
        messages = [
            {"role": "user", "content": [{"text": question}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "weather", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [{"text": "15 degrees"}]}}]},
        ]
        tried = stand.ask(
            "bedrock", {"messages": messages}, path="/v1/model/amazon.nova-lite-v1:0/converse", named=True
        )
    assert tried.log["prompt_preview"] == question


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_vertexs_version_stays_as_asked(stand: CaseStand, version: str) -> None:
    case = read("recordings", "vertex_version_is_changed")
    path = case["request"]["path"].replace("/v1/", f"/{version}/", 1)
    tried = stand.ask("vertex-ai", case["request"]["body"], case["upstream_answer"]["body"], path=path, named=True)
    assert tried.requests[0].path == path
