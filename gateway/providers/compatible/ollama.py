"""Ollama's OpenAI-compatible address. It opens no links (ollama/ollama, openai/openai.go)."""

from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

OLLAMA = Provider(
    name="ollama",
    title="Ollama",
    base_url="http://127.0.0.1:11434/v1",
    wires=(("", Wire(opens=frozenset(), limits=Limits(formats=frozenset({"image/png", "image/jpeg", "image/webp"})))),),
    needs_secret=False,
)
