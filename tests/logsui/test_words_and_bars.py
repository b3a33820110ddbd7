"""What the pages say, without the pages: warnings in words, bars, trees, Markdown, differences, columns."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.index.search import Bar
from gateway.index.search_language import parse
from gateway.models import Image, LogImage, RequestLog
from gateway.pictures.image_warnings import warnings_of
from logsui.logs import chart, columns
from logsui.logs.list_query import ListQuery
from logsui.request import breakdown
from logsui.request.json_tree import Node, Tree
from logsui.request.markdown import rendered
from logsui.request.trace import _in_order
from prompts.diff import words_between

MODEL = "gpt-4o"


def image(**fields: Any) -> LogImage:
    usual = {
        "sha256": "a" * 64,
        "media_type": "image/jpeg",
        "size": 3000,
        "width": 800,
        "height": 600,
        "thumbnail": "made",
    }
    own = {name: fields.pop(name) for name in ("source", "declared_type", "detail", "direction") if name in fields}
    kept = {"direction": "input", "index": 0, "source": "data"}
    return LogImage(image=Image(**usual | fields), **kept | own)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"orientation": 6}, "lying on its side"),
        ({"orientation": 3}, "upside down"),
        ({"has_gps": True}, "GPS"),
        ({"frames": 2}, "Animated"),
        ({"has_alpha": True}, "transparency"),
        ({"colour_mode": "CMYK"}, "CMYK"),
        ({"truncated": True}, "ends too early"),
        ({"blank": True}, "One colour all over"),
        ({"thumbnail": "failed", "thumbnail_problem": "image_undecodable"}, "Could not be decoded"),
        ({"declared_type": "image/png"}, "Declared as image/png, but the bytes are image/jpeg."),
        ({"width": 4032, "height": 3024}, "Resized by the provider to 1,024 × 768: send that, and save about 94%"),
    ],
)
def test_each_oddity_of_a_picture_is_one_sentence(fields: dict[str, Any], says: str) -> None:
    (sentence,) = warnings_of(image(**fields), MODEL)
    assert says in sentence


@pytest.mark.parametrize(
    "fields", [{}, {"declared_type": "image/jpg"}, {"orientation": 1}, {"detail": "low", "width": 500, "height": 500}]
)
def test_an_ordinary_picture_has_no_warning(fields: dict[str, Any]) -> None:
    assert warnings_of(image(**fields), MODEL) == []


@given(
    st.lists(st.tuples(st.sampled_from(["data", "file", "link"]), st.integers(1, 10**6)), max_size=5),
    st.integers(0, 10**6),
)
def test_the_bar_of_bytes_adds_up_to_the_request(given_images: list[tuple[str, int]], text: int) -> None:
    images = [image(source=source, size=size) for source, size in given_images]
    encoded = sum(size if source == "file" else -(-size // 3) * 4 for source, size in given_images if source != "link")
    bar = breakdown.bytes_of(RequestLog(request_bytes=text + encoded), images)
    assert sum(one.amount for one in bar) == text + encoded
    assert bar[0].amount == text


@given(*[st.none() | st.floats(0, 10**6) for _ in range(4)])
def test_the_bar_of_time_never_leaves_its_box(
    total: float | None, first: float | None, upstream: float | None, gateway: float | None
) -> None:
    log = RequestLog(total_ms=total, first_byte_ms=first, upstream_ms=upstream, gateway_ms=gateway)
    bar = breakdown.time_of(log)
    assert all(one.amount >= 0 for one in bar)
    assert not bar or sum(one.amount for one in bar) == pytest.approx(total, abs=0.02)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


ATTACKS = "<script>x</script> <img src=x> ![i](http://t.example) [j](javascript:x) [d](data:text/html,x) [f](file:///e) <b>*a*</b> `c` | - # > http://u.example"


@given(
    st.lists(st.sampled_from(ATTACKS.split(" ")) | st.text(max_size=6) | st.sampled_from(["\n", "\n\n", "```", "|"]))
)
def test_markdown_never_runs_or_loads_anything(parts: list[str]) -> None:
    tags = Tags()
    tags.feed(rendered(" ".join(parts)))
    for name, attributes in tags.found:
        assert name not in ("script", "img", "iframe", "style", "b", "object")
        assert not [key for key in attributes if key.startswith("on") or key == "src"]
        assert not attributes.get("href") or re.match(r"(https?|mailto):", attributes["href"] or "")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def known(node: Node, tree: Tree) -> Any:
    """The value that a reader gets who unfolds every branch."""
    node = node if node.is_open or not node.count else tree.at(node.pointer)
    if node.kind == "object":
        return {one.name: known(one, tree) for one in node.children}
    if node.kind == "array":
        return [known(one, tree) for one in node.children]
    text = "".join(piece.text for piece in node.pieces)
    return text if node.kind == "text" else json.loads(text)


@given(values)
def test_unfolding_a_tree_shows_the_whole_body(value: Any) -> None:
    tree = Tree(json.dumps(value).encode(), [])
    assert known(tree.root(), tree) == json.loads(json.dumps(value).encode("utf-8", "replace"))


def test_a_tree_shows_pictures_in_their_place_and_no_base64() -> None:
    one = image()
    text = f"data:image/jpeg;base64,sha256:{one.image_id} and {'A' * 5000}"
    node = Tree(json.dumps([text]).encode(), [one]).at("/0")
    assert [piece.image for piece in node.pieces] == [None, one, None]
    assert len(node.pieces[2].text) < 100


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_difference_holds_both_texts(left: str, right: str) -> None:
    found = words_between(left, right)
    assert "".join(one.text for one in found if one.kind != "ins") == left
    assert "".join(one.text for one in found if one.kind != "del") == right


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


def test_columns_are_shown_hidden_and_moved_and_the_last_one_stays() -> None:
    two = columns.shown({columns.COOKIE: "time.model.nonsense.time"})
    assert [one.name for one in two] == ["time", "model"]
    assert [one.name for one in columns.arranged(two, "up", "model")] == ["model", "time"]
    assert [one.name for one in columns.arranged(two, "show", "key")] == ["time", "model", "key"]
    assert [one.name for one in columns.arranged(two[:1], "hide", "time")] == ["time"]
    assert columns.arranged(two, "up", "nonsense") == two


def test_an_address_is_read_and_written_the_same() -> None:
    query = ListQuery.read({"q": "model:a red", "from": "1000", "to": "2000", "chart": "cost"})
    assert (
        ListQuery.read(
            dict(pair.split("=") for pair in query.address[1:].replace("%3A", ":").replace("+", " ").split("&"))
        )
        == query
    )
    assert query.search == parse("model:a red")
    assert query.with_span("7d").address == "?q=model%3Aa+red&w=7d&chart=cost"
