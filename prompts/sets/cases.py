"""The cases of a set as people write them down: CSV with a column a variable, or one JSON object a line. Pure.

In a CSV the columns `name`, `check` and `expected` are the case's own; a variable of such a name is written `variable:name`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from prompts.language.json_text import parsed
from prompts.spreadsheet import guarded, unguarded

OWN = ("name", "check", "expected")
PREFIX = "variable:"
MOST_CASES = 1000
LONGEST_VALUE = 100_000
MARKS, SAMPLE = (",", ";", "\t"), 20
SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)


class BadCases(Exception):
    """A file that cannot be read; names the line and the cure."""


@dataclass(slots=True)
class CaseText:
    """One case, its values as text. `check` and `expected` are those of `checks`."""

    name: str
    values: dict[str, str] = field(default_factory=dict)
    check: str = ""
    expected: str = ""


def read(filename: str, data: bytes) -> list[CaseText]:
    """The cases of a file, by the ending of its name. Raises BadCases."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCases(f"{filename} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    if "\0" in text:
        raise BadCases(f"{filename} holds a NUL, which no database keeps.")
    found = (
        _read_lines(filename, text) if filename.lower().endswith((".jsonl", ".ndjson")) else _read_csv(filename, text)
    )
    if len(found) > MOST_CASES:
        raise BadCases(f"{filename} has {len(found):,} cases; a set holds {MOST_CASES:,}. Make several sets of them.")
    return found


def write_csv(cases: Iterable[CaseText], columns: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*OWN, *(guarded(_heading(name)) for name in columns)])
    for one in cases:
        cells = [one.name, one.check, one.expected, *(one.values.get(name, "") for name in columns)]
        writer.writerow([guarded(text) for text in cells])
    return out.getvalue()


def write_lines(cases: Iterable[CaseText]) -> str:
    return "".join(json.dumps(_document(one), ensure_ascii=False) + "\n" for one in cases)


def columns_of(cases: Iterable[CaseText]) -> list[str]:
    """Every variable that a case names, in the order of first use."""
    return list(dict.fromkeys(name for one in cases for name in one.values))


def _document(case: CaseText) -> dict[str, Any]:
    checked = {"check": case.check, "expected": case.expected} if case.check or case.expected else {}
    return {"name": case.name, "variables": case.values, **checked}


def _read_csv(filename: str, text: str) -> list[CaseText]:
    delimiter, text = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [unguarded(name.strip()) for name in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise BadCases(f"{filename}, line {reader.line_num}: {error}.") from None
    for line, row in rows:
        if len(row) > len(header) and any(row[len(header) :]):
            raise BadCases(f"{filename}, line {line}: {len(row)} cells under {len(header)} columns.")
    columns = _columns(filename, header, [row for _, row in rows])
    cells = [{name: unguarded(row[at]) for at, name in columns.items() if at < len(row)} for _, row in rows]
    return [_case(one, number) for number, one in enumerate(cells, 1)]


def _columns(filename: str, header: list[str], rows: list[list[str]]) -> dict[int, str]:
    """The places and names of the columns. One without a name is left out where it is empty, or numbers the rows (pandas)."""
    found: dict[int, str] = {}
    for at, name in enumerate(header):
        plain = name.lower() if name.lower() in OWN and name.lower() not in header else name
        cells = [row[at] for row in rows if at < len(row)]
        if plain in found.values():
            raise BadCases(f"{filename}: the column {name!r} stands in the first line more than once. Name each once.")
        if plain:
            found[at] = plain
        elif any(cells) and not (at == 0 and all(cell.strip().isdecimal() for cell in cells)):
            raise BadCases(f"{filename}: column {at + 1} has no name. Name it in the first line, or leave it out.")
    if not found:
        raise BadCases(f"{filename}: the first line names the columns: name, then the variables.")
    return found


def _heading(name: str) -> str:
    return f"{PREFIX}{name}" if name in OWN or name.startswith(PREFIX) else name


def _delimiter(text: str) -> tuple[str, str]:
    """What stands between cells, and the text without Excel's line that says so.

    Where the comma is a decimal point, spreadsheets write semicolons; copied cells have tabs. The mark that gives the first
    lines the same number of cells is it, the one that gives them most.
    """
    first, _, rest = text.partition("\n")
    if said := SEPARATOR.fullmatch(first.rstrip("\r")):
        return said[1], rest
    return max(MARKS, key=lambda mark: _fit(text, mark)), text


def _fit(text: str, mark: str) -> tuple[bool, int]:
    try:
        rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=mark), SAMPLE))
    except csv.Error:
        return False, 0
    sizes = {len(row) for row in rows if any(row)}
    cells = len(rows[0]) if rows else 0
    return len(sizes) == 1 and cells > 1, cells


def _case(cells: dict[str, str], number: int) -> CaseText:
    kind = cells["check"].strip() if "check" in cells else _kind(cells.get("expected", ""))
    own = {name: cells.pop(name, "") for name in OWN}
    values = {name.removeprefix(PREFIX): value for name, value in cells.items()}
    return _checked(CaseText(own["name"] or f"case {number}", values, kind, own["expected"]))


def _kind(expected: str) -> str:
    """Where nothing is said on how, what is expected is to be contained."""
    return "contains" if expected.strip() else ""


def _read_lines(filename: str, text: str) -> list[CaseText]:
    found: list[CaseText] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = parsed(line)
        except ValueError as error:
            raise BadCases(f"{filename}, line {number}: not JSON: {error}.") from None
        if not isinstance(document, dict) or not isinstance(document.get("variables", {}), dict):
            raise BadCases(
                f'{filename}, line {number}: a case is an object such as {{"name": "one", "variables": {{"receipt": "a.png"}}}}.'
            )
        found.append(_from_document(document, len(found) + 1))
    return found


def _from_document(document: dict[str, Any], number: int) -> CaseText:
    """Variables stand in `variables`, or beside the case's own fields."""
    own = {name: _text(document.get(name, "")) for name in OWN}
    kind = own["check"] if "check" in document else _kind(own["expected"])
    beside = {name: one for name, one in document.items() if name not in (*OWN, "variables")}
    values = {name: _text(one) for name, one in (beside | document.get("variables", {})).items()}
    return _checked(CaseText(own["name"] or f"case {number}", values, kind, own["expected"]))


def _checked(case: CaseText) -> CaseText:
    for name, value in case.values.items():
        if len(value) > LONGEST_VALUE:
            raise BadCases(
                f"{case.name}: {name} is longer than {LONGEST_VALUE:,} characters. Give a picture as a file beside, or a link."
            )
    return case


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
