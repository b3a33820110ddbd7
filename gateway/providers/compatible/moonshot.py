from __future__ import annotations

from gateway.providers.base import Provider, Wire

MOONSHOT = Provider(
    name="moonshot",
    title="Moonshot AI",
    base_url="https://api.moonshot.ai/v1",
    wires=(("", Wire(reasoning_as="reasoning_content")),),
    speaks=frozenset({"/chat/completions"}),
    aliases=("moonshot-ai", "kimi"),
    prices="moonshotai",
)
