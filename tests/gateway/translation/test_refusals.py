"""A part that cannot be read or taken is refused by name, with a cure; never left out in silence."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.translation import anthropic, chat_request, converse, images, responses_request
from gateway.translation.media import from_bytes, read_media
from gateway.translation.neutral import Media
from gateway.translation.translator import READ, WRITE
from tests.pictures import data_url, picture

PART = "messages[0].content[1]"
PNG = base64.b64encode(picture()).decode()
NOISE = base64.b64encode(b"neither an image nor a file of any known kind").decode()
ALL = ["anthropic", "gemini", "converse", "chat"]


def url(text: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": text}}


UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "no address": (url(""), "invalid_image_url"),
    "no text": (url(7), "invalid_image_url"),
    "a path": (url("/home/me/cat.png"), "invalid_image_url"),
    "a file": (url("file:///etc/passwd"), "invalid_image_url"),
    "words": ({"type": "input_image", "image_url": "a cat on a mat"}, "invalid_image_url"),
    "an empty data URL": (url("data:image/png;base64,"), "empty_image"),
    "an empty data URL without base64": (url("data:image/png,"), "empty_image"),
    "no base64": (url("data:image/png;base64,@@@@@@@@"), "invalid_base64"),
    "no ASCII": (url("data:image/png;base64,éééé"), "invalid_base64"),
    "a letter too many": (url("data:image/png;base64,QUJDR"), "invalid_base64"),
    "unknown bytes": (url(f"data:;base64,{NOISE}"), "unknown_media_type"),
    "unknown bare bytes": (url(NOISE), "unknown_media_type"),
    "Anthropic, empty": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}},
        "empty_image",
    ),
    "Anthropic, no base64": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!!"}},
        "invalid_base64",
    ),
    "Anthropic, no link": ({"type": "image", "source": {"type": "url", "url": "cat"}}, "invalid_image_url"),
    "Anthropic, nothing": ({"type": "image", "source": {}}, "empty_image"),
    "Gemini, empty": ({"inlineData": {"mimeType": "image/png", "data": ""}}, "empty_image"),
    "Gemini, no link": ({"fileData": {"mimeType": "image/png"}}, "empty_image"),
    "data, empty": ({"type": "image", "data": ""}, "empty_image"),
    "a file without data": ({"type": "file", "file": {"filename": "a.pdf"}}, "invalid_image_url"),
    "a sound without data": ({"type": "input_audio", "input_audio": {"format": "wav"}}, "empty_image"),
    "a film without link": ({"type": "video_url", "video_url": {}}, "invalid_image_url"),
}


def asked(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": [{"type": "text", "text": "Look:"}, *parts]}]}


def refusal(body: dict[str, Any], wire: str, model: str = "gemini-2.5-pro") -> BadRequest:
    with pytest.raises(BadRequest) as refused:
        WRITE[wire](chat_request.read(body, model))
    return refused.value


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_picture_that_cannot_be_read_is_refused_by_name_with_a_cure(case: str) -> None:
    part, code = UNREADABLE[case]
    error = refusal(asked(part), "chat")
    assert error.error_code == code
    assert (error.param, error.message.startswith(f"{PART}: ")) == (PART, True)
    assert error.message.partition(". ")[2], "no cure"
    assert len(error.message) < 300


@pytest.mark.parametrize("part", [{"type": "image_url"}, {"type": "image"}, {"type": "mystery", "x": 1}, {}, 7, None])
def test_a_part_that_nobody_knows_is_refused_by_name(part: Any) -> None:
    error = refusal(asked(part), "chat")
    assert (error.param, error.error_code) == (PART, "unsupported_part")
    assert "Known are text, image_url" in error.message


def test_bytes_that_a_link_led_to_are_read_as_a_picture_is() -> None:
    link = Media("image", PART, url="https://example.com/a.gif", detail="low")
    found = from_bytes(picture("WEBP"), link)
    assert (found.media_type, found.detail, found.url) == ("image/webp", "low", "")
    for nothing in (b"", b"<html>Sign in</html>"):
        with pytest.raises(BadRequest) as refused:
            from_bytes(nothing, Media("image", PART, url="https://example.com/a"))
        assert refused.value.param == PART


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60)
FORMATS: dict[str, tuple[bytes, set[str]]] = {
    "image/gif": (picture("GIF"), {"gemini"}),
    "image/bmp": (picture("BMP"), {"anthropic", "gemini", "converse"}),
    "image/tiff": (picture("TIFF"), {"anthropic", "gemini", "converse"}),
    "image/avif": (picture("AVIF"), {"anthropic", "gemini", "converse"}),
    "image/heic": (HEIC, {"anthropic", "converse"}),
    "image/svg+xml": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"anthropic", "gemini", "converse"}),
}


@pytest.mark.parametrize("wire", ALL)
@pytest.mark.parametrize("media_type", FORMATS)
def test_a_format_that_a_provider_does_not_take_is_refused_by_its_bytes(media_type: str, wire: str) -> None:
    data, refusing = FORMATS[media_type]
    body = asked(url(data_url(data, "image/png")))
    if wire not in refusing:
        assert WRITE[wire](chat_request.read(body, "gemini-2.5-pro")).body
        return
    error = refusal(body, wire)
    assert (error.param, error.error_code) == (PART, "unsupported_image_format")
    assert media_type in error.message
    assert "Convert" in error.message


@pytest.mark.parametrize("wire", ["anthropic", "converse"])
def test_an_assistants_picture_is_refused_by_name_where_none_is_taken(wire: str) -> None:
    error = refusal(asked(url(data_url(picture())), role="assistant"), wire)
    assert error.param == PART
    assert "Move it to a user message" in error.message
    image = {"type": "image_url", "image_url": {"url": data_url(picture())}}
    told = {"role": "assistant", "content": "Here.", "images": [image]}
    assert refusal({"messages": [told]}, wire).param == "messages[0].images[0]"


@pytest.mark.parametrize("wire", ["anthropic", "gemini", "converse"])
@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_picture_among_the_systems_words_is_refused_by_name(wire: str, role: str) -> None:
    error = refusal(asked(url(data_url(picture())), role=role), wire)
    assert error.param == PART
    assert "Move the picture" in error.message


@pytest.mark.parametrize(
    ("wire", "link"),
    [("anthropic", "gs://b/a.png"), ("anthropic", "S3://b/a.png"), ("gemini", "s3://b/a.png"), ("converse", "gs://b/a.png"),
     ("converse", "https://example.com/a.png"), ("gemini", "https://example.com/picture")],
)  # fmt: skip
def test_a_link_that_a_provider_does_not_open_is_refused_by_name(wire: str, link: str) -> None:
    error = refusal(asked(url(link)), wire)
    assert error.param == PART
    assert error.message.partition(". ")[2]


def test_links_that_a_provider_opens_go_as_links() -> None:
    def sent(wire: str, link: str) -> Any:
        return WRITE[wire](chat_request.read(asked(url(link)), "gemini-2.5-pro")).body

    source = sent("anthropic", "https://example.com/a")["messages"][0]["content"][1]["source"]
    assert source == {"type": "url", "url": "https://example.com/a"}
    file = sent("gemini", "gs://bucket/a.webp")["contents"][0]["parts"][1]["fileData"]
    assert file == {"fileUri": "gs://bucket/a.webp", "mimeType": "image/webp"}
    block = sent("converse", "s3://bucket/a.png")["messages"][0]["content"][1]["image"]
    assert block == {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}


def test_pictures_of_tools_stand_where_each_model_takes_them() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    result = {
        "role": "tool",
        "tool_call_id": "c1",
        "content": [{"type": "text", "text": "seen"}, url(data_url(picture()))],
    }
    body = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [call]}, result]}
    old = WRITE["gemini"](chat_request.read(body, "gemini-2.5-pro")).body["contents"][-1]["parts"]
    assert [list(part) for part in old] == [["functionResponse"], ["inlineData"]]
    new = WRITE["gemini"](chat_request.read(body, "gemini-3-pro")).body["contents"][-1]["parts"]
    assert [list(part) for part in new] == [["functionResponse"]]
    assert new[0]["functionResponse"]["parts"][0]["inlineData"]["data"] == PNG
    pixtral = WRITE["converse"](chat_request.read(body, "mistral.pixtral-large")).body["messages"]
    assert [turn["role"] for turn in pixtral] == ["user", "assistant", "user", "assistant", "user"]
    assert pixtral[-1]["content"][0]["image"]["source"]["bytes"] == PNG


def test_a_tool_that_says_nothing_sends_anthropic_no_empty_text() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
    result = {"role": "tool", "tool_call_id": "c1", "content": ""}
    body = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [call]}, result]}
    block = WRITE["anthropic"](chat_request.read(body, "claude")).body["messages"][-1]["content"][0]
    assert not block.get("content")


def test_a_text_file_goes_to_anthropic_as_text() -> None:
    text = base64.b64encode("Grüße".encode()).decode()
    part = {"type": "file", "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{text}"}}
    block = WRITE["anthropic"](chat_request.read(asked(part), "claude")).body["messages"][0]["content"][1]
    assert block["source"] == {"type": "text", "media_type": "text/plain", "data": "Grüße"}
    assert block["title"] == "a.txt"


def test_parallel_calls_of_a_response_are_one_message_of_chat() -> None:
    image = {"type": "input_image", "image_url": data_url(picture())}
    calls = [{"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"} for id in ("a", "b")]
    outputs = [{"type": "function_call_output", "call_id": id, "output": [image]} for id in ("a", "b")]
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    doc = {"input": [{"role": "user", "content": "?"}, thought, *calls, *outputs]}
    messages = WRITE["chat"](responses_request.read(doc, "mistral-large")).body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user"]
    assert [call["id"] for call in messages[1]["tool_calls"]] == ["a", "b"]
    assert len(messages[-1]["content"]) == 2


junk = st.recursive(
    st.none() | st.integers() | st.sampled_from(["image", "image_url", "data:image/png;base64,AAAA", "https://x", "é", PNG]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "image_url", "url", "source", "data", "inlineData", "fileData", "file", "file_id", "text",
                             "input_audio", "video_url", "media_type", "mimeType", "detail", "file_data", "fileUri"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    part=st.dictionaries(
        st.sampled_from(["type", "image_url", "source", "inlineData", "fileData", "file", "data"]), junk
    )
)
def test_any_part_is_read_or_refused_by_name(part: dict[str, Any]) -> None:
    try:
        media = read_media(part, PART)
    except BadRequest as refused:
        media, named = None, refused.param
    else:
        named = PART
    assert named == PART
    assert media is None or [bool(media.base64), bool(media.url), bool(media.file_id)].count(True) == 1


def test_two_documents_of_one_name_are_told_apart_for_bedrock() -> None:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjc="}}
    request = chat_request.read({"messages": [{"role": "user", "content": [file, file]}]}, "m")
    blocks = converse.write(request).body["messages"][0]["content"]
    assert [block["document"]["name"] for block in blocks if "document" in block] == ["a", "a (2)"]


def test_openais_tags_are_no_metadata_of_anthropics() -> None:
    asked = {"messages": [{"role": "user", "content": "hi"}], "metadata": {"team": "eyes"}, "user": "ada"}
    written = anthropic.write(chat_request.read(asked, "m"))
    assert written.body["metadata"] == {"user_id": "ada"}
    assert any(line.startswith("metadata: ") for line in written.warnings)


@pytest.mark.parametrize(
    ("wire", "warns"), [("anthropic", True), ("converse", True), ("gemini", False), ("chat", False)]
)
def test_a_detail_that_the_provider_does_not_know_is_not_left_out_in_silence(wire: str, warns: bool) -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(picture()), "detail": "low"}}
    written = WRITE[wire](chat_request.read({"messages": [{"role": "user", "content": [part]}]}, "gemini-3-pro"))
    assert any(line.startswith("detail: ") for line in written.warnings) == warns


@pytest.mark.parametrize("wire", ["anthropic", "gemini", "converse"])
@pytest.mark.parametrize(
    "settings",
    [
        {"messages.x": 1, "contents.x": 1, "system.x": 1},
        {"generation_config": "x", "temperature": 1, "output_config": "x", "reasoning_effort": "low"},
        {"additionalModelRequestFields": "x", "top_k": 1, "outputConfig": "x", "generationConfig": 3, "metadata": "x"},
        {"output_config": ["x"], "generation_config": [1]},
    ],
    ids=["dots", "words", "more words", "lists"],
)
def test_settings_of_an_odd_shape_are_sent_or_refused_by_name(wire: str, settings: dict[str, Any]) -> None:
    asked = {"messages": [{"role": "user", "content": "hi"}], "user": "ada", **settings}
    with contextlib.suppress(BadRequest):
        body = WRITE[wire](chat_request.read(asked, "m")).body
        assert "messages" in body or "contents" in body


@pytest.mark.parametrize("wire", ["anthropic", "gemini", "converse"])
@pytest.mark.parametrize("arguments", ['{"a":' * 100_000 + "1" + "}" * 100_000, '{"a": NaN}'], ids=["deep", "NaN"])
def test_arguments_that_are_no_json_of_ours_are_refused_by_name(wire: str, arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": arguments}}
    asked = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [call]}]}
    assert refusal(asked, wire).error_code == "invalid_tool_arguments"


def test_a_tools_words_that_are_nearly_json_reach_gemini_as_words() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = '{"width": NaN}'
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": said},
    ]
    body = WRITE["gemini"](chat_request.read({"messages": messages}, "gemini-2.5-pro")).body
    assert body["contents"][-1]["parts"][0]["functionResponse"]["response"] == {"result": said}


def test_a_picture_to_edit_that_is_no_text_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"image\[0\]"):
        READ["/images/edits"]({"prompt": "a cat", "image": [1]}, "m")


@pytest.mark.parametrize(("wire", "model"), [("anthropic", "claude"), ("converse", "anthropic.claude")])
def test_reasoning_without_its_signature_is_not_given_back_to_claude(wire: str, model: str) -> None:
    """Responses gives reasoning back as a summary, which nobody signed: Anthropic answers 400 to it."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hmm"}]}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Red."}]}
    asked = {"input": [{"role": "user", "content": "hi"}, thought, said, {"role": "user", "content": "why?"}]}
    written = WRITE[wire](responses_request.read(asked, model))
    assert [len(turn["content"]) for turn in written.body["messages"]] == [1, 1, 1]
    assert any(line.startswith("reasoning: ") for line in written.warnings)


