"""How bodies are read, by endpoint. Readers look at bytes that were already sent on; they never change them."""

from __future__ import annotations

from gateway.dialects.base import Dialect
from gateway.dialects.openai_chat import OpenAIChat, OpenAICompletions, OpenAIEmbeddings
from gateway.dialects.openai_images import OpenAIImages
from gateway.dialects.openai_responses import OpenAIResponses

CHAT = OpenAIChat()
DIALECTS: dict[str, Dialect] = {
    "/chat/completions": CHAT,
    "/completions": OpenAICompletions(),
    "/responses": OpenAIResponses(),
    "/embeddings": OpenAIEmbeddings(),
    "/images/generations": OpenAIImages(),
    "/images/edits": OpenAIImages(),
    "/images/variations": OpenAIImages(),
}


def for_endpoint(endpoint: str) -> Dialect | None:
    """The dialect of a path below /v1; None for a path that is only passed through and recorded."""
    return DIALECTS.get(endpoint)
