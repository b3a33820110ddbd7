"""What a vendor is: an address, a way to show a key, and names. Data only; wire formats are in `dialects`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Headers = list[tuple[str, str]]


def bearer(secret: str) -> Headers:
    return [("authorization", f"Bearer {secret}")] if secret else []


@dataclass(frozen=True, slots=True)
class Provider:
    """One vendor.

    `base_url` ends before the path that follows `/v1`; an empty one must come with the virtual key.
    `prices` is the vendor's id in genai-prices. `built_in` vendors are answered by Loupe itself.
    """

    name: str
    title: str
    base_url: str = ""
    auth_headers: Callable[[str], Headers] = bearer
    prices: str | None = None
    needs_secret: bool = True
    built_in: bool = False
