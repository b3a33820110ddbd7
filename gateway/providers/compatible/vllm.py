from __future__ import annotations

from gateway.providers.base import Provider

VLLM = Provider(
    name="vllm",
    title="vLLM",
    base_url="http://127.0.0.1:8000/v1",
    needs_secret=False,
)
