"""How figures are written: durations, sizes, money, tokens. Unknown is said, never shown as zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from urllib.parse import urlencode

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gateway.content.json_written import broken_into_lines
from gateway.index.facets import METADATA
from gateway.index.search_language import Choice, SearchQuery
from gateway.models import Image, LogImage, RequestLog
from gateway.providers.base import Provider
from logsui.logs.sidebar import Value
from logsui.request import breakdown
from logsui.words.highlight import highlighted
from prompts.diff import Stretch

register = template.Library()
register.filter("told", breakdown.told)

# By the first step of a page's address, after that of its workspace
SECTIONS = {
    "logs": "logs",
    "diff": "logs",
    "pictures": "pictures",
    "prompts": "prompts",
    "partials": "prompts",
    "sets": "prompts",
    "runs": "prompts",
    "comparisons": "prompts",
    "connect": "connect",
    "storage": "keys",
    "people": "keys",
    "keys": "keys",
    "virtual-keys": "keys",
    "account": "account",
}


@register.filter
def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


@register.filter
def bytesize(count: int | None) -> str:
    if count is None:
        return ""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} KB"
    if count < 1_000_000_000:
        return f"{count / 1_000_000:.1f} MB"
    return f"{count / 1_000_000_000:.1f} GB"


@register.filter
def money(cost: Decimal | None) -> str:
    if cost is None:
        return "unknown"
    if cost == 0:
        return "$0"
    return f"${cost:.4f}" if cost >= Decimal("0.0001") else f"${cost:.6f}"


@register.filter
def dollars(amount: float | Decimal) -> str:
    """Of many requests together."""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


@register.filter
def exact_share(percent: float) -> str:
    return f"{percent:.0f}%" if percent >= 10 else f"{percent:.1f}%"


@register.filter
def in_unit(amount: float, unit: str) -> str:
    """A time where the unit is `ms`, a size where it is `bytes`."""
    return duration(amount) if unit == "ms" else bytesize(int(amount))


@register.filter
def at_most(count: int, most: int) -> str:
    """A count that was not carried on beyond `most`."""
    return f"{count:,}+" if count > most else f"{count:,}"


@register.filter
def thousands(count: int) -> str:
    return f"{count:,}"


@register.filter
def priced(tokens: float, each: Decimal) -> Decimal:
    return Decimal(str(tokens)) * each


@register.filter
def asks(value: object, facet: str) -> str:
    """The part of an address that asks the list, over all time, for what has this value."""
    asked = SearchQuery(trace=str(value)) if facet == "trace" else SearchQuery().also(Choice(facet, (str(value),)))
    return urlencode({"q": str(asked), "w": "all"})


@register.filter
def asks_metadata(value: object, name: str) -> str:
    return asks(value, METADATA + name)


@register.filter
def exact(number: float) -> str:
    """As SVG writes a number, whatever the language."""
    return f"{number:.6g}"


@register.filter
def share(part: float | None, whole: float | None) -> str:
    """A percentage for the width of a bar."""
    return f"{100 * part / whole:.1f}" if part and whole else "0"


@register.simple_tag
def facet_value(value: Value) -> SafeString:
    """A value in the sidebar. In Python: as a template, the hundred of them took a third of the page."""
    return format_html(
        '<li><a class="facet-value" href="{}" data-go role="checkbox" aria-checked="{}"><i class="box"></i>'
        '<span>{}</span><b>{}</b></a><a class="facet-not" href="{}" data-go aria-label="All but {}">&minus;</a></li>',
        value.link,
        "true" if value.chosen else "false",
        value.title,
        thousands(value.count),
        value.refuse,
        value.title,
    )


@register.simple_tag
def thumbs(log: RequestLog, most: int, here: str) -> SafeString:
    """The first pictures of a row in at most `most` boxes, the last of which says how many more there are."""
    more = log.image_count - most + 1 if log.image_count > most else 0
    shown = list(log.images.all())[: most - 1 if more else most]
    boxes = [thumb(one, here) for one in shown]
    rest = [format_html('<span class="thumb thumb-label">+{}</span>', more)] if more else []
    return format_html_join("", "{}", ((box,) for box in boxes + rest))


@register.simple_tag
def thumb(one: LogImage, here: str) -> SafeString:
    """A picture in a fixed box; `here` is the address of its log. In Python: as a template, 200 of them took half of a page."""
    if one.image and one.image.drawn:
        size = f", {one.image.width} by {one.image.height} pixels" if one.image.width else ""
        return format_html(
            '<img class="thumb{}" src="{}/images/{}/256" width="44" height="44" loading="lazy" decoding="async" '
            'alt="{} image {}{}">',
            " thumb-out" if one.direction == LogImage.Direction.OUTPUT else "",
            here,
            one.number,
            one.get_direction_display(),
            one.index + 1,
            size,
        )
    if one.snapshot == LogImage.Snapshot.PENDING:
        return format_html('<span class="thumb thumb-waiting" title="{}"></span>', "The link is being copied")
    label, why = _undrawn(one)
    return format_html('<span class="thumb thumb-label" title="{}">{}</span>', why, label)


def _undrawn(one: LogImage) -> tuple[str, str]:
    """A few letters for a file that is not drawn, and why it is not."""
    if one.image is None:
        why = f"{one.get_source_display()}: {one.snapshot_reason or one.get_snapshot_display()}"
        return ("link" if one.source == LogImage.Source.LINK else "?"), why
    problem = f": {one.image.thumbnail_problem}" if one.image.thumbnail_problem else ""
    return one.image.label[:5], one.image.media_type + problem


@register.filter
def why_undrawn(one: LogImage) -> str:
    """Why a picture is not shown, in a sentence."""
    if one.image is not None:
        problem = one.image.thumbnail_problem
        if one.image.removed_at:
            return f"{one.image.label}, {one.image.dimensions}: its bytes were {problem}"
        failed = one.image.thumbnail == Image.Thumbnail.FAILED
        return f"{one.image.label} is " + (f"not shown: {problem}" if failed else "kept, not drawn")
    if one.snapshot == LogImage.Snapshot.PENDING:
        return "The link is being copied …"
    if one.snapshot == LogImage.Snapshot.OFF:
        return "Copies of links are off (LOUPE_SNAPSHOT)"
    return f"Not kept: {one.snapshot_reason}"


@register.filter
def changes(stretches: Iterable[Stretch]) -> SafeString:
    """Two texts as one, with what went and what came marked. In Python: a template cannot keep blanks out of `<pre>`."""
    marked = {"del": "<del>{}</del>", "ins": "<ins>{}</ins>"}
    return format_html_join("", "{}", ((format_html(marked.get(one.kind, "{}"), one.text),) for one in stretches))


@register.simple_tag(takes_context=True)
def section(context: template.Context) -> str:
    """Which of the places in the rail the page belongs to."""
    if "request" not in context:  # the page of an unexpected failure
        return ""
    steps = context["request"].path.split("/")
    return SECTIONS.get(steps[3] if steps[1:2] == ["w"] and len(steps) > 3 else steps[1], "")


@register.simple_tag
def state_dot(log: RequestLog) -> SafeString:
    title = log.get_state_display()
    whole = f"{title}, {log.status}" if log.status else title
    return format_html(
        '<span class="dot dot-{}" title="{}"></span><span class="hidden">{}</span>', log.state, whole, title
    )


@register.filter
def flags(log: RequestLog) -> list[str]:
    """What deserves a second look, in few words: warnings of the call, and what is odd about the pictures of the row."""
    found = list(log.warnings[:3])
    for one in log.images.all():
        found += [text for text, holds in _oddities(one.image) if holds] if one.image else []
    return list(dict.fromkeys(found))


def _oddities(image: Image) -> list[tuple[str, bool]]:
    return [
        ("rotated by EXIF", (image.orientation or 1) > 1),
        ("one colour all over", bool(image.blank)),
        ("the file ends too early", bool(image.truncated)),
        ("not drawable", image.thumbnail == Image.Thumbnail.FAILED),
    ]


@register.filter
def item(mapping: Mapping[str, object] | None, key: str) -> object:
    return mapping.get(key, "") if mapping else ""


@register.filter
def shallow(depth: int) -> int:
    """A depth that the stylesheet has a step for."""
    return min(depth, 6)


@register.filter
def code(text: str) -> SafeString:
    """JSON with its lines broken, in colours; anything else as it is."""
    broken = broken_into_lines(text)
    return highlighted(broken or text, "json" if broken else "text")


@register.filter
def address(provider: Provider) -> str:
    """A provider's own address, with what its settings fill in shown by name."""
    if isinstance(provider.base_url, str):
        return provider.base_url
    return provider.base_url({one.name: f"<{one.name}>" for one in provider.settings})
