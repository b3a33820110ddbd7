"""How bodies are read, by endpoint. Readers look at bytes that were already sent on; they never change them.

From outside: what is asked by endpoint, here, and the shapes of what is read, in `base`. May import translation and content.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.content import framing
from gateway.content.framing import AwsEventStream, BadStream
from gateway.content.json_text import parsed_or_none
from gateway.content.json_written import parsed_as_written
from gateway.dialects.base import Answer, Dialect
from gateway.dialects.bedrock_invoke import BedrockInvoke
from gateway.dialects.native import ANTHROPIC, CONVERSE, GEMINI, IMAGEN, anthropic_failure, gemini_failure
from gateway.dialects.openai_chat import OpenAIChat, OpenAICompletions, OpenAIEmbeddings
from gateway.dialects.openai_images import OpenAIImages
from gateway.dialects.openai_responses import OpenAIResponses

FED_BYTES = 64 * 1024
CHAT = OpenAIChat()
INVOKE = BedrockInvoke()
OPENAI: dict[str, Dialect] = {
    "/chat/completions": CHAT,
    "/completions": OpenAICompletions(),
    "/responses": OpenAIResponses(),
    "/embeddings": OpenAIEmbeddings(),
    "/images/generations": OpenAIImages(),
    "/images/edits": OpenAIImages(),
    "/images/variations": OpenAIImages(),
}
NATIVE: dict[str, Dialect] = {
    "/messages": ANTHROPIC,
    "/generateContent": GEMINI,
    "/streamGenerateContent": GEMINI,
    "/converse": CONVERSE,
    "/converse-stream": CONVERSE,
    "/invoke": INVOKE,
    "/invoke-with-response-stream": INVOKE,
    "/rawPredict": ANTHROPIC,
    "/streamRawPredict": ANTHROPIC,
}
WIRES: dict[str, Dialect] = {
    "chat": CHAT,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
    "converse": CONVERSE,
    "imagen": IMAGEN,
}
# Google's and Amazon's own paths name the model: /models/<model>:<method>, /model/<model>/<method>. The method is looked
# for first, or a path of many /models/ would take seconds to be found to be none of these.
METHODS = "|".join(endpoint[1:] for endpoint in NATIVE if endpoint != "/messages")
MODEL_PATH = re.compile(
    rf"(?=.*[:/](?:{METHODS})\Z)(?P<head>(?:/[^:]*)?/models/|/model/)(?P<model>.+)(?P<tail>[:/](?P<method>{METHODS}))"
)


def for_endpoint(endpoint: str) -> Dialect | None:
    """The dialect of a path below /v1; None for a path that is only passed through and recorded."""
    return OPENAI.get(endpoint) or NATIVE.get(short(endpoint))


def short(endpoint: str) -> str:
    """The path without the model that some providers have in it: `/generateContent`, `/converse`."""
    match = MODEL_PATH.fullmatch(endpoint)
    return f"/{match['method']}" if match and f"/{match['method']}" in NATIVE else endpoint


def answering(endpoint: str, wire: str) -> Dialect | None:
    """Who reads the provider's answer: that of its own format when the call was translated."""
    return WIRES.get(wire) or for_endpoint(endpoint)


def failure_event(endpoint: str, body: bytes, message: str, status: int) -> bytes:
    """The event that ends a stream which cannot go on, as the endpoint's own SDK reads it; `body` is OpenAI's form."""
    dialect = for_endpoint(endpoint)
    if dialect is ANTHROPIC:
        return anthropic_failure(message, status)
    return gemini_failure(message, status) if dialect is GEMINI else b"data: " + body


def is_stream(content_type: str) -> bool:
    return content_type.startswith("text/event-stream") or is_framed(content_type)


def is_framed(content_type: str) -> bool:
    """Amazon's binary frames. They count their bytes, so nothing may be cut out of them before they are read."""
    return content_type.startswith("application/vnd.amazon.eventstream")


def read_response(dialect: Dialect, body: bytes, content_type: str, status: int = 200) -> tuple[Answer, int]:
    """A whole response body, and how many events of it could not be read. Google's errors are JSON, said to be a stream."""
    if status >= 400 and isinstance(document := parsed_or_none(body), dict | list):
        return dialect.read_answer(document), 0
    if is_framed(content_type):
        return _read_frames(dialect, body)
    if content_type.startswith("text/event-stream"):
        documents, bad = framing.documents(body)
        return dialect.read_stream(documents), bad
    return dialect.read_answer(parsed_as_written(body)), 0


def documents_of(body: bytes, content_type: str) -> tuple[list[Any], bool]:
    """The JSON of a whole answer, or of every event of a stream that can be read; and whether it is a stream."""
    if is_framed(content_type):
        return _frames(body)[0], True
    if content_type.startswith("text/event-stream"):
        return framing.documents(body)[0], True
    return [parsed_or_none(body)], False


def _read_frames(dialect: Dialect, body: bytes) -> tuple[Answer, int]:
    documents, bad = _frames(body)
    return dialect.read_stream(documents), bad


def _frames(body: bytes) -> tuple[list[Any], int]:
    documents: list[Any] = []
    try:
        stream = AwsEventStream()
        for at in range(0, len(body), FED_BYTES):  # each frame that is taken copies all that is left
            documents.extend(stream.feed(body[at : at + FED_BYTES]))
    except (BadStream, ImportError):
        return documents, 1
    return documents, int(stream.rest())
