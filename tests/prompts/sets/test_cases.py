"""Cases as files: what is written is read back, whatever it says; what cannot be read is named."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prompts.language.json_text import value_of
from prompts.sets import cases
from prompts.sets.cases import BadCases, CaseText

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30)
ODD = st.sampled_from(["name", "check", "variable:", "variable:name", "=sum", "'=sum", "a;b"])
NAMES = st.lists(TEXT.map(str.strip).filter(bool) | ODD, min_size=1, max_size=4, unique=True)


@st.composite
def sets(draw: st.DrawFn) -> tuple[list[str], list[CaseText]]:
    columns = draw(NAMES)
    some = st.builds(
        CaseText,
        TEXT.filter(bool),
        st.fixed_dictionaries(dict.fromkeys(columns, TEXT)),
        st.sampled_from(["", "contains", "equals", "schema"]),
        TEXT.filter(bool),
    )
    return columns, draw(st.lists(some, min_size=1, max_size=4))


@given(sets())
def test_json_lines_say_again_what_was_written(made: tuple[list[str], list[CaseText]]) -> None:
    _, found = made
    assert cases.read("cases.jsonl", cases.write_lines(found).encode()) == found


@given(sets())
@example((["variable:", "name", "=x"], [CaseText("0", {"variable:": "", "name": "n", "=x": "'=y"}, "contains", "0")]))
def test_a_csv_says_again_what_was_written(made: tuple[list[str], list[CaseText]]) -> None:
    columns, found = made
    assert cases.read("cases.csv", cases.write_csv(found, columns).encode()) == found


def test_a_csv_needs_names_for_variables_only() -> None:
    assert cases.read("a.csv", b"receipt,expected\na.png,12\nb.png,\n") == [
        CaseText("case 1", {"receipt": "a.png"}, "contains", "12"),
        CaseText("case 2", {"receipt": "b.png"}),
    ]


@pytest.mark.parametrize("mark", [b";", b"\t", b","])
def test_cells_may_be_told_apart_as_spreadsheets_do(mark: bytes) -> None:
    data = mark.join([b"name", b"a"]) + b"\r\n" + mark.join([b"one", b"1"]) + b"\r\n"
    assert cases.read("a.csv", b"\xef\xbb\xbf" + data) == [CaseText("one", {"a": "1"})]


def test_what_is_expected_of_an_answer_that_is_not_checked_stays_unchecked() -> None:
    written = cases.write_csv([CaseText("one", {"a": "1"}, "", "some day")], ["a"])
    assert cases.read("a.csv", written.encode()) == [CaseText("one", {"a": "1"}, "", "some day")]


def test_json_lines_may_hold_variables_beside_and_other_things_than_text() -> None:
    [one] = cases.read("a.jsonl", b'{"name": "x", "items": [1, 2], "variables": {"a": null, "b": true}}\n\n')
    assert one == CaseText("x", {"items": "[1, 2]", "a": "", "b": "true"})
    for text, value in (("[1, 2]", [1, 2]), ("true", True), ("{x", "{x"), ("12", "12"), ("", ""), ("[" * 99_999, None)):
        assert value_of(text) == (text if value is None else value)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.csv", b"name,,x\na,b,c\n", "column 2 has no name"),
        ("a.csv", b",\n", "the first line names the columns"),
        ("a.csv", b"x,x\n", "the column 'x' stands in the first line more than once"),
        ("a.csv", b"x\n1\n2,3\n", "a.csv, line 3: 2 cells under 1 columns"),
        ("a.csv", b'x\n"open', "a.csv, line 2: unexpected end of data"),
        ("a.csv", b"x\n\xff\n", "not UTF-8 (byte 2)"),
        ("a.csv", b"x\n\0\n", "holds a NUL"),
        ("a.jsonl", b'{"a": 1}\n{', "a.jsonl, line 2: not JSON"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl, line 1: not JSON: it is nested too deeply"),
        ("a.jsonl", b"[1]", "a.jsonl, line 1: a case is an object"),
        ("a.csv", b"x\n" + b"1\n" * 1001, "1,001 cases; a set holds 1,000"),
        ("a.jsonl", json.dumps({"a": "x" * 100_001}).encode(), "a is longer than 100,000 characters"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(name: str, data: bytes, says: str) -> None:
    with pytest.raises(BadCases, match=r".") as refused:
        cases.read(name, data)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "values", "name", "expected"),
    [
        (",receipt,currency\n0,a.png,EUR\n", {"receipt": "a.png", "currency": "EUR"}, "case 1", ""),
        ("name,receipt,\ncafe,a.png,\n", {"receipt": "a.png"}, "cafe", ""),
        ("sep=;\nname;q\nt;1\n", {"q": "1"}, "t", ""),
        ("sep=\t\r\nname\tq\r\nt\t1\r\n", {"q": "1"}, "t", ""),
        ("name;q, r;z\nt;1;2\n", {"q, r": "1", "z": "2"}, "t", ""),
        ("Name,q,Expected\na,b,c\n", {"q": "b"}, "a", "c"),
        ("name,Name\na,b\n", {"Name": "b"}, "a", ""),
        ('name,q\n"a, b","x;y"\n', {"q": "x;y"}, "a, b", ""),
        ("name;price\na;3,50\nb;4,00\n", {"price": "3,50"}, "a", ""),
    ],
)
def test_a_table_is_read_as_spreadsheets_and_pandas_write_it(
    text: str, values: dict[str, str], name: str, expected: str
) -> None:
    first = cases.read("a.csv", text.encode())[0]
    assert (first.values, first.name, first.expected) == (values, name, expected)
