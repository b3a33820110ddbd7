from __future__ import annotations

from gateway.providers.base import Provider

OPENAI = Provider(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    prices="openai",
)
