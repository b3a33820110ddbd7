from __future__ import annotations

from gateway.providers.base import Provider

SANDBOX = Provider(
    name="sandbox",
    title="Sandbox (built in, needs no account)",
    auth="none",
    speaks=frozenset({"/chat/completions"}),
    needs_secret=False,
    built_in=True,
)
