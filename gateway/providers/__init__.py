"""The vendors, listed. To add one: a file beside these and a line here."""

from __future__ import annotations

from gateway.providers.base import Provider
from gateway.providers.openai import OPENAI
from gateway.providers.openai_compatible import OPENAI_COMPATIBLE
from gateway.providers.sandbox import SANDBOX

PROVIDERS = (OPENAI, OPENAI_COMPATIBLE, SANDBOX)


def by_name(name: str) -> Provider | None:
    return next((provider for provider in PROVIDERS if provider.name == name), None)
