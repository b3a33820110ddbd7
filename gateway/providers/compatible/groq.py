from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

MB = 1024 * 1024

GROQ = Provider(
    name="groq",
    title="Groq",
    base_url="https://api.groq.com/openai/v1",
    wires=(("", Wire(limits=Limits(images=5, image_bytes=20 * MB, pixels=33_177_600))),),
    prices="groq",
)
