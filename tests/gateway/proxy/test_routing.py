"""Headers of Portkey's that name an identity or an address which Loupe does not simply believe."""

from __future__ import annotations

import json

import pytest

from gateway.providers import by_name
from tests.gateway.conftest import Gate


@pytest.mark.parametrize(
    ("provider", "header"),
    [
        ("azure-openai", "azure-managed-client-id"),
        ("azure-ai", "azure-workload-client-id"),
    ],
)
def test_an_identity_that_loupe_does_not_take_on_is_refused(gate: Gate, provider: str, header: str) -> None:
    headers = {"x-portkey-provider": provider, "authorization": "Bearer key", f"x-portkey-{header}": "some-identity"}
    status, _, body = gate.loupe.call("/v1/chat/completions", {"model": "m", "messages": []}, headers=headers)
    assert (status, json.loads(body)["error"]["code"]) == (400, "unsupported_header")


def test_foundrys_address_is_taken_from_portkeys_header_and_leads_nowhere_else() -> None:
    provider = by_name("azure-ai")
    assert provider is not None
    assert (
        provider.address({"foundry_url": "https://contoso.services.ai.azure.com/models"})
        == "https://contoso.services.ai.azure.com"
    )
    assert provider.address({"foundry_url": "https://evil.example/.services.ai.azure.com"}) == ""
