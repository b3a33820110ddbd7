from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

MB = 1024 * 1024

MISTRAL = Provider(
    name="mistral-ai",
    title="Mistral AI",
    base_url="https://api.mistral.ai/v1",
    wires=(("", Wire(limits=Limits(images=8, image_bytes=10 * MB), reasoning_as="thinking")),),
    speaks=frozenset({"/chat/completions"}),
    aliases=("mistral",),
    prices="mistral",
)
