"""The vendors, listed. To add one: a file beside these and a line here.

`compatible` holds those that speak OpenAI's format under another name, `clouds` those whose address is a customer's own.
From outside: `PROVIDERS`, `by_name`, and the shapes in `base`. Imports nothing of the gateway.
"""

from __future__ import annotations

from gateway.providers.anthropic import ANTHROPIC
from gateway.providers.base import Provider
from gateway.providers.clouds.azure import AZURE_OPENAI
from gateway.providers.clouds.bedrock import BEDROCK
from gateway.providers.clouds.foundry import FOUNDRY
from gateway.providers.clouds.vertex import VERTEX
from gateway.providers.compatible.cohere import COHERE
from gateway.providers.compatible.deepinfra import DEEPINFRA
from gateway.providers.compatible.deepseek import DEEPSEEK
from gateway.providers.compatible.fireworks import FIREWORKS
from gateway.providers.compatible.groq import GROQ
from gateway.providers.compatible.mistral import MISTRAL
from gateway.providers.compatible.moonshot import MOONSHOT
from gateway.providers.compatible.ollama import OLLAMA
from gateway.providers.compatible.openai_compatible import OPENAI_COMPATIBLE
from gateway.providers.compatible.openrouter import OPENROUTER
from gateway.providers.compatible.together import TOGETHER
from gateway.providers.compatible.vllm import VLLM
from gateway.providers.compatible.xai import XAI
from gateway.providers.google import GOOGLE
from gateway.providers.openai import OPENAI
from gateway.providers.sandbox import SANDBOX

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
    MOONSHOT,
    OLLAMA,
    VLLM,
    OPENAI_COMPATIBLE,
    SANDBOX,
)


def by_name(name: str) -> Provider | None:
    return next((provider for provider in PROVIDERS if name == provider.name or name in provider.aliases), None)
