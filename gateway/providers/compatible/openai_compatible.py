from __future__ import annotations

from gateway.providers.base import Provider

OPENAI_COMPATIBLE = Provider(
    name="openai-compatible",
    title="OpenAI-compatible host",
    needs_secret=False,
)
