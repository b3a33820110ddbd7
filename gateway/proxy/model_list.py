"""GET /v1/models when no provider is named: the models of every virtual key that the caller may call, as `@slug/model`."""

from __future__ import annotations

from functools import cache

import msgspec
from genai_prices.data_snapshot import get_snapshot

from gateway.errors import NotFound
from gateway.keys.in_memory import KeysInMemory
from gateway.network.request_head import HeaderList
from gateway.upstream.sandbox import JSON, MODELS, Canned


class ModelList:
    """Answers from what genai-prices knows of each vendor; asks no provider."""

    def __init__(self, keys: KeysInMemory) -> None:
        self.keys = keys

    async def send(
        self, method: str, url: str, headers: HeaderList, body: bytes, *, timeout: float | None = None
    ) -> Canned:
        """`url` is `/<workspace>/<API key>/models` or `/<workspace>/<API key>/models/<id>`."""
        workspace, api_key, rest = url.partition("?")[0].strip("/").split("/", 2)
        listed = self._listed(int(workspace), int(api_key))
        id = rest.removeprefix("models").strip("/")
        if not id:
            return Canned(200, JSON, msgspec.json.encode({"object": "list", "data": listed, "total": len(listed)}))
        found = next((model for model in listed if model["id"] == id), None)
        if found is None:
            problem = NotFound(f"No model {id!r} here. GET /v1/models lists them.", code="model_not_found")
            return Canned(404, JSON, problem.body())
        return Canned(200, JSON, msgspec.json.encode(found))

    def _listed(self, workspace: int, api_key: int) -> list[dict[str, str | int]]:
        allowance = self.keys.allowance_of(api_key)
        return [
            {
                "id": f"@{slug}/{name}",
                "slug": name,
                "object": "model",
                "created": 0,
                "owned_by": target.provider.name,
            }
            for slug, target in sorted(self.keys.targets_of(workspace).items())
            for name in (MODELS if target.provider.built_in else _known_models(target.provider.prices))
            if allowance.shows(slug, name)
        ]


@cache
def _known_models(vendor: str | None) -> tuple[str, ...]:
    providers = {provider.id: provider for provider in get_snapshot().providers}
    return tuple(sorted(model.id for model in providers[vendor].models)) if vendor in providers else ()
