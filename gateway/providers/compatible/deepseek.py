from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

MB = 1024 * 1024

DEEPSEEK = Provider(
    name="deepseek",
    title="DeepSeek",
    base_url="https://api.deepseek.com/v1",
    wires=(("", Wire(limits=Limits(body_bytes=48 * MB), reasoning_as="reasoning_content")),),
    prices="deepseek",
)
