"""A trace as a tree, whatever its spans say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.models import RequestLog
from logsui.request.trace import _in_order


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(["", *"abcde"])), max_size=8))
def test_a_trace_shows_every_request_once_whatever_its_spans_say(spans: list[tuple[str, str]]) -> None:
    logs = [RequestLog(span_id=span, parent_span_id=parent) for span, parent in spans]
    ordered = _in_order(logs)
    assert sorted(log.pk for log, _ in ordered) == sorted(log.pk for log in logs)


def test_children_follow_their_parent_in_a_trace() -> None:
    logs = [
        RequestLog(span_id=span, parent_span_id=parent)
        for span, parent in [("b", "a"), ("a", ""), ("c", "b"), ("d", "")]
    ]
    assert [(log.span_id, depth) for log, depth in _in_order(logs)] == [("a", 0), ("b", 1), ("c", 2), ("d", 0)]
