from __future__ import annotations

from gateway.providers.base import Provider

TOGETHER = Provider(
    name="together-ai",
    title="Together AI",
    base_url="https://api.together.xyz/v1",
    speaks=frozenset({"/chat/completions"}),
    aliases=("together",),
    prices="together",
)
