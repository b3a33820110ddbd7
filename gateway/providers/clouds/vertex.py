"""Vertex AI: Gemini and Claude in a Google Cloud project, with a service account or a token of one's own."""

from __future__ import annotations

from gateway.providers.base import Limits, Probe, Provider, Setting, Settings, Wire
from gateway.providers.google import IMAGES, OWN_HOSTS

MB = 1024 * 1024
GEMINI = Wire(
    "gemini",
    "/v1/projects/{project_id}/locations/{region}/publishers/google/models/{model}:generateContent",
    "/v1/projects/{project_id}/locations/{region}/publishers/google/models/{model}:streamGenerateContent?alt=sse",
    opens=frozenset({"gs", "https"}),
    own_hosts=OWN_HOSTS,
    asks_type=True,
    limits=Limits(images=3000, image_bytes=7 * MB, formats=IMAGES),
    names_model=False,
)
IMAGEN = Wire(
    "imagen",
    "/v1/projects/{project_id}/locations/{region}/publishers/google/models/{model}:predict",
    opens=frozenset(),
    names_model=False,
)
CLAUDE = Wire(
    "anthropic",
    "/v1/projects/{project_id}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
    "/v1/projects/{project_id}/locations/{region}/publishers/anthropic/models/{model}:streamRawPredict",
    opens=frozenset(),
    limits=Limits(images=600, image_bytes=5 * MB, side=8000, crowd=(20, 2000)),
    constants={"anthropic_version": "vertex-2023-10-16"},
    names_model=False,
)


def base_url(settings: Settings) -> str:
    region = settings.get("region") or "global"
    return f"https://{'' if region == 'global' else region + '-'}aiplatform.googleapis.com"


VERTEX = Provider(
    name="vertex-ai",
    title="Vertex AI",
    base_url=base_url,
    auth="google",
    wires=(("claude", CLAUDE), ("imagen", IMAGEN), ("", GEMINI)),
    speaks=frozenset(),
    own_version="v1beta1",
    probe=Probe(model="gemini-2.5-flash", body={"contents": []}, proves=frozenset({400})),
    settings=(
        Setting("project_id", "Project", "vertex-project-id", "the project's id, as in my-project-123", required=True),
        Setting("region", "Region", "vertex-region", "such as us-central1; empty is global"),
        Setting(
            "service_account_json",
            "Service account",
            "vertex-service-account-json",
            secret=True,
        ),
    ),
    aliases=("vertex",),
    prices="google",
    key_title="Service account JSON, or an access token",
)
