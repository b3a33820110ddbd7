"""The search language: `invoice "total due" model:gpt-4* status:4xx,5xx -vkey:@prod cost:>0.01 latency:1s..5s metadata.user:ann`.

Words and phrases are looked for in prompts and answers (`prompt:` and `answer:` narrow it); `key:value` asks a facet.
Commas mean or, a leading `-` means not, `*` stands for anything, and everything together must hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from gateway.index.facets import BY_NAME, METADATA, NUMBERS, SCALE, Unit, shortened

TOKEN = re.compile(
    r'(?P<minus>-?)(?:(?P<key>[A-Za-z][\w.-]*(?:"(?:[^"\\]|\\.)*")?):)?(?P<rest>(?:"(?:[^"\\]|\\.)*"?|[^\s"])*)'
)
PLAIN_KEY = re.compile(r"[\w.-]+")
PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"?|([^",]+)|(,)')
BOUND = re.compile(r"(?:([<>]=?)(-?[0-9.]+)|(-?[0-9]+(?:\.[0-9]+)?)?\.\.(-?[0-9]+(?:\.[0-9]+)?)?)\Z")
AMOUNT = re.compile(r"\$?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([A-Za-z%]*)\Z")
MULTIPLES: dict[str, dict[str, float]] = {
    "ms": {"": 1, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000},
    "bytes": {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "gb": 10**9, "k": 1000, "m": 10**6},
    "count": {"": 1, "k": 1000, "m": 10**6},
    "money": {"": 1, "usd": 1},
    "megapixels": {"": 1, "mp": 1},
}
TEXT_FIELDS = ("prompt", "answer")
EXACT = ("trace", "picture", "like", "since", "until")
IDS = ("id", "span", "session")
SPANS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SPAN = re.compile(r"([0-9]{1,6})([mhdw])\Z")
ID = re.compile(r"[\w-]{8,128}\Z")
HAS_DIGIT = re.compile(r"[0-9]")
LONGEST = 2000
KEYS = (*BY_NAME, *TEXT_FIELDS, *EXACT, *IDS)
Where = Literal["", "prompt", "answer"]


class BadQuery(ValueError):
    """A search that means nothing; its text says what and what to write instead."""


@dataclass(frozen=True, slots=True)
class Words:
    """A word, the beginning of one, or a phrase, in the texts."""

    text: str
    where: Where = ""
    negated: bool = False
    is_phrase: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of some values of a facet; `*` in a value stands for anything."""

    facet: str
    values: tuple[str, ...]
    negated: bool = False

    def wants(self, value: str) -> bool:
        """`value` is as the index keeps it; of metadata, numbers are compared: `metadata.n:>10`."""
        if self.facet.startswith(METADATA):
            return any(_compares(wanted, value) for wanted in self.values)
        return any(_pattern(wanted).fullmatch(value) for wanted in self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `low` to `high`, both included, in the index's units; None is no bound."""

    facet: str
    low: int | None
    high: int | None
    written: str
    negated: bool = False


Condition = Choice | Range


def _compares(wanted: str, value: str) -> bool:
    match = BOUND.match(wanted)
    if match is None:
        return value == shortened(wanted) or _pattern(wanted).fullmatch(value) is not None
    try:
        number, bounds = float(value), [float(bound) if bound else None for bound in (match[2], match[3], match[4])]
    except ValueError:
        return False
    one, low, high = bounds
    if one is not None:
        return {">": number > one, "<": number < one, ">=": number >= one, "<=": number <= one}[match[1]]
    return (low is None or number >= low) and (high is None or number <= high)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """All of it must hold. `picture` and `like` begin the sha256 of a picture: the same one, or one that looks like it.

    `since` and `until` are times as they were written. `hints` tell what was read otherwise than may have been meant.
    """

    words: tuple[Words, ...] = ()
    conditions: tuple[Condition, ...] = ()
    trace: str = ""
    picture: str = ""
    like: str = ""
    since: str = ""
    until: str = ""
    hints: tuple[str, ...] = field(default=(), compare=False)

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.conditions or self.trace or self.picture or self.like)

    @property
    def times(self) -> tuple[datetime | None, datetime | None]:
        """`since` and `until` as times; lengths such as 2h are counted back from now."""
        return time_of(self.since), time_of(self.until)

    @property
    def names_one(self) -> bool:
        """Whether it asks for something by its name, however long ago that was."""
        ids = [word for word in self.words if ID.fullmatch(word.text) and HAS_DIGIT.search(word.text)]
        return bool(self.trace or self.picture) or (len(ids) == len(self.words) == 1 and not self.conditions)

    def of(self, facet: str) -> Condition | None:
        """The condition that includes values of a facet, if there is one."""
        return next((one for one in self.conditions if one.facet == facet and not one.negated), None)

    def without(self, facet: str) -> SearchQuery:
        return replace(self, conditions=tuple(one for one in self.conditions if one.facet != facet))

    def toggled(self, facet: str, value: str) -> SearchQuery:
        """With the value added to those of the facet, or taken away if it was there."""
        had = self.of(facet)
        old = had.values if isinstance(had, Choice) else ()
        values = tuple(one for one in old if one != value) if value in old else (*old, value)
        rest = replace(self, conditions=tuple(one for one in self.conditions if one is not had))
        return rest.also(Choice(facet, values)) if values else rest

    def also(self, condition: Condition) -> SearchQuery:
        return replace(self, conditions=(*self.conditions, condition))

    def __str__(self) -> str:
        """As a person would type it; reading it gives the same question again."""
        return " ".join(filter(None, self.texts))

    @property
    def texts(self) -> tuple[str, str]:
        """The text, in two parts: a further condition stands between them."""
        parts = [_words_text(one) for one in self.words] + [condition_text(one) for one in self.conditions]
        exact = [f"{name}:{_quoted(value)}" for name in EXACT if (value := getattr(self, name))]
        return " ".join(parts), " ".join(exact)


