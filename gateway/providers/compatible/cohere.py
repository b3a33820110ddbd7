"""Cohere through its OpenAI-compatible address (docs.cohere.com, compatibility API)."""

from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

COHERE = Provider(
    name="cohere",
    title="Cohere",
    base_url="https://api.cohere.ai/compatibility/v1",
    wires=(("", Wire(limits=Limits(images=20, image_bytes=20 * 1024 * 1024))),),
    speaks=frozenset({"/chat/completions"}),
    prices="cohere",
)
