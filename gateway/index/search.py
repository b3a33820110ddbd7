"""One question over one workspace and one stretch of time: the page of logs, the facets' counts, and the chart.

What is in blocks is answered from bitmaps. What waits to be indexed is made into a block in memory for the moment, and
hidden where a stored block has an older state of it, so that answers are exact at any time.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import NamedTuple

from pyroaring import BitMap

from gateway import ids
from gateway.index import blocks, full_text
from gateway.index.bitmaps import Block, Choices, Column, Ids, Numbers, quantile
from gateway.index.chart import Bar, Bars, Cut, Sums, between
from gateway.index.facets import FACETS, METADATA
from gateway.index.parts import Among, Part
from gateway.index.runs import Run, columns_of, runs_of
from gateway.index.search_language import Condition, SearchQuery, Words
from gateway.index.totals import Totals, added_up, is_listed
from gateway.models import Image, LogImage, RequestLog, Workspace
from gateway.models.index import IndexBlock, IndexColumn, Unindexed
from gateway.timings import spending

MOST_LOOSE = 1000
MOST_TEXT = 3000
FIRST_STRETCH = 65_536
FIRST_TEXT = 500
MOST_NAMES = 40  # of metadata, that are listed; every one can be asked for
CHARTED = {True: ("state", "cost", "latency"), False: ("state", "cost")}


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


@dataclass(frozen=True, slots=True)
class Counted:
    """The values of a facet with how many logs have each, most first. `many` says that there are too many to list."""

    values: list[tuple[str, int]] = field(default_factory=list)
    many: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Ids newest first. `next` is where the page after it begins, None when nothing older is found.

    `partial` says that a search for a text stopped at `next` before the page was full.
    """

    ids: list[uuid.UUID]
    next: uuid.UUID | None
    partial: bool = False


class Held(NamedTuple):
    """Some logs that were found, by their positions in a part; `id_at` answers the id at one."""

    id_at: Callable[[int], bytes]
    bits: BitMap
    columns: Mapping[str, Column]