def test_signed_reasoning_goes_back_to_anthropic_as_it_came() -> None:
    details = [{"type": "reasoning.text", "text": "hmm", "signature": "sig"}]
    said = {"role": "assistant", "content": "Red.", "reasoning_details": details}
    written = anthropic.write(chat_request.read({"messages": [{"role": "user", "content": "hi"}, said]}, "claude"))
    first = written.body["messages"][1]["content"][0]
    assert first == {"type": "thinking", "thinking": "hmm", "signature": "sig"}
    assert not any(line.startswith("reasoning: ") for line in written.warnings)


@pytest.mark.parametrize("wire", ["anthropic", "gemini", "converse"])
def test_what_only_openais_servers_know_is_left_out_with_a_warning(wire: str) -> None:
    asked = {"messages": [{"role": "user", "content": "hi"}], "prompt_cache_key": "k", "safety_identifier": "s"}
    written = WRITE[wire](chat_request.read(asked, "m"))
    assert not any(name in str(written.body) for name in ("prompt_cache_key", "safety_identifier"))
    assert len([line for line in written.warnings if line.startswith(("prompt_cache", "safety"))]) == 2


@pytest.mark.parametrize("wire", ALL)
def test_an_assistants_earlier_refusal_is_sent(wire: str) -> None:
    refused = {"role": "assistant", "content": None, "refusal": "I will not."}
    asked = {"messages": [{"role": "user", "content": "hi"}, refused, {"role": "user", "content": "please"}]}
    assert "I will not." in str(WRITE[wire](chat_request.read(asked, "m")).body)


