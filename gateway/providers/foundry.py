"""The models of Azure AI Foundry (Grok, Mistral and others) behind its inference API."""

from __future__ import annotations

from gateway.providers.azure import quoted
from gateway.providers.base import Probe, Provider, Setting, Settings
from gateway.providers.entra import ENTRA

FOUNDRY_VERSION = "2024-05-01-preview"


def place(settings: Settings, endpoint: str, model: str) -> str:
    return f"/models{endpoint}?api-version={quoted(settings.get('api_version') or FOUNDRY_VERSION)}"


FOUNDRY = Provider(
    name="azure-ai",
    title="Azure AI Foundry",
    base_url="https://{resource_name}.services.ai.azure.com",
    auth="azure",
    speaks=frozenset({"/chat/completions"}),
    place=place,
    probe=Probe(path="/info"),
    settings=(
        Setting("resource_name", "Resource", "azure-resource-name", "the first part of its address", required=True),
        Setting("api_version", "API version", "azure-api-version", f"empty is {FOUNDRY_VERSION}"),
        *ENTRA,
    ),
    aliases=("azure-foundry",),
    prices="azure",
    key_title="Key, Entra token or client secret",
    completes_choices=True,
)
