"""The other requests of a trace, as a tree by their spans, with where each lies in the time of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.models import RequestLog

MOST = 200


@dataclass(frozen=True, slots=True)
class Branch:
    """One request of the trace. `start` and `length` in percent of the time of all."""

    log: RequestLog
    depth: int
    start: float
    length: float


def read_trace(log: RequestLog) -> list[Branch]:
    """Parents before children, each level by time; empty when the request is alone in its trace."""
    found = RequestLog.objects.of(log.workspace).filter(trace_id=log.trace_id).order_by("id")
    logs = list(found.select_related("virtual_key")[:MOST])
    if len(logs) < 2:
        return []
    first = min(one.started_at for one in logs).timestamp() * 1000
    last = max(one.started_at.timestamp() * 1000 + (one.total_ms or 0) for one in logs)
    whole = max(last - first, 1)

    def branch(one: RequestLog, depth: int) -> Branch:
        start = 100 * (one.started_at.timestamp() * 1000 - first) / whole
        length = max(100 * (one.total_ms or 0) / whole, 0.8)
        return Branch(one, depth, round(min(start, 99.2), 2), round(length, 2))

    return [branch(one, depth) for one, depth in _in_order(logs)]


def _in_order(logs: Sequence[RequestLog]) -> list[tuple[RequestLog, int]]:
    """Every log exactly once, also when spans name each other in a circle."""
    spans = {one.span_id for one in logs if one.span_id}
    children: dict[str, list[RequestLog]] = {}
    for one in logs:
        parent = one.parent_span_id if one.parent_span_id in spans and one.parent_span_id != one.span_id else ""
        children.setdefault(parent, []).append(one)
    ordered: list[tuple[RequestLog, int]] = []
    waiting = [(one, 0) for one in reversed(children.pop("", []))]
    seen: set[object] = set()
    while waiting:
        one, depth = waiting.pop()
        if one.pk in seen:
            continue
        seen.add(one.pk)
        ordered.append((one, depth))
        waiting += [(child, depth + 1) for child in reversed(children.pop(one.span_id, [])) if one.span_id]
    return ordered + [(one, 0) for one in logs if one.pk not in seen]
