"""A Loupe with a virtual key for each folder of recordings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_upstream import FakeUpstream
from tests.loupe import Loupe

# Folder of recordings to the provider that they are played to, and what its base URL has after the fake's own.
FOLDERS = {
    "anthropic": ("anthropic", "/v1"),
    "azure": ("azure-openai", ""),
    "bedrock": ("bedrock", ""),
    "gemini": ("google", "/v1beta"),
    "groq": ("groq", "/openai/v1"),
    "mistral": ("mistral-ai", "/v1"),
    "openai": ("openai", "/v1"),
    "openrouter": ("openrouter", "/api/v1"),
    "other": ("openai-compatible", ""),
    "vertex": ("vertex-ai", ""),
}
SECRET = "secret-of-the-provider"


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream) -> Iterator[Loupe]:
    running = Loupe(
        tmp_path_factory.mktemp("replay"), LOUPE_SNAPSHOT="off", LOUPE_FETCH_HOSTS=f"127.0.0.1:{upstream.port}"
    ).start()
    for folder, (provider, path) in {**FOLDERS, "mantle": ("openai-compatible", "/openai/v1")}.items():
        base = f"http://127.0.0.1:{upstream.port}/{folder}{path}"
        settings = {"project_id": "a-project"} if provider == "vertex-ai" else {}
        running.add_virtual_key(folder, base, SECRET, provider=provider, **settings)
    yield running
    running.stop()
