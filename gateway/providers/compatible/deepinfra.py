from __future__ import annotations

from gateway.providers.base import Provider

DEEPINFRA = Provider(
    name="deepinfra",
    title="DeepInfra",
    base_url="https://api.deepinfra.com/v1/openai",
    speaks=frozenset({"/chat/completions"}),
)
