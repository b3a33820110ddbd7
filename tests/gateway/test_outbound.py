"""What the gateway does to a call before it is sent."""

from __future__ import annotations

import asyncio

import pytest

from gateway import outbound
from gateway.errors import TooLarge
from gateway.outbound import FETCHES_AT_ONCE, Fetching

MIB = 1024 * 1024


def test_once_the_pictures_of_a_request_are_too_large_no_more_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred links of 20 MiB each were held in memory before their sum was looked at."""
    fetched: list[str] = []

    class Fetcher:
        def __init__(self, **_: object) -> None:
            pass

        def get(self, url: str) -> bytes:
            fetched.append(url)
            return bytes(MIB)

    monkeypatch.setattr(outbound, "Fetcher", Fetcher)
    links = {f"messages[0].content[{at}]": f"https://pictures.example/{at}" for at in range(100)}
    with pytest.raises(TooLarge, match="more than 8 MiB"):
        asyncio.run(Fetching(MIB, 1, (), 8 * MIB).all(links))
    assert len(fetched) <= 8 + FETCHES_AT_ONCE