@dataclass(slots=True)
class _Draft:
    words: list[Words] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    exact: dict[str, str] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)


def time_of(text: str) -> datetime | None:
    """A day, a time (UTC unless it says its zone), or a length back from now: 2026-11-28, 2026-11-28T10:00, 2h.

    Raises:
        BadQuery: it is none of these.
    """
    if not text:
        return None
    if span := SPAN.match(text.lower()):
        return datetime.now(UTC) - timedelta(seconds=int(span[1]) * SPANS[span[2]])
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadQuery(
            f"{text[:40]} is no time. Write 2026-11-28, 2026-11-28T10:00 (UTC), or a length such as 2h or 7d."
        ) from None


def parse(text: str) -> SearchQuery:
    """Raises BadQuery with the cause and the cure."""
    if len(text) > LONGEST:
        raise BadQuery(f"A search may have {LONGEST} characters; this one has {len(text)}.")
    draft = _Draft()
    for match in TOKEN.finditer(text):
        if match["rest"] or match["key"]:
            _read(draft, match["key"] or "", match["rest"], negated=bool(match["minus"]))
        elif match["minus"]:
            raise BadQuery("A lone - means nothing; write -word or -key:value.")
    return SearchQuery(tuple(draft.words), tuple(draft.conditions), **draft.exact, hints=tuple(draft.hints))


def _read(draft: _Draft, key: str, rest: str, *, negated: bool) -> None:
    values = list(_values(rest))
    lower = key.lower()
    facet = _metadata_key(key) if lower.startswith(METADATA) and len(key) > len(METADATA) else lower
    if not values:
        _read_without_value(draft, key, facet, rest, negated=negated)
        return
    if not key or lower in TEXT_FIELDS or lower in IDS:
        if negated and HAS_DIGIT.match(rest):
            draft.hints.append(f'A leading - means without. To look for "-{rest}", quote it.')
        for value, is_phrase in values:
            where: Where = "prompt" if lower == "prompt" else "answer" if lower == "answer" else ""
            draft.words.append(Words(value, where, negated, is_phrase))
    elif lower in EXACT:
        _read_exact(draft, lower, [value for value, _ in values], negated=negated)
    elif facet in NUMBERS:
        draft.conditions += [_range(facet, value, negated=negated) for value, _ in values]
    elif facet in BY_NAME or facet.startswith(METADATA):
        draft.conditions.append(Choice(facet, tuple(value for value, _ in values), negated))
    else:
        _read_as_text(draft, key, rest, negated=negated)


def _read_exact(draft: _Draft, name: str, values: list[str], *, negated: bool) -> None:
    if negated or len(values) > 1 or name in draft.exact:
        raise BadQuery(f"{name}: takes one value and no minus.")
    (value,) = values
    if name == "trace" and value.endswith("*"):
        draft.words.append(Words(value.rstrip("*")))
        return
    if name in ("since", "until"):
        time_of(value)
    draft.exact[name] = value


