"""What public bug reports of gateways found in requests, each with the right value; `gateway/*.json` are their inputs."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from tests.cases.stand import CaseStand, read, stand

__all__ = ["stand"]

MODELS_OF_EFFORT: list[tuple[str, str, str, dict[str, Any], bool]] = [
    ("google", "gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW"}, True),
    ("google", "gemini-3-pro-preview", "none", {"thinkingLevel": "LOW"}, True),
    ("google", "gemini-3-pro-preview", "medium", {"thinkingLevel": "LOW"}, True),
    ("google", "gemini-3-flash-preview", "xhigh", {"thinkingLevel": "HIGH"}, True),
    ("google", "gemini-3-flash-preview", "minimal", {"thinkingLevel": "MINIMAL"}, False),
    ("google", "gemini-3.7-flash", "minimal", {"thinkingLevel": "LOW"}, True),
    ("google", "gemini-5.1-flash", "high", {"thinkingLevel": "HIGH"}, True),
    ("google", "gemini-2.5-pro", "none", {"thinkingBudget": 128}, True),
    ("google", "gemini-2.5-flash", "none", {"thinkingBudget": 0}, False),
    ("google", "gemini-2.5-flash-lite", "low", {"thinkingBudget": 1024}, False),
    ("google", "gemini-2.0-flash", "high", {}, True),
]


@pytest.mark.parametrize(("provider", "model", "effort", "thinking", "warned"), MODELS_OF_EFFORT)
def test_effort_is_the_nearest_that_a_gemini_knows(
    stand: CaseStand, provider: str, model: str, effort: str, thinking: dict[str, Any], warned: bool
) -> None:
    body = {"model": f"@slug/{model}", "reasoning_effort": effort, "messages": [{"role": "user", "content": "q"}]}
    tried = stand.ask(provider, body)
    assert tried.sent.get("generationConfig", {}).get("thinkingConfig", {}) == thinking
    assert ("reasoning_effort" in tried.warnings or "newer" in tried.warnings) == warned


@pytest.mark.parametrize(
    ("model", "effort", "output_config", "thinking"),
    [
        ("claude-sonnet-4-5", "high", None, {"type": "enabled", "budget_tokens": 6000}),
        ("claude-haiku-4-5-20251001", "minimal", None, {"type": "enabled", "budget_tokens": 1024}),
        ("claude-3-7-sonnet-20250219", "low", None, {"type": "enabled", "budget_tokens": 2048}),
        ("claude-3-5-haiku-latest", "high", None, None),
        ("claude-opus-4-5", "minimal", {"effort": "low"}, None),
        ("claude-opus-4-6", "xhigh", {"effort": "high"}, {"type": "adaptive"}),
        ("claude-sonnet-4-6", "none", None, None),
        ("claude-opus-4-8", "xhigh", {"effort": "xhigh"}, {"type": "adaptive"}),
        ("claude-opus-5", "medium", {"effort": "medium"}, None),
        ("claude-opus-5", "none", None, {"type": "disabled"}),
        ("claude-sonnet-5-5", "none", None, {"type": "between_tools"}),
        ("claude-fable-5-1", "none", {"effort": "low"}, None),
        ("claude-opus-7", "high", {"effort": "high"}, None),
    ],
)
@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
def test_effort_is_told_to_each_claude_as_it_takes_it(
    stand: CaseStand, provider: str, model: str, effort: str, output_config: Any, thinking: Any
) -> None:
    named = f"us.anthropic.{model}-v1:0" if provider == "bedrock" else model
    body = {"model": f"@slug/{named}", "reasoning_effort": effort, "max_tokens": 8000}
    tried = stand.ask(provider, body | {"messages": [{"role": "user", "content": "q"}]})
    where = tried.sent.get("additionalModelRequestFields", {}) if provider == "bedrock" else tried.sent
    assert (where.get("output_config"), where.get("thinking")) == (output_config, thinking)


@pytest.mark.parametrize(
    ("model", "given", "kept"),
    [
        ("claude-opus-4-8", {"temperature": 0.2, "top_p": 0.9, "top_k": 5}, {}),
        ("claude-mythos-preview", {"temperature": 1}, {}),
        ("claude-sonnet-4-5", {"temperature": 0.2, "top_p": 0.9}, {"temperature": 0.2}),
        ("claude-sonnet-4-5", {"top_p": 0.9}, {"top_p": 0.9}),
        ("claude-3-5-haiku-latest", {"temperature": 1.7, "top_p": 0.9}, {"temperature": 1, "top_p": 0.9}),
        ("claude-sonnet-4-5", {"temperature": 0.2, "thinking": {"type": "enabled", "budget_tokens": 2000}}, {}),
    ],
)
def test_sampling_that_a_claude_refuses_is_left_out_and_told(
    stand: CaseStand, model: str, given: dict[str, Any], kept: dict[str, Any]
) -> None:
    body = {"model": f"@slug/{model}", "max_tokens": 4000, "messages": [{"role": "user", "content": "q"}], **given}
    tried = stand.ask("anthropic", body)
    names = ("temperature", "top_p", "top_k")
    assert {name: tried.sent[name] for name in names if name in tried.sent} == kept
    for name in names:
        assert (f"{name}:" in tried.warnings) == (name in given and given[name] != kept.get(name))


@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
@pytest.mark.parametrize("blank", [" ", "\n\n", "\t "])
def test_no_text_of_white_space_only_is_sent(stand: CaseStand, provider: str, blank: str) -> None:
    case = read("gateway", "anthropic_blank_text")["request"]
    case["messages"][0]["content"][0]["text"] = blank
    case["messages"][1]["content"] = blank
    case["model"] = "@slug/claude-sonnet-4-5"
    sent = stand.ask(provider, case).sent
    texts = [block["text"] for message in sent["messages"] for block in message["content"] if "text" in block]
    assert all(text.strip() for text in texts)
    assert len(sent["messages"][0]["content"]) == 1


@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
def test_a_tools_schema_says_that_it_is_an_objects(stand: CaseStand, provider: str) -> None:
    sent = stand.ask(provider, read("gateway", "anthropic_input_schema_type")["request"]).sent
    schema = (
        sent["tools"][0]["input_schema"]
        if provider == "anthropic"
        else sent["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]
    )
    assert (schema["type"], schema["properties"]) == ("object", {"n": {"type": "integer"}})


@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
def test_a_schema_goes_to_claude_in_its_dialect_and_what_was_left_out_is_told(stand: CaseStand, provider: str) -> None:
    request = read("gateway", "anthropic_schema")["request"] | {"model": "@slug/us.anthropic.claude-sonnet-4-5-v1:0"}
    tried = stand.ask(provider, request)
    if provider == "anthropic":
        schema = tried.sent["output_config"]["format"]["schema"]
    else:
        schema = json.loads(tried.sent["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    assert schema == {
        "type": "object",
        "properties": {
            "total": {"type": "number"},
            "lines": {
                "type": "array",
                "items": {"type": "object", "properties": {"n": {"type": "string"}}, "additionalProperties": False},
            },
        },
        "required": ["total"],
        "additionalProperties": False,
    }
    for path in (
        "properties.total.minimum",
        "properties.lines.minItems",
        "properties.lines.items.additionalProperties",
    ):
        assert path in tried.warnings


def test_a_schema_goes_to_gemini_in_its_dialect(stand: CaseStand) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "string", "minLength": 1}, "k": {"const": "x"}}}
    format = {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}}
    body = {
        "model": "@slug/gemini-2.5-flash",
        "messages": [{"role": "user", "content": "q"}],
        "response_format": format,
    }
    tried = stand.ask("google", body)
    sent = tried.sent["generationConfig"]["responseJsonSchema"]["properties"]
    assert sent == {"n": {"type": "string"}, "k": {"enum": ["x"]}}
    assert "properties.n.minLength" in tried.warnings


@pytest.mark.parametrize(
    ("given", "sent", "warned"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 8000}}, (12096, 8000), "max_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8000}, "max_tokens": 4000}, (4000, 3000), "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8000}, "max_tokens": 900}, (900, 0), "thinking"),
    ],
)
def test_a_thinking_budget_is_below_max_tokens(
    stand: CaseStand, given: dict[str, Any], sent: tuple[int, int], warned: str
) -> None:
    body = {"model": "@slug/claude-sonnet-4-5", "messages": [{"role": "user", "content": "q"}], **given}
    tried = stand.ask("anthropic", body)
    assert (tried.sent["max_tokens"], tried.sent.get("thinking", {}).get("budget_tokens", 0)) == sent
    assert f"{warned}:" in tried.warnings


@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
@pytest.mark.parametrize("ids", [["functions.look:0", "functions.look.0"], ["é" * 70, "x" * 65], ["call_1", "toolu_2"]])
def test_tool_ids_fit_the_vendors_alphabet_and_stay_apart(stand: CaseStand, provider: str, ids: list[str]) -> None:
    calls = [{"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}} for id in ids]
    results = [{"role": "tool", "tool_call_id": id, "content": "ok"} for id in ids]
    request = read("gateway", "anthropic_tool_id")["request"]
    request["messages"] = [
        request["messages"][0],
        {"role": "assistant", "content": None, "tool_calls": calls},
        *results,
    ]
    sent = json.dumps(stand.ask(provider, request).sent)
    names = ("id", "tool_use_id") if provider == "anthropic" else ("toolUseId", "toolUseId")
    found = [re.findall(rf'"{name}": "([^"]*)"', sent) for name in names]
    asked = found[0][:2]
    assert len(set(asked)) == 2
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", id) for id in asked)
    assert found[1][-2:] == asked
    assert ids[0] != "call_1" or asked == ids


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "google"])
def test_arguments_that_are_an_object_are_taken(stand: CaseStand, provider: str) -> None:
    sent = json.dumps(stand.ask(provider, read("gateway", "arguments_as_object")["request"]).sent)
    assert '{"n": 1}' in sent


@pytest.mark.parametrize("given", [[1], 7, True])
def test_arguments_of_another_kind_are_refused_by_name(stand: CaseStand, given: Any) -> None:
    request = read("gateway", "arguments_as_object")["request"]
    request["messages"][1]["tool_calls"][0]["function"]["arguments"] = given
    tried = stand.ask("anthropic", request)
    assert (tried.status, tried.answer["error"]["param"]) == (400, "messages[1].tool_calls[0].function.arguments")


def test_marks_for_the_cache_become_bedrocks_cache_points(stand: CaseStand) -> None:
    sent = stand.try_case("bedrock_cache_point").sent
    assert sent["system"] == [{"text": "long"}, {"cachePoint": {"type": "default"}}]
    assert sent["messages"][0]["content"][-2:] == [{"text": "q"}, {"cachePoint": {"type": "default"}}]


@pytest.mark.parametrize("name", ["résumé  2.pdf", "報告書.pdf", "a\u3000b.pdf", "\t.pdf", "it's #1, & more.pdf", ""])
def test_a_documents_name_is_what_bedrock_takes(stand: CaseStand, name: str) -> None:
    request = read("gateway", "bedrock_document_name")["request"]
    request["messages"][0]["content"][1]["file"]["filename"] = name
    content = stand.ask("bedrock", request).sent["messages"][0]["content"]
    told = next(block["document"]["name"] for block in content if "document" in block)
    assert re.fullmatch(r"[A-Za-z0-9()\[\]-](?:[A-Za-z0-9()\[\]-]| (?! ))*", told)


def test_bedrock_is_told_the_tools_of_a_history(stand: CaseStand) -> None:
    tried = stand.try_case("bedrock_history_without_tools")
    assert [tool["toolSpec"]["name"] for tool in tried.sent["toolConfig"]["tools"]] == ["look"]
    result = tried.sent["messages"][2]["content"][0]["toolResult"]
    assert "image" in result["content"][0]
    assert "tools:" in tried.warnings


@pytest.mark.parametrize("head", ["data:image/png;base64,", "data:;base64,", ""])
def test_a_data_url_where_base64_belongs_is_taken(stand: CaseStand, head: str) -> None:
    request = read("gateway", "data_url_in_base64_field")["request"]
    data = request["messages"][0]["content"][1]["inlineData"]["data"].partition(",")[2]
    request["messages"][0]["content"][1]["inlineData"]["data"] = head + data
    sent = stand.ask("google", request).sent
    assert sent["contents"][0]["parts"][1]["inlineData"] == {"mimeType": "image/png", "data": data}


@pytest.mark.parametrize("id", ["call_777", "6f1c2d", "call_abc"])
def test_a_calls_id_goes_back_to_gemini(stand: CaseStand, id: str) -> None:
    request = json.loads(json.dumps(read("gateway", "gemini_call_id")["request"]).replace("call_777", id))
    contents = stand.ask("google", request).sent["contents"]
    assert contents[1]["parts"][0]["functionCall"]["id"] == contents[2]["parts"][0]["functionResponse"]["id"] == id


def test_geminis_call_without_signature_gets_the_stand_in(stand: CaseStand) -> None:
    tried = stand.try_case("gemini_call_without_signature")
    assert tried.sent["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"
    assert "stand-in" in tried.warnings


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("drops", [False, True])
def test_signatures_of_pictures_and_texts_go_out_and_come_back(stand: CaseStand, streamed: bool, drops: bool) -> None:
    case = read("gateway", "gemini_image_signature")
    answer = [case["upstream_answers"]] if streamed else case["upstream_answers"]
    tried = stand.ask("google", case["request"] | {"stream": streamed}, answer)
    assert "U0lHLVRFWFQ=" in tried.body.decode()
    assert "U0lHLUlNRw==" in tried.body.decode()
    message = _gathered(tried.chunks) if streamed else tried.answer["choices"][0]["message"]
    if drops:
        message.pop("extra_content")
        message["images"] = [{"type": "image_url", "image_url": one["image_url"]} for one in message["images"]]
    history = [*case["request"]["messages"], message, {"role": "user", "content": "bluer"}]
    again = stand.ask("google", case["request"] | {"messages": history})
    assert [part.get("thoughtSignature") for part in again.sent["contents"][1]["parts"]] == [
        "U0lHLVRFWFQ=",
        "U0lHLUlNRw==",
    ]


def _gathered(chunks: list[Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "", "images": []}
    for delta in (choice["delta"] for chunk in chunks for choice in chunk["choices"]):
        message["content"] += delta.get("content") or ""
        message["images"] += delta.get("images", [])
        message |= {"extra_content": delta["extra_content"]} if "extra_content" in delta else {}
    return message


def test_a_packed_request_is_read(stand: CaseStand) -> None:
    request = json.dumps(read("gateway", "gzip_request")["request"]).replace("@slug/", "@openai/").encode()
    tried = stand.ask("openai", gzip.compress(request), content_encoding="gzip")
    assert tried.status == 200
    assert tried.log["input_images"] == 1


@pytest.mark.parametrize("model", ["gemini-2.5-flash-image", "gemini-3-pro-image-preview"])
def test_one_picture_a_request_is_told_before_the_call(stand: CaseStand, model: str) -> None:
    tried = stand.try_case("images_n", model=f"@slug/{model}")
    assert (tried.status, tried.requests) == (400, [])
    assert tried.answer["error"]["param"] == "n"


def test_marks_for_the_cache_on_messages_results_and_calls_are_kept(stand: CaseStand) -> None:
    sent = stand.try_case("message_cache_control").sent
    mark = {"type": "ephemeral"}
    assert sent["system"][0]["cache_control"] == mark
    assert sent["messages"][1]["content"][0]["cache_control"] == mark
    assert sent["messages"][2]["content"][0]["cache_control"] == mark


@pytest.mark.parametrize("provider", ["google", "anthropic", "bedrock"])
def test_null_members_are_absent_members(stand: CaseStand, provider: str) -> None:
    request = read("gateway", "null_members_of_a_text_part")["request"]
    part = request["messages"][0]["content"][0]
    part |= dict.fromkeys(("source", "inlineData", "fileData", "cache_control", "annotations", "refusal", "file_id"))
    request |= {"tools": None, "tool_choice": None, "response_format": None, "stop": None, "parallel_tool_calls": None}
    request["messages"][0] |= {"name": None, "tool_calls": None, "audio": None, "function_call": None}
    assert stand.ask(provider, request).status == 200


@pytest.mark.parametrize("declared", ["application/octet-stream", "image/jpeg", "text/plain"])
def test_a_picture_declared_as_something_else_is_told_and_found(stand: CaseStand, declared: str) -> None:
    request = read("gateway", "octet_stream_declared")["request"]
    image = request["messages"][0]["content"][0]["image_url"]
    image["url"] = image["url"].replace("application/octet-stream", declared)
    tried = stand.ask("openai", request)
    assert f"declared as {declared}, but the bytes are image/png" in tried.warnings
    assert tried.log["ai_model"] == "gpt-4o"
    assert [one["id"] for one in stand.loupe.logs(f"q=mistyped:yes+trace:{tried.trace}")] == [tried.log["id"]]


@pytest.mark.parametrize(
    ("member", "value", "sent"),
    [
        ("mediaResolution", {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}, True),
        ("videoMetadata", {"fps": 5, "startOffset": "10s"}, True),
        ("video_metadata", {"fps": 5, "startOffset": "10s"}, True),
        ("somethingNew", {"a": 1}, False),
    ],
)
def test_a_member_of_a_part_is_sent_or_told_of(stand: CaseStand, member: str, value: Any, sent: bool) -> None:
    request = read("gateway", "video_metadata")["request"] | {"model": "@slug/gemini-3-flash-preview"}
    part = request["messages"][0]["content"][1]
    del part["videoMetadata"]
    part[member] = value
    tried = stand.ask("google", request)
    name = {"video_metadata": "videoMetadata"}.get(member, member)
    assert (tried.sent["contents"][0]["parts"][1].get(name) == value) is sent
    assert (f"messages[0].content[1].{member}" in tried.warnings) is not sent


def test_reasoning_goes_back_with_its_call(stand: CaseStand) -> None:
    request = read("gateway", "responses_reasoning_back")["request"] | {"model": "@slug/kimi-k2-thinking"}
    sent = stand.ask("moonshot", request, path="/v1/responses").sent
    assert sent["messages"][1]["reasoning_content"] == "I think."


def test_deepseek_answers_responses_itself(stand: CaseStand) -> None:
    request = read("gateway", "responses_reasoning_back")["request"]
    tried = stand.ask("deepseek", request, path="/v1/responses")
    assert tried.requests[0].path.endswith("/responses")
    assert tried.sent["input"] == request["input"]


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/chat/completions", "@slug/gpt-4o"),
        ("/v1/v1/chat/completions", "@slug/gpt-4o"),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", "@slug/gpt-4o"),
        ("/openai/deployments/@openai/gpt-4o/chat/completions?api-version=2024-10-21", None),
        ("/openai/v1/chat/completions", "@slug/gpt-4o"),
    ],
)
def test_paths_as_clients_send_them_work_or_say_the_cure(stand: CaseStand, path: str, model: str | None) -> None:
    body = {"messages": [{"role": "user", "content": "q"}]} | ({"model": model} if model else {})
    tried = stand.ask("openai", body, path=path)
    if path.startswith("/chat"):
        assert (tried.status, tried.headers["content-type"]) == (404, "application/json")
        assert "ends in /v1" in tried.answer["error"]["message"]
    else:
        assert (tried.status, tried.requests[0].path) == (200, "/v1/chat/completions")
        assert tried.sent["model"] == "gpt-4o"