class Search:
    """Lazy: each answer reads the columns that it needs, and nothing twice."""

    def __init__(self, workspace: Workspace, query: SearchQuery, window: Window) -> None:
        self.workspace, self.query, self.window = workspace, query, window.narrowed(*query.times)
        self.behind = 0

    @cached_property
    def rows(self) -> list[IndexBlock]:
        found = IndexBlock.objects.of(self.workspace).in_order()
        if self.window.since:
            found = found.filter(last__gte=ids.first_of(self.window.since))
        if self.window.until:
            found = found.filter(first__lt=ids.first_of(self.window.until))
        return list(found)

    @cached_property
    def loose(self) -> Block:
        """What waits to be indexed, newest first and not without end."""
        found = Unindexed.objects.filter(workspace=self.workspace)
        rows = list(found.order_by("-log_id", "-pk").values_list("log_id", "pk", "values")[: MOST_LOOSE + 1])
        if len(rows) > MOST_LOOSE:
            logs = found.values("log_id").distinct()
            self.behind = logs.count() - len({log_id for log_id, *_ in rows[:MOST_LOOSE]})
        return blocks.block_of(rows[:MOST_LOOSE])

    @cached_property
    def whole(self) -> dict[IndexBlock, Totals]:
        """The blocks that count with all that is in them: nothing is asked, and nothing of them hidden or outside."""
        if not self.query.is_empty:
            return {}
        found = [row for row in self.rows if row.totals_length and self._is_inside(row) and not self._is_hidden(row)]
        totals = blocks.totals_of(found)
        return {row: totals[row.pk] for row in found if row.pk in totals and totals[row.pk].is_full}

    def _is_inside(self, row: IndexBlock) -> bool:
        since, until = self.window.since, self.window.until
        return (not since or ids.first_of(since) <= row.first) and (not until or row.last < ids.first_of(until))

    def _is_hidden(self, row: IndexBlock) -> bool:
        """Whether a newer state of a log in it may wait to be indexed."""
        return self.loose.ids.rank(row.first.bytes) < self.loose.ids.rank(row.last.bytes + b"\0")

    @cached_property
    def opened(self) -> list[IndexBlock]:
        """The blocks that must be looked into."""
        return [row for row in self.rows if row not in self.whole]

    @cached_property
    def _runs_and_others(self) -> tuple[list[Run], list[IndexBlock]]:
        """The opened blocks: those that are asked side by side, and those that are small, hidden or partly outside."""
        plain = {row for row in self.opened if row.totals_length and self._is_inside(row) and not self._is_hidden(row)}
        runs, others = runs_of(row for row in self.opened if row in plain)
        return runs, [*others, *(row for row in self.opened if row not in plain)]

    @cached_property
    def parts(self) -> list[Part]:
        """Runs, other blocks, what waits: with the columns that the conditions ask for; without the blocks that are whole."""
        runs, others = self._runs_and_others
        columns = self._columns({one.facet for one in self.query.conditions})
        return [
            *(Part(run.ids, has, run.seen) for run, has in zip(runs, columns, strict=False)),
            *self._parts(others, columns[len(runs) : -1]),
            Part(self.loose.ids, columns[-1], self._in_window(self.loose.ids)),
        ]

    def _parts(self, rows: Sequence[IndexBlock], columns: Iterable[dict[str, Column]]) -> list[Part]:
        kept, hidden = blocks.ids_of(rows), list(self.loose.ids)
        return [
            Part(kept[row.pk], found, self._in_window(kept[row.pk]) - kept[row.pk].positions(hidden))
            for row, found in zip(rows, columns, strict=True)
        ]

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

    @spending("index")
    def count(self) -> int:
        return sum(len(bits) for bits in self.found) + sum(row.size for row in self.whole)

    @spending("index")
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

    @spending("index")
    def newer(self, id: uuid.UUID) -> uuid.UUID | None:
        """The next newer log that answers the question; of a text, among its newest matches."""
        if self.query.is_empty:
            logs = RequestLog.objects.of(self.workspace).since(self.window.since).until(self.window.until)
            return logs.filter(pk__gt=id).order_by("pk").values_list("pk", flat=True).first()
        found = [part.after(bits, id.bytes) for part, bits in zip(self.parts, self.found, strict=True)]
        return min((uuid.UUID(bytes=one) for one in found if one), default=None)

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

    @spending("index")
    def facets(self) -> dict[str, Counted]:
        """Of each facet of choices and each metadata name. A facet's own condition does not narrow its own counts."""
        names, many = self._listed()
        columns = self._columns(names)
        counted: dict[str, Counted] = {name: Counted(many=True) for name in many}
        whole = added_up([((row.pk, row.version), totals.counts) for row, totals in self.whole.items()])
        for name in names:
            total = Counter(whole.get(name, {}))
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
        stored = IndexColumn.objects.filter(block__in=self.opened, name__startswith=METADATA)
        known = [*stored.values_list("name", "distinct"), *self._metadata_of_whole()]
        most: dict[str, int] = {}
        for name, distinct in known:
            most[name] = max(distinct, most.get(name, 0))
        for name, column in self.loose.columns.items():
            if name.startswith(METADATA) and isinstance(column, Choices):
                most[name] = max(len(column.values), most.get(name, 0))
        few = [name for name, distinct in most.items() if is_listed(name, distinct)]
        asked = {one.facet for one in self.query.conditions}
        few = sorted(few, key=lambda name: (name not in asked, name))[:MOST_NAMES]
        plain = [facet.name for facet in FACETS if not facet.is_number]
        many = sorted(name for name, distinct in most.items() if not is_listed(name, distinct))
        return plain + sorted(few), many[:MOST_NAMES]

    def _metadata_of_whole(self) -> Iterator[tuple[str, int]]:
        pairs = (pair for totals in self.whole.values() for pair in totals.distinct.items())
        return ((name, distinct) for name, distinct in pairs if name.startswith(METADATA))

    @spending("index")
    def chart(self, since: datetime, until: datetime, bars: int, *, timed: bool = True) -> list[Bar]:
        """What was found between two times, in so many equal stretches; latencies, which are most of the work, if `timed`."""
        first, last = (int(at.timestamp() * 1000) for at in (since, until))
        chart = Bars([first + (last - first) * i // bars for i in range(bars + 1)])
        blocks.ids_of([row for run in self._runs_and_others[0] for row in run.ids.lacking(chart.edges)])  # at once
        for part, bits, has in zip(self.parts, self.found, self._columns(CHARTED[timed]), strict=True):
            if bits:
                bar, times = between(chart.edges, part.ids.time(bits.min()), part.ids.time(bits.max()))
                cut = Cut(part.ids, bits, has, times)
                chart.add(bar, cut.sums())
                chart.time(bar, cut.timed())
        self._chart_whole(chart, timed=timed)
        return chart.drawn()

    def _chart_whole(self, chart: Bars, *, timed: bool) -> None:
        """A block inside of one bar adds what it adds up to; others are cut, and their pieces kept for the next look."""
        to_cut: dict[IndexBlock, tuple[int, Sequence[int]]] = {}
        for row, totals in self.whole.items():
            bar, times = between(chart.edges, ids.milliseconds(row.first), ids.milliseconds(row.last))
            kept = None if timed else blocks.cache.get((row.pk, row.version, f"(chart {times})"))
            if not (times or timed):
                chart.add(bar, [Sums.of(totals, row.size)])
            elif isinstance(kept, list):
                chart.add(bar, kept)
            else:
                to_cut[row] = bar, times
        columns = blocks.columns_of(list(to_cut), CHARTED[timed])
        for part, row in zip(self._parts(list(to_cut), columns.values()), to_cut, strict=True):
            bar, times = to_cut[row]
            cut = Cut(part.ids, part.seen, columns[row.pk], times)
            chart.add(bar, sums := cut.sums())
            chart.time(bar, cut.timed())
            blocks.cache.put((row.pk, row.version, f"(chart {times})"), sums, 100 * len(sums))

    @spending("index")
    def figures(self, name: str) -> tuple[int | None, int | None]:
        """Median and 95th percentile of a facet of numbers, in its whole units."""
        parts = [
            (column, bits)
            for bits, has in zip(self.found, self._columns({name}), strict=True)
            if isinstance(column := has.get(name), Numbers)
        ]
        tallies = [totals.tallies[name] for totals in self.whole.values() if name in totals.tallies]
        return quantile(parts, 0.5, tallies), quantile(parts, 0.95, tallies)

    @spending("index")
    def total(self, number: str) -> int:
        """What a facet of numbers that blocks sum up (`totals.SUMMED`) adds up to, in the index's units."""
        found = zip(self.found, self._columns({number}), strict=True)
        inside = sum(column.total(bits) for bits, has in found if isinstance(column := has.get(number), Numbers))
        return inside + sum(totals.sums[number] for totals in self.whole.values())

    def all_with(self, names: set[str]) -> Iterator[Held]:
        """What was found, part by part, with these columns; also of the blocks that are whole, whose ids are read when asked."""
        for part, bits, has in zip(self.parts, self.found, self._columns(names), strict=True):
            yield Held(part.ids.__getitem__, bits, has)
        columns = blocks.columns_of(list(self.whole), names)
        for row in self.whole:
            yield Held(partial(_id_at, row), BitMap(range(row.size)), columns[row.pk])

    @spending("index")
    def extent(self) -> tuple[datetime, datetime] | None:
        """From the first to the last log found."""
        ends = [part.ids[bits[i]] for part, bits in zip(self.parts, self.found, strict=True) if bits for i in (0, -1)]
        ends += [end.bytes for row in self.whole for end in (row.first, row.last)]
        if not ends:
            return None
        return ids.time_of(uuid.UUID(bytes=min(ends))), ids.time_of(uuid.UUID(bytes=max(ends)))

    def _columns(self, names: Iterable[str]) -> list[dict[str, Column]]:
        """These columns of each part, in the order of the parts; what is loose has all of its columns."""
        names = set(names)
        runs, others = self._runs_and_others
        stored = blocks.columns_of(others, names)
        return [*columns_of(runs, names), *(stored[row.pk] for row in others), self.loose.columns]

    def _in_window(self, of: Ids) -> BitMap:
        since, until = self.window.since, self.window.until
        first = of.rank_of_time(int(since.timestamp() * 1000)) if since else 0
        last = of.rank_of_time(int(until.timestamp() * 1000)) if until else len(of)
        return BitMap(range(first, max(first, last)))


def _id_at(row: IndexBlock, position: int) -> bytes:
    return blocks.ids_of([row])[row.pk][position]


def _page(found: Sequence[uuid.UUID], size: int) -> Page:
    """From one more than fits, if there are that many."""
    return Page(list(found[:size]), found[size - 1] if len(found) > size else None)
