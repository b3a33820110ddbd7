"""Tells the collector of every log that ended; what it does not take now waits in a table, so that nothing is lost with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from django.conf import settings

from gateway import metrics
from gateway.faults import together
from gateway.models import LogImage, Payload, RequestLog, SpanToSend
from gateway.telemetry.collector import Collector
from gateway.telemetry.spans import Content, spans_of

AT_ONCE = 64


class SpanExport:
    """Call `step` again and again; it answers whether there was anything to send."""

    def __init__(self) -> None:
        self.content = Content(settings.OTEL_CONTENT, settings.ADDRESS)

    @cached_property
    def collector(self) -> Collector:
        return Collector(
            settings.OTEL_TRACES_URL,
            settings.OTEL_HEADERS,
            settings.OTEL_RESOURCE,
            certificate=settings.OTEL_CERTIFICATE,
        )

    def step(self) -> bool:
        """Raises faults.Away: the collector does not take them now."""
        waiting = list(SpanToSend.objects.oldest_first().values_list("pk", flat=True)[:AT_ONCE])
        logs = list(
            RequestLog.objects.filter(pk__in=waiting).select_related("workspace", "api_key", "virtual_key", "payload")
        )
        together(logs, self._send, _let_go)
        SpanToSend.objects.filter(pk__in=waiting).delete()
        return bool(waiting)

    def _send(self, logs: Sequence[RequestLog]) -> None:
        images = _images_of(logs) if self.content.texts else {}
        spans = [span for one in logs for span in spans_of(one, _payload(one), images.get(one, []), self.content)]
        if spans:
            self.collector.send(spans)
            metrics.SPANS.labels("sent").inc(len(spans))


def _let_go(one: RequestLog, reason: str) -> None:
    metrics.SPANS.labels("refused").inc()


def _payload(one: RequestLog) -> Payload | None:
    return getattr(one, "payload", None)


def _images_of(logs: Sequence[RequestLog]) -> dict[RequestLog, list[LogImage]]:
    found: dict[RequestLog, list[LogImage]] = {}
    for image in LogImage.objects.filter(log__in=logs).select_related("image", "workspace", "log"):
        found.setdefault(image.log, []).append(image)
    return found
