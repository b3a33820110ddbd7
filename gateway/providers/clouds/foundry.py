"""The models of Azure AI Foundry (Grok, Mistral and others) behind its inference API."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.providers.base import Probe, Provider, Setting, Settings
from gateway.providers.clouds.azure import quoted
from gateway.providers.clouds.entra import ENTRA, REFUSED

HOST = ".services.ai.azure.com"
FOUNDRY_VERSION = "2024-05-01-preview"


def base_url(settings: Settings) -> str:
    """Portkey's header gives the whole address; only its resource counts, so that it cannot lead elsewhere."""
    host = urlsplit(settings.get("foundry_url", "")).hostname or ""
    name = host.removesuffix(HOST) if host.endswith(HOST) else settings.get("resource_name", "")
    return f"https://{name}{HOST}" if name else ""


def place(settings: Settings, endpoint: str, model: str) -> str:
    return f"/models{endpoint}?api-version={quoted(settings.get('api_version') or FOUNDRY_VERSION)}"


FOUNDRY = Provider(
    name="azure-ai",
    title="Azure AI Foundry",
    base_url=base_url,
    auth="azure",
    speaks=frozenset({"/chat/completions"}),
    place=place,
    probe=Probe(path="/info"),
    settings=(
        Setting("resource_name", "Resource", "azure-resource-name", "the first part of its address"),
        Setting("foundry_url", "Address", "azure-foundry-url", f"instead of the resource: https://…{HOST}"),
        Setting("api_version", "API version", "azure-api-version", f"empty is {FOUNDRY_VERSION}"),
        *ENTRA,
    ),
    refused_headers=REFUSED,
    aliases=("azure-foundry",),
    prices="azure",
    key_title="Key, Entra token or client secret",
    completes_choices=True,
)
