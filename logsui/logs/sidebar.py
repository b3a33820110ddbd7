"""The facets beside the list: each value with its count, as a link that asks for it, and ranges for numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.index.facets import BY_NAME, FACETS, METADATA, Facet
from gateway.index.search import Counted
from gateway.index.search_language import BadQuery, Choice, Range, parse
from logsui.logs.list_query import ListQuery

FLAGS = {facet.name for facet in FACETS if facet.is_flag}
SHOWN = 5
MOST_SHOWN = 30
TITLES = {
    "state": {
        "ok": "Success",
        "error": "Provider error",
        "failed": "Failed",
        "refused": "Refused",
        "aborted": "Client left",
        "interrupted": "Interrupted",
        "in_flight": "In flight",
    },
    "feedback": {"good": "Good", "bad": "Bad", "note": "With a note"},
    "snapshot": {"kept": "Kept", "failed": "Failed", "off": "Off", "pending": "On its way"},
    "image": {"input": "In the request", "output": "In the answer", "none": "No picture"},
    "source": {"data": "In the body", "file": "Uploaded file", "link": "Link"},
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet. `link` asks for it, or takes it away; `refuse` asks for everything else."""

    title: str
    count: int
    link: str
    refuse: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """One facet as it is drawn. `low` and `high` are what the person wrote for a number, `other` what is no range."""

    name: str
    title: str
    section: str
    values: list[Value] = field(default_factory=list)
    rest: list[Value] = field(default_factory=list)
    is_number: bool = False
    unit: str = ""
    other: str = ""
    low: str = ""
    high: str = ""
    many: bool = False
    folded: bool = False
    clear: str = ""


def groups(query: ListQuery, counted: dict[str, Counted]) -> list[Group]:
    """In the order of the table of facets, metadata last. A facet that nothing has is left out."""
    made: list[Group] = []
    for facet in _facets(counted):
        group = _number(query, facet) if facet.is_number else _choices(query, facet, counted)
        if facet.is_flag and made and made[-1].section == facet.group and made[-1].name in FLAGS:
            made[-1].values.extend(group.values)
        elif group.values or group.is_number or group.many or group.clear:
            made.append(group)
    return made


def with_range(query: ListQuery, name: str, low: str, high: str) -> ListQuery:
    """The list narrowed to numbers between two bounds as typed. Raises BadQuery."""
    if name not in BY_NAME or not BY_NAME[name].is_number:
        raise BadQuery(f"{name} has no range.")
    low, high = ("".join(bound.split()) for bound in (low, high))
    if not low and not high:
        return query.asking(query.search.without(name))
    (condition,) = parse(f"{name}:{low}..{high}").conditions
    assert isinstance(condition, Range)
    return query.asking(query.search.without(name).also(condition))


def _facets(counted: Iterable[str]) -> Iterator[Facet]:
    yield from FACETS
    for name in counted:
        if name.startswith(METADATA):
            yield Facet(name, name.removeprefix(METADATA), "Metadata", lambda entry: None)


def _choices(query: ListQuery, facet: Facet, counted: dict[str, Counted]) -> Group:
    found = counted.get(facet.name, Counted())
    condition = query.search.of(facet.name)
    chosen = condition.values if isinstance(condition, Choice) else ()
    counts = dict(found.values) | {value: dict(found.values).get(value, 0) for value in chosen if "*" not in value}
    values = [_value(query, facet, value, count, chosen) for value, count in list(counts.items())[:MOST_SHOWN]]
    # What is chosen stays where it was, so that the next click is not on another value.
    cut = max([SHOWN, *(place for place, value in enumerate(values, 1) if value.chosen)])
    return Group(
        facet.name,
        "Look twice at" if facet.is_flag else facet.title,
        facet.group,
        values[:cut],
        values[cut:],
        many=found.many,
        folded=facet.folded and not chosen,
        clear=_cleared(query, facet),
    )


def _cleared(query: ListQuery, facet: Facet) -> str:
    narrowed = any(one.facet == facet.name for one in query.search.conditions)
    return query.asking(query.search.without(facet.name)).address if narrowed and not facet.is_flag else ""


def _value(query: ListQuery, facet: Facet, value: str, count: int, chosen: tuple[str, ...]) -> Value:
    title = facet.title if facet.is_flag else TITLES.get(facet.name, {}).get(value, value)
    wanted, refused = Choice(facet.name, (value,)), Choice(facet.name, (value,), negated=True)
    if all(one.facet != facet.name for one in query.search.conditions):
        return Value(title, count, link=query.address_with(wanted), refuse=query.address_with(refused))
    search = query.search
    link = query.asking(search.toggled(facet.name, value)).address
    refuse = query.asking(search.without(facet.name).also(refused)).address
    return Value(title, count, link, refuse, value in chosen)


def _number(query: ListQuery, facet: Facet) -> Group:
    condition = query.search.of(facet.name)
    written = condition.written if isinstance(condition, Range) else ""
    low, dots, high = written.partition("..")
    return Group(
        facet.name,
        facet.title,
        facet.group,
        is_number=True,
        unit={"money": "$", "ms": "s", "bytes": "bytes", "megapixels": "MP"}.get(facet.unit, ""),
        other="" if (low and dots) or high else written,
        low=low if dots else "",
        high=high if dots else "",
        folded=facet.folded and condition is None,
        clear=_cleared(query, facet),
    )
