"""The state of the list as its address holds it: search, window, chart, place. Any view can be sent to a colleague."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote_plus, urlencode

from django.utils.functional import cached_property

from gateway.index.search import Window
from gateway.index.search_language import BadQuery, Condition, SearchQuery, condition_text, parse

SPANS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "all": ("All time", None),
}
FIRST_SPAN = "24h"
SORTS = {"cost": "Cost", "tokens": "Tokens", "latency": "Latency", "ttfb": "First byte", "size": "Request size"}
CHARTS = {"count": "Requests and errors", "cost": "Cost", "latency": "Latency"}
MOST_SKIPPED = 5000
LAST_MS = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Link:
    """Something that a link of the page chooses."""

    title: str
    address: str
    is_current: bool


@dataclass(frozen=True)
class ListQuery:
    """What the address asks for. `problem` says what is wrong with it; then nothing is looked for."""

    text: str = ""
    search: SearchQuery = field(default_factory=SearchQuery)
    span: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    chart: str = "count"
    sort: str = ""
    skip: int = 0
    before: uuid.UUID | None = None
    open: uuid.UUID | None = None
    problem: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> ListQuery:
        text = params.get("q", "").strip()
        try:
            search, problem = parse(text), ""
        except BadQuery as error:
            search, problem = SearchQuery(), str(error)
        span = params.get("w", "")
        problem = problem or next(filter(None, (_problem(name, params.get(name)) for name in READERS)), "")
        return cls(
            text=text,
            search=search,
            span=span if span in SPANS else "",
            since_ms=_milliseconds(params.get("from")),
            until_ms=_milliseconds(params.get("to")),
            chart=chart if (chart := params.get("chart", "")) in CHARTS else "count",
            sort=_sort(params.get("sort")) or "",
            skip=_skip(params.get("skip")) or 0,
            before=_uuid(params.get("before")),
            open=_uuid(params.get("open")),
            problem=problem,
        )

    @property
    def is_dragged(self) -> bool:
        """Whether the window is two given times, not a span up to now."""
        return self.since_ms is not None or self.until_ms is not None

    @property
    def is_live(self) -> bool:
        return self.until_ms is None and self.before is None and not self.problem and not self.sort

    @cached_property
    def window(self) -> Window:
        if self.is_dragged:
            return Window(_time(self.since_ms), _time(self.until_ms))
        length = SPANS[self.span or FIRST_SPAN][1]
        return Window(datetime.now(UTC) - length if length else None)

    @property
    def whole_window(self) -> Window:
        """What the address says of time, without the span that the list takes when it says nothing."""
        return self.window if self.is_dragged or self.span else Window()

    @property
    def chart_title(self) -> str:
        return CHARTS[self.chart]

    @property
    def window_title(self) -> str:
        return "Custom range" if self.is_dragged else SPANS[self.span or FIRST_SPAN][0]

    def with_span(self, span: str) -> ListQuery:
        return replace(self, span=span, since_ms=None, until_ms=None, before=None, skip=0)

    @property
    def spans(self) -> list[Link]:
        """The windows that may be chosen."""
        now = "" if self.is_dragged else self.span or FIRST_SPAN
        return [Link(title, self.with_span(name).address, name == now) for name, (title, _) in SPANS.items()]

    @property
    def charts(self) -> list[Link]:
        """What the chart may show."""
        return [Link(title, self.with_chart(name).address, name == self.chart) for name, title in CHARTS.items()]

    def between(self, since: datetime, until: datetime) -> ListQuery:
        first, last = (int(at.timestamp() * 1000) for at in (since, until))
        return replace(self, span="", since_ms=first, until_ms=last, before=None, skip=0)

    def asking(self, search: SearchQuery) -> ListQuery:
        return replace(self, search=search, text=str(search), before=None, skip=0)

    def with_chart(self, chart: str) -> ListQuery:
        return replace(self, chart=chart)

    def older_than(self, before: uuid.UUID | None) -> ListQuery:
        return replace(self, before=before)

    def sorted_by(self, sort: str) -> ListQuery:
        """The highest first, or with the same once more the newest again."""
        return replace(self, sort="" if sort == self.sort else sort, skip=0, before=None)

    def skipping(self, skip: int) -> ListQuery:
        return replace(self, skip=skip)

    @property
    def sorts(self) -> list[Link]:
        """What the list may be put in the order of."""
        newest = Link("Newest", self.sorted_by(self.sort).address, not self.sort)
        others = (
            Link(title, replace(self, sort=name, skip=0).address, name == self.sort) for name, title in SORTS.items()
        )
        return [newest, *others]

    @property
    def address(self) -> str:
        """The part of the address from the `?` on."""
        place = urlencode({"before": self.before} if self.before else {"skip": self.skip} if self.skip else {})
        return "?" + "&".join(filter(None, (self.text and f"q={_quoted(self.text)}", self._window_and_chart, place)))

    def address_with(self, condition: Condition) -> str:
        """`asking(search.also(condition)).address`: for the many links of a page, what they share is written once."""
        before, after = self._around
        return f"?q={before}{_quoted(condition_text(condition))}{after}"

    @cached_property
    def _around(self) -> tuple[str, str]:
        before, after = self.search.texts
        rest = f"&{self._window_and_chart}" if self._window_and_chart else ""
        return _quoted(before and f"{before} "), _quoted(after and f" {after}") + rest

    @cached_property
    def _window_and_chart(self) -> str:
        return urlencode(self.fields)

    @property
    def fields(self) -> dict[str, str]:
        """What a form besides the question must carry along."""
        params = {"w": self.span, "from": self.since_ms, "to": self.until_ms, "chart": self.chart, "sort": self.sort}
        return {name: str(value) for name, value in params.items() if value not in ("", None, "count")}


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return quote_plus(text)


def _milliseconds(text: str | None) -> int | None:
    """Milliseconds since 1970, or a time as a form without script sends it, which is UTC."""
    if text and text.isascii() and text.isdigit() and len(text) < 16:
        return min(int(text), LAST_MS)
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return max(int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000), 0)


def _sort(text: str | None) -> str | None:
    return text if text in SORTS else None


def _skip(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and int(text[:6]) <= MOST_SKIPPED else None


def _problem(name: str, given: str | None) -> str:
    """What is wrong with a part of the address; empty when it is absent or can be read."""
    read, meaning = READERS[name]
    return f"{name}={given[:80]} in the address is not {meaning}." if given and read(given) is None else ""


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        return None


READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "before": (_uuid, "the id of a log"),
    "open": (_uuid, "the id of a log"),
    "from": (_milliseconds, "a time: 2026-11-28T10:00 in UTC, or milliseconds since 1970"),
    "to": (_milliseconds, "a time: 2026-11-28T10:00 in UTC, or milliseconds since 1970"),
    "sort": (_sort, f"one of {', '.join(SORTS)}"),
    "skip": (_skip, f"a number up to {MOST_SKIPPED:,}"),
}
