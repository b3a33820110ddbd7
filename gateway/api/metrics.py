"""GET /metrics: what all processes of this node count, and what waits, in Prometheus' text format."""

from __future__ import annotations

import hmac
import shutil
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.metrics import added_up
from gateway.models import Deletion, Image, LogImage, PictureToGo, SpanToSend, Unindexed
from prompts.models import Cell

BEARER = "Bearer "


def metrics(request: HttpRequest) -> HttpResponse:
    if not settings.METRICS_TOKEN:
        return _told("Whoever runs Loupe opens this by setting LOUPE_METRICS_TOKEN.", 404)
    given = request.headers.get("authorization", "").removeprefix(BEARER)
    if not hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        return _told("This needs Authorization: Bearer, with the token in LOUPE_METRICS_TOKEN.", 401)
    registry = CollectorRegistry()
    registry.register(Counted())
    registry.register(Waiting())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _told(why: str, status: int) -> HttpResponse:
    return HttpResponse(f"{why}\n", status=status, content_type="text/plain; charset=utf-8")


class Counted(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from added_up(settings.METRICS_ROOT)


class Waiting(Collector):
    """What is looked up when it is asked for: queues in the database, the journals of this node, its disk."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from _journal()
        free = GaugeMetricFamily("loupe_disk_free_bytes", "Of the disk of the data folder")
        free.add_metric([], shutil.disk_usage(settings.LOUPE_DATA).free)
        yield free
        answers = GaugeMetricFamily("loupe_database_up", "Whether the database answers")
        try:
            yield _queues()
            answers.add_metric([], 1)
        except DatabaseError:
            answers.add_metric([], 0)
        yield answers


def _journal() -> Iterator[GaugeMetricFamily]:
    segments = [path.stat() for path in settings.JOURNAL_ROOT.glob("*/*.seg")]
    size = GaugeMetricFamily("loupe_journal_bytes", "What the journals of this node hold")
    size.add_metric([], sum(one.st_size for one in segments))
    age = GaugeMetricFamily("loupe_journal_age_seconds", "Since the oldest closed segment was last written to")
    closed = sorted(one.st_mtime for one in segments if one.st_size)[:-1]
    age.add_metric([], time.time() - closed[0] if closed else 0)
    yield from (size, age)


def _queues() -> GaugeMetricFamily:
    """Raises DatabaseError."""
    queues = GaugeMetricFamily("loupe_waiting", "What waits for the worker", labels=["what"])
    for what, rows in {
        "thumbnails": Image.objects.without_thumbnail(),
        "links": LogImage.objects.to_snapshot(),
        "index": Unindexed.objects.all(),
        "files_to_remove": PictureToGo.objects.all(),
        "deletions": Deletion.objects.waiting(),
        "spans": SpanToSend.objects.all(),
        "cells_of_runs": Cell.objects.waiting(),
    }.items():
        queues.add_metric([what], rows.count())
    return queues
