"""The bars of bytes and of time add up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.models import Image, LogImage, RequestLog
from logsui.request import breakdown


def image(**fields: Any) -> LogImage:
    usual = {
        "sha256": "a" * 64,
        "media_type": "image/jpeg",
        "size": 3000,
        "width": 800,
        "height": 600,
        "thumbnail": "made",
    }
    own = {name: fields.pop(name) for name in ("source", "declared_type", "detail", "direction") if name in fields}
    kept = {"direction": "input", "index": 0, "source": "data"}
    return LogImage(image=Image(**usual | fields), **kept | own)


@given(
    st.lists(st.tuples(st.sampled_from(["data", "file", "link"]), st.integers(1, 10**6)), max_size=5),
    st.integers(0, 10**6),
)
def test_the_bar_of_bytes_adds_up_to_the_request(given_images: list[tuple[str, int]], text: int) -> None:
    images = [image(source=source, size=size) for source, size in given_images]
    encoded = sum(size if source == "file" else -(-size // 3) * 4 for source, size in given_images if source != "link")
    bar = breakdown.bytes_of(RequestLog(request_bytes=text + encoded), images)
    assert sum(one.amount for one in bar) == text + encoded
    assert bar[0].amount == text


@given(*[st.none() | st.floats(0, 10**6) for _ in range(4)])
def test_the_bar_of_time_never_leaves_its_box(
    total: float | None, first: float | None, upstream: float | None, gateway: float | None
) -> None:
    log = RequestLog(total_ms=total, first_byte_ms=first, upstream_ms=upstream, gateway_ms=gateway)
    bar = breakdown.time_of(log)
    assert all(one.amount >= 0 for one in bar)
    assert not bar or sum(one.amount for one in bar) == pytest.approx(total, abs=0.02)
