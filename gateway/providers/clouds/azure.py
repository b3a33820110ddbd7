"""Azure OpenAI, by deployment with an API version or in its `v1` form."""

from __future__ import annotations

from urllib.parse import quote

from gateway.providers.base import Provider, Setting, Settings
from gateway.providers.clouds.entra import ENTRA, REFUSED

CLASSIC_VERSION = "2024-10-21"
# Endpoints that belong to the resource, not to one of its deployments.
RESOURCE_ENDPOINTS = ("/responses", "/models", "/files", "/batches")


def deployment(settings: Settings, model: str) -> str:
    """The deployment for a model: by alias from `deployments`, else the only one, else the model's own name."""
    pairs = (pair.partition("=") for pair in settings.get("deployments", "").replace("\n", ",").split(","))
    named = {alias.strip(): name.strip() for alias, _, name in pairs if name.strip()}
    found = named.get(model) or settings.get("deployment_id") or model
    return found.partition("@")[0]


def version(settings: Settings, model: str) -> str:
    """`alias=deployment@api-version` gives one deployment a version of its own."""
    pairs = (pair.partition("=") for pair in settings.get("deployments", "").replace("\n", ",").split(","))
    own = {alias.strip(): name.partition("@")[2].strip() for alias, _, name in pairs}
    return own.get(model) or settings.get("api_version") or "v1"


def is_v1(api_version: str) -> bool:
    return api_version in ("v1", "preview", "latest")


def place(settings: Settings, endpoint: str, model: str) -> str:
    """The deployment is in the path too before the v1 form, except for what belongs to the whole resource."""
    api_version = version(settings, model)
    if is_v1(api_version):
        return f"/openai/v1{endpoint}"
    step = "" if endpoint.startswith(RESOURCE_ENDPOINTS) else f"/deployments/{quoted(deployment(settings, model))}"
    return f"/openai{step}{endpoint}?api-version={quoted(api_version)}"


def quoted(name: str) -> str:
    return quote(name, safe="@.-_~")


AZURE_OPENAI = Provider(
    name="azure-openai",
    title="Azure OpenAI",
    base_url="https://{resource_name}.openai.azure.com",
    auth="azure",
    place=place,
    rename=deployment,
    settings=(
        Setting("resource_name", "Resource", "azure-resource-name", "the first part of its address", required=True),
        Setting("deployment_id", "Deployment", "azure-deployment-id", "for a key with one deployment"),
        Setting("deployments", "Deployments", "azure-deployments", "alias=deployment, alias=deployment@api-version, …"),
        Setting("api_version", "API version", "azure-api-version", f"v1, or a date such as {CLASSIC_VERSION}"),
        *ENTRA,
    ),
    refused_headers=REFUSED,
    aliases=("azure",),
    prices="azure",
    key_title="Key, Entra token or client secret",
    completes_choices=True,
)