def test_documents_of_a_tool_are_told_apart_for_bedrock_and_may_be_of_offices() -> None:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    file = {"type": "file", "file": {"filename": "a.docx", "file_data": f"data:{kind};base64,UEsDBBQABgAIAAAAIQ=="}}
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": [file]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": [file, file]},
    ]
    turns = converse.write(chat_request.read({"messages": messages}, "m")).body["messages"]
    blocks = [turns[0]["content"][0], *turns[2]["content"][0]["toolResult"]["content"]]
    assert [block["document"]["format"] for block in blocks] == ["docx"] * 3
    assert len({block["document"]["name"] for block in blocks}) == 3


@pytest.mark.parametrize("wire", ["anthropic", "gemini", "converse"])
def test_no_setting_takes_the_place_of_the_messages_and_no_empty_turn_is_sent(wire: str) -> None:
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None}]}
    body = WRITE[wire](chat_request.read(asked, "m")).body
    assert len(body.get("messages", body.get("contents"))) == 1
    with pytest.raises(BadRequest, match="written from messages"):
        WRITE[wire](chat_request.read(asked | {"contents": []}, "m"))


def test_anthropic_takes_no_word_document() -> None:
    file = {"type": "file", "file": {"filename": "a.docx", "file_data": "data:application/msword;base64,0M8R4KGxGuE="}}
    with pytest.raises(BadRequest, match=r"messages\[0\].content\[0\]: the document is application/msword"):
        anthropic.write(chat_request.read({"messages": [{"role": "user", "content": [file]}]}, "m"))


