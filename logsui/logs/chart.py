"""The chart above the list: bars of equal stretches of time, each a link that narrows the window to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.index.chart import Bar
from gateway.index.search import Search
from logsui.logs.list_query import ListQuery

BARS = 72
HEIGHT = 44
STEP = 10
WIDTH = 8
LEAST_HEIGHT = 1.5
# Where bars may begin and how long they are, so that they stay in place from one look to the next
LENGTHS = [timedelta(seconds=s) for s in (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200)]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A bar, where it stands in the chart's view box, what it says, and the list that is narrowed to its stretch of time."""

    bar: Bar
    x: int
    title: str
    query: ListQuery

    @property
    def link(self) -> str:
        return self.query.between(self.bar.since, self.bar.until).address


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[ChartBar]
    wholes: str
    parts: str
    since: datetime
    until: datetime
    top: str
    width: int

    @property
    def first_ms(self) -> int:
        return int(self.bars[0].bar.since.timestamp() * 1000)

    @property
    def last_ms(self) -> int:
        return int(self.bars[-1].bar.until.timestamp() * 1000)


def read_chart(query: ListQuery, search: Search, *, timed: bool = False) -> Chart | None:
    """None when there is nothing to draw. Latencies are worked out when they are drawn, or if `timed`."""
    since, until = query.window.since, query.window.until
    if since is None:
        extent = search.extent()
        if extent is None:
            return None
        since = extent[0]
    until = min(until or datetime.now(UTC), datetime.now(UTC) + DAY)
    if until <= since:
        return None
    first, length, count = _stretches(since, until)
    bars = search.chart(first, first + length * count, count, timed=timed or query.chart == "latency")
    drawn = [ChartBar(bar, index * STEP, _title(bar), query) for index, bar in enumerate(bars)]
    measures = [_measures(query.chart, bar) for bar in bars]
    highest = max(whole for whole, _ in measures)
    wholes, parts = (_path([pair[side] for pair in measures], highest) for side in (0, 1))
    return Chart(drawn, wholes, parts, since, until, _top(query.chart, highest), STEP * len(bars))


def _stretches(since: datetime, until: datetime) -> tuple[datetime, timedelta, int]:
    """The first bar's begin, the length of a bar, and how many cover the window."""
    wanted = (until - since) / BARS
    length = next((one for one in LENGTHS if one >= wanted), DAY * max(1, -(-wanted // DAY)))
    start = datetime.fromtimestamp(since.timestamp() // length.total_seconds() * length.total_seconds(), tz=UTC)
    return start, length, max(1, -(-(until - start) // length))


def _measures(chart: str, bar: Bar) -> tuple[float, float]:
    """What the height of a bar says, and what its marked part says."""
    if chart == "cost":
        return bar.cost, 0
    if chart == "latency":
        return bar.p95 or 0, bar.p50 or 0
    return bar.count, bar.errors


def _path(measures: Sequence[float], highest: float) -> str:
    """One SVG path for all bars: three times smaller than a rectangle each."""
    pieces = []
    for index, measure in enumerate(measures):
        if measure > 0:
            height = round(max(measure / highest * HEIGHT, LEAST_HEIGHT), 1)
            pieces.append(f"M{index * STEP} {HEIGHT}v-{height:g}h{WIDTH}v{height:g}z")
    return "".join(pieces)


def _title(bar: Bar) -> str:
    words = [f"{bar.count:,} request{'' if bar.count == 1 else 's'}"]
    words += [f"{bar.errors:,} failed"] if bar.errors else []
    words += [f"${bar.cost:,.4f}"] if bar.cost else []
    words += [f"p50 {bar.p50:,} ms, p95 {bar.p95:,} ms"] if bar.p95 is not None else []
    return f"{bar.since:%b %d %H:%M} UTC: " + ", ".join(words)


def _top(chart: str, highest: float) -> str:
    """What the highest bar stands for."""
    if chart == "cost":
        return f"${highest:,.4f}"
    return f"{highest:,.0f}" + (" ms" if chart == "latency" else "")
