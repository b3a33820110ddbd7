from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

FIREWORKS = Provider(
    name="fireworks-ai",
    title="Fireworks AI",
    base_url="https://api.fireworks.ai/inference/v1",
    wires=(("", Wire(limits=Limits(images=30))),),
    aliases=("fireworks",),
    prices="fireworks",
)
