"""The columns of the list, which of them a person shows and in what order, and how high its rows are: kept in cookies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COOKIE, ROWS_COOKIE = "loupe_columns", "loupe_rows"
ROWS = {"roomy": "Roomy", "compact": "Compact", "sheet": "Contact sheet"}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    title: str
    is_number: bool = False
    usual: bool = True
    is_silent: bool = False  # its title is for screen readers only
    sorts: tuple[tuple[str, str], ...] = ()  # what the list can be put in the order of here, with titles

    @property
    def template(self) -> str:
        return f"logsui/logs/cells/{self.name}.html"


COLUMNS = (
    Column("time", "Time"),
    Column("images", "Images"),
    Column("words", "Prompt and answer"),
    Column("model", "Model"),
    Column("endpoint", "Endpoint", usual=False),
    Column("key", "API key", usual=False),
    Column("metadata", "Metadata", usual=False),
    Column("flags", "Warnings", is_silent=True),
    Column("tokens", "Tokens", is_number=True, sorts=(("tokens", "Tokens"), ("cost", "Cost"))),
    Column("latency", "Latency", is_number=True, sorts=(("latency", "Latency"),)),
    Column("size", "Size", is_number=True, usual=False, sorts=(("size", "Size"),)),
)
BY_NAME = {column.name: column for column in COLUMNS}


def shown(cookies: Mapping[str, str]) -> list[Column]:
    """What the cookie names, in its order; the usual ones when it names none."""
    names = dict.fromkeys(cookies.get(COOKIE, "").split("."))
    return [BY_NAME[name] for name in names if name in BY_NAME] or [column for column in COLUMNS if column.usual]


def hidden(columns: Sequence[Column]) -> list[Column]:
    return [column for column in COLUMNS if column not in columns]


def rows(cookies: Mapping[str, str]) -> str:
    chosen = cookies.get(ROWS_COOKIE, "")
    return chosen if chosen in ROWS else "roomy"


def arranged(columns: Sequence[Column], change: str, name: str) -> list[Column]:
    """After `show`, `hide` or `up` of one column. The last one stays."""
    left = [column for column in columns if column.name != name]
    if change == "show" and name in BY_NAME:
        return [*left, BY_NAME[name]]
    if change == "hide":
        return left or list(columns)
    if change == "up" and BY_NAME.get(name) in columns:
        place = max(list(columns).index(BY_NAME[name]) - 1, 0)
        return [*left[:place], BY_NAME[name], *left[place:]]
    return list(columns)
