from __future__ import annotations

from dataclasses import replace

from gateway.providers.base import Limits, Provider, Wire

MB = 1024 * 1024

LIMITS = Limits(images=1500, body_bytes=512 * MB)
# These models see a picture at its full size, and refuse one of more than 30,000 patches of 32 x 32.
FULL_SIZE = replace(LIMITS, pixels=30_000 * 32 * 32)

OPENAI = Provider(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    wires=(("gpt-5.6", Wire(limits=FULL_SIZE)), ("gpt-6", Wire(limits=FULL_SIZE)), ("", Wire(limits=LIMITS))),
    prices="openai",
)
