"""One question over one workspace and one stretch of time: the page of logs, the facets' counts, and the chart.

What is in blocks is answered from bitmaps. What waits to be indexed is made into a block in memory for the moment, and
hidden where a stored block has an older state of it, so that answers are exact at any time.
"""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from pyroaring import BitMap

from gateway import ids
from gateway.index import blocks, full_text
from gateway.index.bitmaps import Block, Choices, Column, Ids, Numbers, quantile
from gateway.index.facets import FACETS, METADATA
from gateway.index.search_language import Choice, Condition, SearchQuery, Words
from gateway.models import Image, LogImage, RequestLog, Workspace
from gateway.models.index import IndexBlock, IndexColumn, Unindexed

MOST_LOOSE = 1000
MOST_TEXT = 3000
FIRST_STRETCH = 65_536
FIRST_TEXT = 500
MOST_VALUES = 300
MOST_NAMES = 40  # of metadata, that are listed; every one can be asked for
ERRORS = ("error", "failed")


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time; None is no bound. `since` is included, `until` is not."""

    since: datetime | None = None
    until: datetime | None = None

    def narrowed(self, since: datetime | None, until: datetime | None) -> Window:
        """What is inside both."""
        latest = max(filter(None, (self.since, since)), default=None)
        earliest = min(filter(None, (self.until, until)), default=None)
        return Window(latest, earliest)


@dataclass(slots=True)
class Part:
    """A block as this search sees it: `seen` are its positions inside the window that no newer state hides."""

    ids: Ids
    columns: dict[str, Column]
    seen: BitMap

    def meeting(self, condition: Condition) -> BitMap:
        column = self.columns.get(condition.facet)
        if isinstance(condition, Choice):
            found = _matching(column, condition) if isinstance(column, Choices) else BitMap()
        else:
            found = column.between(condition.low, condition.high) if isinstance(column, Numbers) else BitMap()
        return self.seen - found if condition.negated else self.seen & found

    def meeting_all(self, conditions: Iterable[Condition]) -> BitMap:
        return BitMap.intersection(self.seen, *(self.meeting(one) for one in conditions))

    def positions(self, sorted_ids: Sequence[bytes]) -> BitMap:
        """Where these stand here, those of other parts left out."""
        if not len(self.ids):
            return BitMap()
        first, last = bisect_left(sorted_ids, self.ids[0]), bisect_right(sorted_ids, self.ids[len(self.ids) - 1])
        return self.ids.positions(sorted_ids[first:last])

    def newest(self, within: BitMap, before: bytes | None, most: int) -> list[bytes]:
        """The ids at the last positions of `within`, newest first."""
        end = len(within) if before is None else within.rank(rank - 1) if (rank := self.ids.rank(before)) else 0
        return [self.ids[within[i]] for i in range(end - 1, max(end - most, 0) - 1, -1)]


@dataclass(frozen=True, slots=True)
class Among:
    """The logs that a text, a trace or a picture leaves to look at, by id, oldest first; `ids` is None when all.

    Such a list has a bound: what is older than `floor`, if there is one, was not looked for. `without` are left out.
    """

    ids: list[bytes] | None = None
    without: list[bytes] = field(default_factory=list)
    floor: bytes | None = None

    def restrict(self, part: Part, bits: BitMap) -> BitMap:
        if self.ids is not None:
            bits = bits & part.positions(self.ids)
        if self.without:
            bits = bits - part.positions(self.without)
        return bits & BitMap(range(part.ids.rank(self.floor), len(part.ids))) if self.floor else bits


@dataclass(frozen=True, slots=True)
class Counted:
    """The values of a facet with how many logs have each, most first. `many` says that there are too many to list."""

    values: list[tuple[str, int]] = field(default_factory=list)
    many: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of the chart. `cost` in US dollars, latencies in milliseconds, None where nothing was measured or asked."""

    since: datetime
    until: datetime
    count: int
    errors: int
    cost: float
    p50: int | None
    p95: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Ids newest first. `next` is where the page after it begins, None when nothing older is found.

    `partial` says that a search for a text stopped at `next` before the page was full.
    """

    ids: list[uuid.UUID]
    next: uuid.UUID | None
    partial: bool = False


class Search:
    """Lazy: each answer reads the columns that it needs, and nothing twice."""

    def __init__(self, workspace: Workspace, query: SearchQuery, window: Window) -> None:
        self.workspace, self.query, self.window = workspace, query, window.narrowed(*query.times)
        self.behind = 0

    @cached_property
    def rows(self) -> list[IndexBlock]:
        found = IndexBlock.objects.of(self.workspace).in_order().defer("ids")
        if self.window.since:
            found = found.filter(last__gte=ids.first_of(self.window.since))
        if self.window.until:
            found = found.filter(first__lt=ids.first_of(self.window.until))
        return list(found)

    @cached_property
    def loose(self) -> Block:
        """What waits to be indexed, newest first and not without end."""
        found = Unindexed.objects.filter(workspace=self.workspace)
        waiting = list(dict.fromkeys(found.order_by("-log_id").values_list("log_id", flat=True)[: MOST_LOOSE + 1]))
        self.behind = found.count() - MOST_LOOSE if len(waiting) > MOST_LOOSE else 0
        return blocks.block_of(waiting[:MOST_LOOSE])

    @cached_property
    def parts(self) -> list[Part]:
        """Oldest first, with the columns that the conditions ask for."""
        kept, columns = blocks.ids_of(self.rows), self._columns({one.facet for one in self.query.conditions})
        hidden = list(self.loose.ids)
        made = [
            Part(kept[row.pk], found, self._in_window(kept[row.pk]) - kept[row.pk].positions(hidden))
            for row, found in zip(self.rows, columns[:-1], strict=True)
        ]
        return [*made, Part(self.loose.ids, columns[-1], self._in_window(self.loose.ids))]

    @cached_property
    def found(self) -> list[BitMap]:
        """What answers the question, for each part; with a text, among its newest matches only."""
        return self._meeting(self.query.conditions, self.among)

    @cached_property
    def among(self) -> Among:
        return self._among(None, MOST_TEXT)

    @property
    def is_capped(self) -> bool:
        """Whether counts are of the newest matches of a text only."""
        return self.among.floor is not None

    def count(self) -> int:
        return sum(len(bits) for bits in self.found)

    def page(self, before: uuid.UUID | None, size: int) -> Page:
        """Raises nothing for a `before` that is gone: it is a place in time."""
        if self.query.is_empty:
            return self._plain_page(before, size)
        for most in (FIRST_TEXT, MOST_TEXT) if before else (MOST_TEXT,):
            among = self._among(before, most) if before else self.among
            found = self._newest(among, before, size + 1)
            if len(found) > size or among.floor is None:
                return _page(found, size)
        return Page(found, uuid.UUID(bytes=among.floor), partial=True)

    def _plain_page(self, before: uuid.UUID | None, size: int) -> Page:
        """Without a question the rows themselves are the fastest, and the first to know what came in."""
        logs = RequestLog.objects.of(self.workspace).since(self.window.since).until(self.window.until)
        found = list(logs.newest_first().before(before).values_list("pk", flat=True)[: size + 1])
        return _page(found, size)

    def _newest(self, among: Among, before: uuid.UUID | None, most: int) -> list[uuid.UUID]:
        cursor = before.bytes if before else None
        found: list[bytes] = []
        for part, bits in zip(self.parts, self._meeting(self.query.conditions, among), strict=True):
            found += part.newest(bits, cursor, most)
        return [uuid.UUID(bytes=id) for id in sorted(found, reverse=True)[:most]]

    def _among(self, before: uuid.UUID | None, most: int) -> Among:
        asked = self.query
        wanted: list[set[bytes]] = []
        refused: list[set[bytes]] = []
        if any(not word.negated for word in asked.words):
            wanted.append(self._with_words(asked.words, before, most))
        else:  # nothing that the full text could look for but what is not to be found
            refused = [self._with_words([replace(word, negated=False)], before, most) for word in asked.words]
        if asked.trace:
            logs = RequestLog.objects.of(self.workspace).filter(trace_id=asked.trace).newest_first().before(before)
            wanted.append({id.bytes for id in logs.values_list("pk", flat=True)[:most]})
        if asked.picture:
            wanted.append(self._showing({"image__sha256__startswith": asked.picture.lower()}, before, most))
        if asked.like:
            wanted.append(self._showing({"image__in": self._look_alikes()}, before, most))
        floor = max((min(found) for found in (*wanted, *refused) if len(found) >= most), default=None)
        return Among(sorted(set.intersection(*wanted)) if wanted else None, sorted(set[bytes]().union(*refused)), floor)

    def _showing(self, pictures: dict[str, object], before: uuid.UUID | None, most: int) -> set[bytes]:
        """A log counts once, however often it shows the picture."""
        shown = LogImage.objects.filter(workspace=self.workspace, **pictures).order_by("-log_id")
        older = shown.filter(log_id__lt=before) if before else shown
        return {id.bytes for id in older.values_list("log_id", flat=True).distinct()[:most]}

    def _look_alikes(self) -> list[str]:
        """Only pictures of this workspace tell what they look like."""
        shown = Image.objects.filter(sha256__startswith=self.query.like.lower(), log_images__workspace=self.workspace)
        picture = shown.exclude(perceptual_hash="").first()
        return Image.objects.all().look_alikes(picture.perceptual_hash) if picture else []

    def _with_words(self, words: Sequence[Words], before: uuid.UUID | None, most: int) -> set[bytes]:
        found: set[bytes] = set()
        for low, high in self._stretches(before):
            found.update(full_text.matches(self.workspace, words, low=low, high=high, limit=most - len(found)))
            if len(found) >= most:
                break
        return found

    def _stretches(self, before: uuid.UUID | None) -> Iterator[tuple[int, int]]:
        """Where to look for words, newest first, each stretch four times the last: what is common is soon found.

        PostgreSQL's index does not know which matches are the newest, and would fetch them all.
        """
        low = full_text.number_of(ids.first_of(self.window.since)) if self.window.since else 0
        high = full_text.number_of(ids.first_of(self.window.until)) if self.window.until else 2**63 - 1
        high = min(high, full_text.number_of(before)) if before else high
        size, wanted = 0, FIRST_STRETCH
        for row in reversed(self.rows):
            size += row.size
            edge = full_text.number_of(row.first)
            if size >= wanted and low < edge < high:
                yield edge, high
                high, size, wanted = edge, 0, wanted * 4
        yield low, high

    def facets(self) -> dict[str, Counted]:
        """Of each facet of choices and each metadata name. A facet's own condition does not narrow its own counts."""
        names, many = self._listed()
        columns = self._columns(names)
        counted: dict[str, Counted] = {name: Counted(many=True) for name in many}
        for name in names:
            total: Counter[str] = Counter()
            for bits, has in zip(self._counting(name), columns, strict=True):
                column = has.get(name)
                if isinstance(column, Choices):
                    total.update(column.counts(bits))
            counted[name] = Counted(total.most_common())
        return counted

    def _counting(self, facet: str) -> list[BitMap]:
        """For each part, what answers the question when this facet's own conditions are left out."""
        if all(one.facet != facet for one in self.query.conditions):
            return self.found
        return self._meeting(self.query.without(facet).conditions, self.among)

    def _meeting(self, conditions: Iterable[Condition], among: Among) -> list[BitMap]:
        return [among.restrict(part, part.meeting_all(conditions)) for part in self.parts]

    def _listed(self) -> tuple[list[str], list[str]]:
        """The facets whose values are few enough to count, and the names of metadata where they are too many."""
        stored = IndexColumn.objects.filter(block__in=self.rows, name__startswith=METADATA)
        most: dict[str, int] = {}
        for name, distinct in stored.values_list("name", "distinct"):
            most[name] = max(distinct, most.get(name, 0))
        for name, column in self.loose.columns.items():
            if name.startswith(METADATA) and isinstance(column, Choices):
                most[name] = max(len(column.values), most.get(name, 0))
        few = [name for name, distinct in most.items() if distinct <= MOST_VALUES]
        asked = {one.facet for one in self.query.conditions}
        few = sorted(few, key=lambda name: (name not in asked, name))[:MOST_NAMES]
        plain = [facet.name for facet in FACETS if not facet.is_number]
        return plain + sorted(few), sorted(name for name, distinct in most.items() if distinct > MOST_VALUES)[
            :MOST_NAMES
        ]

    def chart(self, since: datetime, until: datetime, bars: int, *, timed: bool = True) -> list[Bar]:
        """What was found between two times, in so many equal stretches; latencies, which are most of the work, if `timed`."""
        first, last = (int(at.timestamp() * 1000) for at in (since, until))
        edges = [first + (last - first) * i // bars for i in range(bars + 1)]
        columns = self._columns({"state", "cost", "latency"} if timed else {"state", "cost"})
        parts = [
            _Charted(part.ids, bits, has, edges, timed=timed)
            for part, bits, has in zip(self.parts, self.found, columns, strict=True)
        ]
        return [_bar(parts, edges, i) for i in range(bars)]

    def figures(self, name: str) -> tuple[int | None, int | None]:
        """Median and 95th percentile of a facet of numbers, in its whole units."""
        parts = [
            (column, bits)
            for bits, has in zip(self.found, self._columns({name}), strict=True)
            if isinstance(column := has.get(name), Numbers)
        ]
        return quantile(parts, 0.5), quantile(parts, 0.95)

    def extent(self) -> tuple[datetime, datetime] | None:
        """From the first to the last log found."""
        ends = [part.ids[bits[i]] for part, bits in zip(self.parts, self.found, strict=True) if bits for i in (0, -1)]
        if not ends:
            return None
        return ids.time_of(uuid.UUID(bytes=min(ends))), ids.time_of(uuid.UUID(bytes=max(ends)))

    def _columns(self, names: Iterable[str]) -> list[dict[str, Column]]:
        """These columns of each part, in the order of the parts; what is loose has all of its columns."""
        stored = blocks.columns_of(self.rows, names)
        return [*(stored[row.pk] for row in self.rows), self.loose.columns]

    def _in_window(self, of: Ids) -> BitMap:
        since, until = self.window.since, self.window.until
        first = of.rank_of_time(int(since.timestamp() * 1000)) if since else 0
        last = of.rank_of_time(int(until.timestamp() * 1000)) if until else len(of)
        return BitMap(range(first, max(first, last)))


def _matching(column: Choices, condition: Choice) -> BitMap:
    """A value that is there as it was written is that one; for others all values are looked through."""
    exact = [column.values[value] for value in condition.values if value in column.values]
    if len(exact) == len(condition.values):
        return BitMap.union(*exact)
    return column.matching(condition.wants)


def _page(found: Sequence[uuid.UUID], size: int) -> Page:
    """From one more than fits, if there are that many."""
    return Page(list(found[:size]), found[size - 1] if len(found) > size else None)


class _Charted:
    """A part cut into the chart's bars; what all bars share is worked out once."""

    def __init__(self, of: Ids, bits: BitMap, columns: dict[str, Column], edges: Sequence[int], *, timed: bool) -> None:
        self.bits = bits
        self.ranks = [of.rank_of_time(edge) for edge in edges]
        state, cost = columns.get("state"), columns.get("cost")
        self.errors = bits & state.matching(lambda value: value in ERRORS) if isinstance(state, Choices) else BitMap()
        self.cost = [digit & bits for digit in cost.digits] if isinstance(cost, Numbers) else []
        latency = columns.get("latency") if timed else None
        self.latency = latency if isinstance(latency, Numbers) else None

    def cost_of(self, first: int, last: int) -> int:
        return sum(bits.range_cardinality(first, last) << i for i, bits in enumerate(self.cost))


def _bar(parts: Sequence[_Charted], edges: Sequence[int], i: int) -> Bar:
    count = errors = cost = 0
    timed: list[tuple[Numbers, BitMap]] = []
    for part in parts:
        first, last = part.ranks[i], part.ranks[i + 1]
        here = part.bits.range_cardinality(first, last) if last > first else 0
        if here:
            count += here
            errors += part.errors.range_cardinality(first, last)
            cost += part.cost_of(first, last)
            if part.latency:
                timed.append((part.latency, part.bits & BitMap(range(first, last))))
    since, until = (datetime.fromtimestamp(edge / 1000, tz=UTC) for edge in (edges[i], edges[i + 1]))
    return Bar(since, until, count, errors, cost / 10**8, quantile(timed, 0.5), quantile(timed, 0.95))
