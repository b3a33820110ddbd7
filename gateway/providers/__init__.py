"""The vendors, listed. To add one: a file beside these and a line here."""

from __future__ import annotations

from gateway.providers.anthropic import ANTHROPIC
from gateway.providers.azure import AZURE_OPENAI
from gateway.providers.base import Provider
from gateway.providers.bedrock import BEDROCK
from gateway.providers.cohere import COHERE
from gateway.providers.deepinfra import DEEPINFRA
from gateway.providers.deepseek import DEEPSEEK
from gateway.providers.fireworks import FIREWORKS
from gateway.providers.foundry import FOUNDRY
from gateway.providers.google import GOOGLE
from gateway.providers.groq import GROQ
from gateway.providers.mistral import MISTRAL
from gateway.providers.ollama import OLLAMA
from gateway.providers.openai import OPENAI
from gateway.providers.openai_compatible import OPENAI_COMPATIBLE
from gateway.providers.openrouter import OPENROUTER
from gateway.providers.sandbox import SANDBOX
from gateway.providers.together import TOGETHER
from gateway.providers.vertex import VERTEX
from gateway.providers.vllm import VLLM
from gateway.providers.xai import XAI

PROVIDERS: tuple[Provider, ...] = (
    OPENAI,
    AZURE_OPENAI,
    FOUNDRY,
    GOOGLE,
    VERTEX,
    ANTHROPIC,
    BEDROCK,
    MISTRAL,
    GROQ,
    TOGETHER,
    FIREWORKS,
    OPENROUTER,
    XAI,
    DEEPINFRA,
    COHERE,
    DEEPSEEK,
    OLLAMA,
    VLLM,
    OPENAI_COMPATIBLE,
    SANDBOX,
)


def by_name(name: str) -> Provider | None:
    return next((provider for provider in PROVIDERS if name == provider.name or name in provider.aliases), None)
