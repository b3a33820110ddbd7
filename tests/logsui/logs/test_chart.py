"""The bars of the chart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.index.search import Bar
from logsui.logs import chart


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_bars_cover_the_window_and_stay_few(seconds: int, start: int) -> None:
    since = datetime.fromtimestamp(start, tz=UTC)
    first, length, count = chart._stretches(since, since + timedelta(seconds=seconds))
    assert first <= since
    assert first + length * count >= since + timedelta(seconds=seconds)
    assert 1 <= count <= chart.BARS + 2


def test_the_highest_bar_fills_the_chart_and_the_smallest_is_seen() -> None:
    path = chart._path([0, 1, 1000], 1000)
    assert path == "M10 44v-1.5h8v1.5zM20 44v-44h8v44z"
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert (
        chart._title(Bar(at, at, 1, 1, 0.5, 7, 9))
        == "Nov 01 12:00 UTC: 1 request, 1 failed, $0.5000, p50 7 ms, p95 9 ms"
    )
