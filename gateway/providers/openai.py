from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

MB = 1024 * 1024

OPENAI = Provider(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    wires=(("", Wire(limits=Limits(images=1500, body_bytes=512 * MB))),),
    prices="openai",
)
