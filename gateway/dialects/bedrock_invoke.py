"""Bedrock's InvokeModel: one path for the formats of many makers, told apart by what stands in the body.

Source: docs.aws.amazon.com, Bedrock, inference parameters and responses for foundation models.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from gateway.content.json_text import items, number, obj, parsed_or_none, words
from gateway.content.openai_fields import Usage, error_of
from gateway.dialects.base import Answer, Dialect, Part, Question, Turn, settings_of
from gateway.dialects.native import ANTHROPIC, CONVERSE
from gateway.dialects.openai_chat import OpenAIChat

CHAT = OpenAIChat()
PROMPTS = ("prompt", "inputText", "message")
ANTHROPIC_EVENTS = ("message", "content_block", "ping", "error")
CONVERSE_EVENTS = frozenset(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
)


class BedrockInvoke:
    name = "invoke"
    title = "Invoke model"
    end_marks: tuple[bytes, ...] = ()

    def read_question(self, doc: Any) -> Question:
        doc = obj(doc)
        if items(doc.get("messages")):
            return _maker_of(doc).read_question(doc)
        text = next((words(doc.get(name)) for name in PROMPTS if words(doc.get(name))), "")
        turns = (Turn("user", (Part("text", text),)),) if text else ()
        return Question(turns, settings_of(doc, frozenset(PROMPTS)))

    def read_answer(self, doc: Any) -> Answer:
        doc = obj(doc)
        if doc.get("type") == "message":
            return ANTHROPIC.read_answer(doc)
        if obj(doc.get("output")).get("message"):
            return CONVERSE.read_answer(doc)
        return CHAT.read_answer(doc) if items(doc.get("choices")) else _plain(doc)

    def read_stream(self, events: Iterable[Any]) -> Answer:
        documents = [_opened(event) for event in events]
        kinds = [words(document.get("type")) for document in documents]
        if any(kind.startswith(ANTHROPIC_EVENTS) for kind in kinds):
            return ANTHROPIC.read_stream(documents)
        if any(CONVERSE_EVENTS & set(document) for document in documents):
            return CONVERSE.read_stream(
                {key: one for key, one in d.items() if key in CONVERSE_EVENTS} for d in documents
            )
        if any("choices" in document for document in documents):
            return CHAT.read_stream(documents)
        return _joined([_plain(document) for document in documents])


def _maker_of(doc: dict[str, Any]) -> Dialect:
    """Anthropic's blocks say their type; Amazon's own do not, and OpenAI's and Mistral's are chat."""
    first = obj(items(doc["messages"])[0])
    blocks = [obj(block) for block in items(first.get("content"))]
    if "anthropic_version" in doc:
        return ANTHROPIC
    return CONVERSE if blocks and not any("type" in block for block in blocks) else CHAT


def _opened(event: Any) -> dict[str, Any]:
    """The event in a frame: `{"chunk": {"bytes": base64}}`."""
    chunk = obj(obj(event).get("chunk"))
    try:
        return obj(parsed_or_none(base64.b64decode(words(chunk.get("bytes"))))) if chunk else obj(event)
    except binascii.Error:
        return {}


def _plain(doc: dict[str, Any]) -> Answer:
    """Titan's, Llama's, Mistral's and Cohere's answers in words."""
    results = [
        obj(one) for one in (*items(doc.get("results")), *items(doc.get("outputs")), *items(doc.get("generations")))
    ]
    texts = [words(one.get("outputText")) or words(one.get("text")) for one in results]
    text = "".join(texts) or words(doc.get("generation")) or words(doc.get("outputText")) or words(doc.get("text"))
    first = results[0] if results else {}
    finish = words(doc.get("stop_reason")) or words(doc.get("completionReason"))
    counts = obj(doc.get("amazon-bedrock-invocationMetrics"))
    asked = number(doc.get("prompt_token_count", doc.get("inputTextTokenCount", counts.get("inputTokenCount"))))
    told = number(doc.get("generation_token_count", first.get("tokenCount", counts.get("outputTokenCount"))))
    return Answer(
        turns=(Turn("assistant", (Part("text", text),)),) if text else (),
        finish_reason=finish or words(first.get("completionReason")) or words(first.get("stop_reason")),
        usage=Usage(prompt=asked, completion=told),
        error=error_of(doc),
    )


def _joined(answers: list[Answer]) -> Answer:
    text = "".join(part.text for answer in answers for turn in answer.turns for part in turn.parts)
    counted = [
        answer.usage for answer in answers if answer.usage.prompt is not None or answer.usage.completion is not None
    ]
    usage = Usage(
        prompt=max((one.prompt for one in counted if one.prompt is not None), default=None),
        completion=max((one.completion for one in counted if one.completion is not None), default=None),
    )
    finish = next((answer.finish_reason for answer in reversed(answers) if answer.finish_reason), "")
    error = next((answer.error for answer in answers if answer.error), "")
    turns = (Turn("assistant", (Part("text", text),)),) if text else ()
    return Answer(turns, "", finish, usage, error, complete=bool(finish or error))