def _read_without_value(draft: _Draft, key: str, facet: str, rest: str, *, negated: bool) -> None:
    """`metadata.name:""` asks for the empty value; of a filter it is a slip, and anything else is text: `TypeError:`."""
    if key and rest == '""' and facet.startswith(METADATA):
        draft.conditions.append(Choice(facet, ("",), negated))
    elif key and (facet in KEYS or facet.startswith(METADATA)):
        raise BadQuery(f"{key}: needs a value, such as {key}:something.")
    elif key:
        _read_as_text(draft, key, rest, negated=negated)


def _read_as_text(draft: _Draft, key: str, rest: str, *, negated: bool) -> None:
    """What only looks like a filter: an address, a path, the name of an exception."""
    draft.words.append(Words(f"{key}:{rest}".rstrip(":") if rest else key, "", negated))
    near = get_close_matches(key.lower(), KEYS, n=1, cutoff=0.75)
    if near:
        draft.hints.append(f"There is no filter {key}:, so it was looked for as text. Is {near[0]}: meant?")


def _values(rest: str) -> Iterator[tuple[str, bool]]:
    """Comma-separated, each with whether it was quoted; quotes hide commas and blanks."""
    made, quoted = "", False
    for phrase, plain, comma in PIECE.findall(rest):
        if comma:
            if made:
                yield made, quoted
            made, quoted = "", False
        else:
            made, quoted = made + (plain or re.sub(r"\\(.)", r"\1", phrase)), quoted or not plain
    if made:
        yield made, quoted


def _metadata_key(key: str) -> str:
    """`metadata.user` as it is; a name with blanks or colons is quoted: `metadata."user name"`."""
    name = key[len(METADATA) :]
    return METADATA + (re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name.replace('"', ""))


def _range(facet: str, text: str, *, negated: bool) -> Range:
    unit = BY_NAME[facet].unit
    if text == "*":
        return Range(facet, None, None, text, negated)
    if text.startswith((">", "<")):
        sign = text[:2] if text[1:2] == "=" else text[:1]
        amount = _amount(facet, text[len(sign) :], unit)
        low = {">": amount + 1, ">=": amount}.get(sign)
        high = {"<": amount - 1, "<=": amount}.get(sign)
        return Range(facet, low, high, text, negated)
    first, dots, last = text.partition("..")
    if not dots:
        exact = _amount(facet, text, unit)
        return Range(facet, exact, exact, text, negated)
    if not first and not last:
        raise BadQuery(f"{facet}:.. needs a bound, such as {facet}:1..5.")
    low, high = (_amount(facet, one, unit) if one else None for one in (first, last))
    return Range(facet, low, high, text, negated)


def _amount(facet: str, text: str, unit: Unit) -> int:
    match = AMOUNT.match(text.replace("_", ""))
    multiple = MULTIPLES[unit].get(match[2].lower()) if match else None
    if match is None or multiple is None:
        units = ", ".join(one for one in MULTIPLES[unit] if one)
        hint = f" (units: {units})" if units else ""
        raise BadQuery(f"{facet}:{text} is not a number{hint}. Write {facet}:>5, {facet}:<=5 or {facet}:1..5.")
    amount = float(match[1]) * multiple * SCALE.get(unit, 1)
    if amount >= 2**62:
        raise BadQuery(f"{facet}:{text} is larger than anything that is counted.")
    return round(amount)


@lru_cache(maxsize=512)
def _pattern(wanted: str) -> re.Pattern[str]:
    """`*` is anything, `4xx` any status of the four hundreds, all else is itself; case does not matter."""
    if re.fullmatch(r"[1-5]xx", wanted.lower()):
        return re.compile(wanted[0] + "[0-9][0-9]")
    first, *others = (re.escape(part) for part in wanted.split("*"))
    # Each piece is taken where it comes first, for good: to try the others, too, takes for ever where there are many.
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(first + between + (f".*{others[-1]}" if others else ""), re.IGNORECASE | re.DOTALL)


def _quoted(value: str) -> str:
    return value if value and not re.search(r'[\s",]', value) else _in_quotes(value)


def _in_quotes(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _words_text(words: Words) -> str:
    text = _in_quotes(words.text) if words.is_phrase else _quoted(words.text)
    return ("-" if words.negated else "") + (f"{words.where}:" if words.where else "") + text


def condition_text(condition: Condition) -> str:
    values = (
        ",".join(_quoted(value) for value in condition.values) if isinstance(condition, Choice) else condition.written
    )
    name = condition.facet.removeprefix(METADATA)
    if name != condition.facet:
        name = METADATA + (name if PLAIN_KEY.fullmatch(name) else _in_quotes(name))
    return f"{'-' if condition.negated else ''}{name}:{values}"
