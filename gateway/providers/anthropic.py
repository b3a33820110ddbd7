from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

MB = 1024 * 1024
LIMITS = Limits(images=600, image_bytes=10 * MB, body_bytes=32 * MB, side=8000, crowd=(20, 2000))
MESSAGES = Wire("anthropic", "/messages", "/messages", limits=LIMITS)

ANTHROPIC = Provider(
    name="anthropic",
    title="Anthropic",
    base_url="https://api.anthropic.com/v1",
    auth="x-api-key",
    wires=(("", MESSAGES),),
    speaks=frozenset(),
    headers={"anthropic-version": "2023-06-01"},
    prices="anthropic",
)