def test_what_has_no_neutral_form_is_told_of() -> None:
    chat = chat_request.read(
        {"messages": [{"role": "user", "name": "ada", "content": "hi"}, {"role": "assistant", "audio": {"id": "a"}}]},
        "m",
    )
    assert [line.partition(":")[0] for line in chat.warnings] == ["messages[0].name", "messages[1].audio"]
    asked = {
        "input": "hi",
        "include": ["x"],
        "truncation": "auto",
        "max_tool_calls": 2,
        "reasoning": {"summary": "auto"},
    }
    told = [line.partition(":")[0] for line in responses_request.read(asked, "m").warnings]
    assert told == ["include", "max_tool_calls", "truncation", "reasoning.summary"]


@pytest.mark.parametrize(("wire", "warns"), [("anthropic", False), ("gemini", True), ("converse", True)])
def test_a_mark_to_cache_goes_to_anthropic_and_is_told_of_elsewhere(wire: str, warns: bool) -> None:
    part = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    written = WRITE[wire](chat_request.read({"messages": [{"role": "user", "content": [part]}]}, "m"))
    assert any(line.startswith("cache_control: ") for line in written.warnings) == warns
    assert ("cache_control" in str(written.body)) is not warns


@pytest.mark.parametrize("count", [1e400, [], {}, "two"])
def test_a_count_of_pictures_that_is_no_number_is_refused_by_name(count: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        images.read({"prompt": "a dog", "n": count}, "m")
    assert refused.value.param == "n"
