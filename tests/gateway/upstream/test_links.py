"""Which links the gateway opens, by what each provider opens itself."""

from __future__ import annotations

import pytest

from gateway.providers import by_name
from gateway.translation import chat_request, gemini
from gateway.upstream.outbound import links_to_fetch

FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc"
PLAIN, TYPED, BUCKET = "https://example.com/picture?id=3", "https://example.com/a.JPG?x=1", "gs://bucket/a.png"


@pytest.mark.parametrize(
    ("provider", "model", "fetched"),
    [
        ("google", "gemini-2.5-flash", [PLAIN, TYPED]),
        ("vertex-ai", "gemini-2.5-flash", [PLAIN]),
        ("vertex-ai", "claude-sonnet-4-5", [FILE, PLAIN, TYPED]),
        ("anthropic", "claude-sonnet-4-5", []),
        ("bedrock", "amazon.nova-pro-v1:0", [FILE, PLAIN, TYPED]),
    ],
)
def test_the_gateway_opens_what_the_provider_does_not(provider: str, model: str, fetched: list[str]) -> None:
    parts = [{"type": "image_url", "image_url": url} for url in (FILE, PLAIN, TYPED, BUCKET)]
    request = chat_request.read({"messages": [{"role": "user", "content": parts}]}, model)
    vendor = by_name(provider)
    assert vendor is not None
    wire = vendor.wire_for(model)
    assert list(links_to_fetch(request, wire, always=False).values()) == fetched
    everything = [url for url in (FILE, PLAIN, TYPED) if url != FILE or not wire.own_hosts]
    assert list(links_to_fetch(request, wire, always=True).values()) == everything


def test_a_file_of_googles_own_goes_by_its_address() -> None:
    part = {"type": "image_url", "image_url": FILE}
    request = chat_request.read({"messages": [{"role": "user", "content": [part]}]}, "gemini-2.5-flash")
    assert gemini.write(request).body["contents"][0]["parts"] == [{"fileData": {"fileUri": FILE}}]
