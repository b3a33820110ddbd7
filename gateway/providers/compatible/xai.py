from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

XAI = Provider(
    name="x-ai",
    title="xAI",
    base_url="https://api.x.ai/v1",
    wires=(("", Wire(limits=Limits(image_bytes=20 * 1024 * 1024, formats=frozenset({"image/png", "image/jpeg"})))),),
    aliases=("xai",),
    prices="x-ai",
)
