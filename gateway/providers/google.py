"""Gemini through AI Studio's API. It opens links of its own Files API and YouTube only."""

from __future__ import annotations

from gateway.providers.base import Limits, Provider, Wire

MB = 1024 * 1024
IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
LIMITS = Limits(images=3000, body_bytes=100 * MB, formats=IMAGES)
OWN_HOSTS = frozenset({"generativelanguage.googleapis.com", "www.youtube.com", "youtube.com", "youtu.be"})
GENERATE = Wire(
    "gemini",
    "/models/{model}:generateContent",
    "/models/{model}:streamGenerateContent?alt=sse",
    opens=frozenset(),
    own_hosts=OWN_HOSTS,
    limits=LIMITS,
    names_model=False,
)

PREDICT = Wire("imagen", "/models/{model}:predict", opens=frozenset(), limits=LIMITS, names_model=False)

GOOGLE = Provider(
    name="google",
    title="Gemini (AI Studio)",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    auth="x-goog-api-key",
    wires=(("imagen", PREDICT), ("", GENERATE)),
    speaks=frozenset(),
    uploads=True,
    aliases=("gemini", "google-ai-studio"),
    prices="google",
)
