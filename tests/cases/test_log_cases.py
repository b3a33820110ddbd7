"""What public bug reports of log browsers found, each with the right value; `logs/*.json` are their inputs."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from gateway.content.json_written import broken_into_lines
from gateway.dialects import for_endpoint
from gateway.dialects.base import Part, all_text
from gateway.index.cut_words import indexed, words_of
from gateway.index.search_language import parse
from logsui.words.markdown import rendered
from tests.cases.stand import CaseStand, Tried, read, stand
from tests.fake_upstream import response

__all__ = ["stand"]

CHAT = for_endpoint("/chat/completions")
assert CHAT is not None


def count(stand: CaseStand, tried: Tried, query: str) -> int:
    return len(stand.loupe.logs(f"q={quote(f'{query} trace:{tried.trace}')}"))


def answered(stand: CaseStand, **message: Any) -> Tried:
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]
    answer = {"id": "chatcmpl-77aa", "object": "chat.completion", "model": "gpt-4o", "choices": choices}
    tried = stand.ask("openai", {"model": "@slug/gpt-4o", "messages": [{"role": "user", "content": "q"}]}, answer)
    assert tried.log["state"] == "ok"
    return tried


def test_every_item_of_a_response_is_shown_in_its_order() -> None:
    dialect = for_endpoint("/responses")
    assert dialect is not None
    output = read("logs", "answer_parts_dropped")["responses_output"]
    turns = dialect.read_answer({"output": output, "status": "completed"}).turns
    assert len(turns) == len(output)
    words = all_text(turns)
    for wanted in (
        "run_sql SELECT customtoolinput", "mcptoolname", "mcparg", "mcpoutput", "websearchquery", "codeinterp",
        "filesearchquery", "computer_call", "click", "22", "nullcontent",
    ):  # fmt: skip
        assert wanted in words
    assert [part.text for part in turns[-1].parts if part.kind == "reasoning"] == ["nullcontent"]


@pytest.mark.parametrize("streamed", [False, True])
def test_an_anthropic_answer_keeps_its_order(streamed: bool) -> None:
    dialect = for_endpoint("/messages")
    assert dialect is not None
    content = read("logs", "answer_parts_dropped")["anthropic_content"]
    message = {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": {}}
    if streamed:
        events: list[Any] = [{"type": "message_start", "message": {**message, "content": []}}]
        for at, block in enumerate(content):
            events += [
                {"type": "content_block_start", "index": at, "content_block": block},
                {"type": "content_block_stop", "index": at},
            ]
        parts = dialect.read_stream([*events, {"type": "message_stop"}]).turns[0].parts
    else:
        parts = dialect.read_answer(message).turns[0].parts
    assert [part.kind for part in parts] == ["reasoning", "text", "json", "json", "reasoning", "text"]
    assert [part.text for part in parts if part.kind == "text"] == ["First I search.", "Then I answer."]
    assert "antwebquery" in parts[2].text
    assert "https://example.com/found" in parts[3].text


@pytest.mark.parametrize("spelling", list(read("logs", "dotnet_u002b")["request"]["raw_bodies"]))
def test_a_picture_is_whole_however_json_spells_it(stand: CaseStand, spelling: str) -> None:
    body = read("logs", "dotnet_u002b")["request"]["raw_bodies"][spelling]
    whole = base64.b64decode(json.loads(body)["messages"][0]["content"][1]["image_url"]["url"].partition(",")[2])
    tried = stand.ask("openai", body.replace("@up", "@openai").encode())
    (image,) = tried.log["images"]
    assert (image["bytes"], image["media_type"], image["snapshot"]) == (len(whole), "image/png", "kept")
    assert "picture" not in tried.warnings
    url = tried.log["request"]["body"]["messages"][0]["content"][1]["image_url"]["url"]
    assert url == f"data:image/png;base64,sha256:{image['sha256']}"


def test_json_is_shown_as_it_was_written() -> None:
    answer = read("logs", "json_answer_numbers")["answer"]
    shown = broken_into_lines(answer)
    for token in ("3.50", "15.50", "0.0700", "12345678901234567890", "1E-7", "1e400", '"a": 1,', '"a": 2'):
        assert token in shown
    assert "".join(shown.split()) == "".join(answer.split())


def test_markdown_keeps_lines_and_draws_formulas() -> None:
    lines, formulas, table, dollars = (rendered(text) for text in read("logs", "markdown_lines_and_math")["answers"])
    assert lines.count("<br>") == 2
    assert formulas.count("<math ") == 2
    assert "<msub><mi>a</mi><mn>1</mn></msub>" in formulas
    assert 'class="align-right"' in table
    assert "style=" not in table
    assert "costs $5.00 to $10.00" in dollars


@pytest.mark.parametrize("where", ["tool text", "markdown", "data url"])
def test_a_picture_in_a_text_is_told_from_one_that_the_model_saw(stand: CaseStand, where: str) -> None:
    request = read("logs", "picture_in_a_text")["request"] | {"model": "@slug/gpt-4o"}
    data = json.loads(request["messages"][2]["content"])[1]["data"]
    if where != "tool text":
        text = (
            f"look ![](data:image/png;base64,{data}) nice" if where == "markdown" else f"data:image/png;base64,{data}"
        )
        request["messages"] = [{"role": "user", "content": text}]
    tried = stand.ask("openai", request)
    assert "characters of base64, not a picture" in tried.warnings
    assert {image["source"] for image in tried.log["images"]} == {"text"}
    assert tried.log["image_tokens_estimate"] is None
    assert count(stand, tried, "source:text") == 1


METADATA: list[tuple[dict[str, Any], str, int]] = [
    ({"user": {"id": "u42"}}, "metadata.user.id:u42", 1),
    ({"n": 12}, "metadata.n:>10", 1),
    ({"n": 12}, "metadata.n:>12", 0),
    ({"n": "9.5"}, "metadata.n:9..10", 1),
    ({"url": "https://cdn.example.org/" + "a" * 150 + "/end.jpg"}, "metadata.url:*end.jpg", 1),
    (
        {"url": "https://cdn.example.org/" + "a" * 150 + "/end.jpg"},
        'metadata.url:"https://cdn.example.org/' + "a" * 150 + '/end.jpg"',
        1,
    ),
    ({"empty": ""}, 'metadata.empty:""', 1),
    ({"stadt": "Köln"}, "metadata.stadt:Köln", 1),
]


@pytest.mark.parametrize(("metadata", "query", "found"), METADATA)
def test_metadata_is_found_by_what_it_holds(stand: CaseStand, metadata: dict[str, Any], query: str, found: int) -> None:
    sent = json.dumps(metadata, ensure_ascii=False).encode().decode("latin-1")
    body = {"model": "@slug/gpt-4o", "messages": [{"role": "user", "content": "q"}]}
    tried = stand.ask("openai", body, x_portkey_metadata=sent)
    assert tried.log["state"] == "ok"
    assert count(stand, tried, query) == found


def test_the_bodys_own_metadata_is_taken(stand: CaseStand) -> None:
    body = {"model": "@slug/gpt-4o", "messages": [{"role": "user", "content": "q"}], "metadata": {"order": "77"}}
    tried = stand.ask("openai", body)
    assert tried.log["metadata"]["order"] == "77"
    assert count(stand, tried, "metadata.order:77") == 1


@pytest.mark.parametrize("query", read("logs", "search_colon")["queries"])
def test_what_only_looks_like_a_filter_is_looked_for_as_text(stand: CaseStand, query: str) -> None:
    if query.startswith("-"):
        assert "A leading - means without" in parse(query).hints[0]
        return
    tried = answered(stand, content=f"it says {query} here")
    assert count(stand, tried, query) == 1


def test_a_word_that_is_nearly_a_filter_is_hinted_at() -> None:
    assert parse("modle:gpt-4o").hints == ("There is no filter modle:, so it was looked for as text. Is model: meant?",)
    assert parse("https://example.org").hints == ()


@pytest.mark.parametrize(("text", "query", "found"), read("logs", "search_folding")["texts_queries_expected"])
def test_letters_fold_by_their_script(text: str, query: str, found: int | str) -> None:
    kept, asked = indexed(text)[0], words_of(query)
    in_a_row = any(kept[at : at + len(asked)] == asked for at in range(len(kept)))
    assert in_a_row == bool(found)


@pytest.mark.parametrize(
    "query", ["id:{log}", "{log}", "{log:.13}", "chatcmpl-77aa", "id:chatcmpl-77aa", "{trace:.20}", "span:sp-4711"]
)
def test_an_id_finds_its_log_whole_or_by_its_beginning(stand: CaseStand, query: str) -> None:
    answer = {"id": "chatcmpl-77aa", "model": "gpt-4o", "choices": []}
    body = {"model": "@slug/gpt-4o", "messages": [{"role": "user", "content": "q"}]}
    tried = stand.ask("openai", body, answer, x_portkey_span_id="sp-4711")
    named = query.format(log=tried.log["id"], trace=tried.trace)
    assert count(stand, tried, named) == 1


@pytest.mark.parametrize(
    ("query", "found"), [("since:1h", 1), ("until:1h", 0), ("since:2020-01-01 until:2020-01-02", 0)]
)
def test_a_search_says_its_times(stand: CaseStand, query: str, found: int) -> None:
    assert count(stand, answered(stand, content="ok"), query) == found


def test_the_last_words_of_a_long_request_and_of_a_long_answer_are_found(stand: CaseStand) -> None:
    rules = " ".join(f"Rule{i} keep the receipt fields exact and short." for i in range(800))
    messages = [{"role": "system", "content": rules}, {"role": "user", "content": "Where is the wombatquestion?"}]
    long_answer = " ".join(f"word{i}" for i in range(5200)) + " quokkatotal"
    answer = {"id": "c", "model": "gpt-4o", "choices": [{"message": {"content": long_answer}}]}
    tried = stand.ask("openai", {"model": "@slug/gpt-4o", "messages": messages}, answer)
    assert tried.log["state"] == "ok"
    for word in ("wombatquestion", "quokkatotal", "rule799"):
        assert count(stand, tried, word) == 1
    chinese = "这是一段系统提示请按照规则提取发票字段" * 270 + "请找出袋鼠问题"
    tried = stand.ask("openai", {"model": "@slug/gpt-4o", "messages": [{"role": "user", "content": chinese}]})
    assert tried.log["state"] == "ok"
    for word in ("袋鼠", "找出袋鼠问题"):
        assert count(stand, tried, word) == 1


@pytest.mark.parametrize("name", list(read("logs", "stream_reasoning")["streams"]))
def test_a_streams_reasoning_and_calls_are_shown_and_found(stand: CaseStand, name: str) -> None:
    body = read("logs", "stream_reasoning")["streams"][name].encode()
    question = {"model": "@slug/m", "stream": True, "messages": [{"role": "user", "content": "q"}]}
    tried = stand.ask("openai", question, response(200, body, {"content-type": "text/event-stream"}))
    preview = {"function_call": 'legacyfn {"a": 1}', "audio": "lynxword goes on", "reasoning": "The answer is 5."}
    assert tried.log["answer_preview"] == preview.get(name, "The answer is 4.")
    word = {"function_call": "legacyfn", "audio": "lynxword", "reasoning": "okapithought"}.get(name, "zebrathought")
    assert count(stand, tried, word) == 1


@pytest.mark.parametrize("message", read("logs", "stream_reasoning")["plain_messages"])
def test_a_messages_reasoning_calls_and_sounds_are_shown(message: dict[str, Any]) -> None:
    assert CHAT is not None
    (turn,) = CHAT.read_answer({"choices": [{"message": message}]}).turns
    kinds = {part.kind: part.text for part in turn.parts}
    if "reasoning" in message:
        assert list(kinds) == ["reasoning", "text"]
    elif "function_call" in message:
        assert turn.parts == (Part("tool", 'legacyfn2 {"a": 2}'),)
    else:
        assert kinds["text"] == "tapirword"


def test_a_streamed_list_of_parts_is_one_answer() -> None:
    assert CHAT is not None
    pieces: list[Any] = [
        [{"type": "thinking", "thinking": [{"type": "text", "text": "I "}]}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "think"}]}],
        [{"type": "text", "text": "The "}],
        "answer",
        [{"type": "reference", "reference_ids": [1]}],
    ]
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    (turn,) = CHAT.read_stream(events).turns
    assert [(part.kind, part.text) for part in turn.parts[:2]] == [("reasoning", "I think"), ("text", "The answer")]
    assert turn.parts[2].kind == "json"
