from __future__ import annotations

from gateway.providers.base import Provider

OPENROUTER = Provider(
    name="openrouter",
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    paths={"/images/generations": "/images"},
    prices="openrouter",
)
