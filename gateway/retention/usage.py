"""What takes the space: files, database, journal; and what came over the wire, by day, model and key."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db.models import Count, Sum
from django.utils import timezone

from gateway.index.groups import sums
from gateway.index.search import Search, Window
from gateway.index.search_language import SearchQuery
from gateway.models import Image, LogImage, Part, RequestLog, RetentionRule, Workspace, engine
from gateway.retention import ageing, rules

PACE = timedelta(days=7)
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Usage:
    """Of the whole installation; in bytes."""

    pictures: int
    picture_count: int
    database: int
    journal: int
    free: int
    bound: int

    @classmethod
    def now(cls) -> Usage:
        files = Image.objects.all().with_bytes().aggregate(size=Sum("size"), count=Count("pk"))
        journal = sum(path.stat().st_size for path in settings.JOURNAL_ROOT.glob("*/*.seg"))
        free = shutil.disk_usage(settings.LOUPE_DATA).free
        pictures, database = files["size"] or 0, engine.bytes_used()
        return cls(pictures, files["count"], database, journal, free, ageing.bound(pictures + database))

    @property
    def kept(self) -> int:
        return self.pictures + self.database


@dataclass(frozen=True)
class Pace:
    """How fast a workspace's pictures grow, in bytes a day, over the last week or since it began."""

    workspace: Workspace
    rule: RetentionRule

    @cached_property
    def pictures_a_day(self) -> int:
        since = timezone.now() - PACE
        shown = LogImage.objects.filter(workspace=self.workspace, log__in=RequestLog.objects.since(since))
        size = Image.objects.filter(created_at__gte=since, log_images__in=shown).distinct().aggregate(size=Sum("size"))
        return int((size["size"] or 0) / max(self._days, 1))

    @cached_property
    def _days(self) -> float:
        first = RequestLog.objects.of(self.workspace).order_by("pk").values_list("started_at", flat=True).first()
        return min(timezone.now() - first, PACE) / timedelta(days=1) if first else 1

    @property
    def settles_at(self) -> int | None:
        """How many bytes of pictures there will be in the end; None where they stay for ever."""
        days = self.rule.pictures_days
        return None if days is None else days * self.pictures_a_day

    def days_until(self, usage: Usage) -> int | None:
        """When the bound of size is reached, if the rule alone does not keep the pictures under it."""
        room = usage.bound - usage.kept
        more = None if self.settles_at is None else self.settles_at - usage.pictures
        if not self.pictures_a_day or (more is not None and more <= room):
            return None
        return max(room, 0) // self.pictures_a_day


def would_go(rule: RetentionRule) -> dict[Part, int]:
    """How many logs would lose each part at the next run, counted up to a bound."""
    found = {}
    for part in rules.RULED:
        cutoff = rule.cutoff(part)
        logs = RequestLog.objects.of(rule.workspace).filter(pk__lt=cutoff) if cutoff else RequestLog.objects.none()
        if part != Part.FIGURES:
            logs = logs.filter(pk__gt=getattr(rule, f"{part}_upto"))
        if part == Part.PICTURES:
            logs = logs.filter(images__image__removed_at=None, images__image__isnull=False).distinct()
        found[part] = rules.unkept(logs)[: MOST_COUNTED + 1].count()
    return found


def by_facet(workspace: Workspace, facet: str, since: datetime) -> list[tuple[str, int]]:
    """The bytes of requests since then as they came, by the values of a facet, the most first."""
    return sums(Search(workspace, SearchQuery(), Window(since)), facet, "size").most_common()


def by_day(workspace: Workspace, days: int) -> list[tuple[datetime, int]]:
    """The bytes of requests as they came, of each of the last days in UTC, the newest first."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    ends = [midnight + timedelta(days=1 - back) for back in range(days + 1)]
    spans = [Window(start, end) for end, start in itertools.pairwise(ends)]
    return [(span.since or midnight, Search(workspace, SearchQuery(), span).total("size")) for span in spans]
