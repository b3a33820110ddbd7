"""The cases of Mustache's specification (github.com/mustache/spec, 1.4) in our words, and where we differ from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.language.mustache import TooDeep, details, parse, render, slips

CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    # comments
    "a comment is left out": ("12345{{! a comment }}67890", {}, "1234567890"),
    "a comment spans lines": ("12345{{!\n two\n}}67890\n", {}, "1234567890\n"),
    "a comment alone takes its line": ("Begin.\n{{! here }}\nEnd.\n", {}, "Begin.\nEnd.\n"),
    "an indented comment takes its line": ("Begin.\n  {{! here }}\nEnd.\n", {}, "Begin.\nEnd.\n"),
    "a comment at the end of lines with \\r": ("|\r\n{{! here }}\r\n|", {}, "|\r\n|"),
    "a comment in a line stays in it": ("  12 {{! 34 }}\n", {}, "  12 \n"),
    "a comment is no variable": ("a {{! b }}, {{b}}", {"! b": 1, "b": 2}, "a , 2"),
    "a comment alone on the first line": ("  {{! here }}\n!", {}, "!"),
    "a comment alone on the last line": ("!\n  {{! here }}", {}, "!\n"),
    "a comment of many lines takes them all": ("Begin.\n  {{!\n  two\n  }}\nEnd.\n", {}, "Begin.\nEnd.\n"),
    "a comment between words leaves their space": ("1 {{! here }} 2", {}, "1  2"),
    # delimiters
    "delimiters change": ("{{=<% %>=}}(<%text%>)", {"text": "Hey!"}, "(Hey!)"),
    "delimiters change back": ("[ {{=| |=}}|a||={{ }}=| {{a}} ]", {"a": 1}, "[ 1 1 ]"),
    "delimiters alone take their line": ("Begin.\n{{=@ @=}}\nEnd.\n", {}, "Begin.\nEnd.\n"),
    "delimiters with spaces": ("|{{= @   @ =}}|", {}, "||"),
    "delimiters of regular expressions": ("({{=[ ]=}}[text])", {"text": "x"}, "(x)"),
    "delimiters hold in sections": (
        "{{= | | =}}\n|#s|\n  {{d}}\n  |d|\n|/s|\n",
        {"s": True, "d": "x"},
        "  {{d}}\n  x\n",
    ),
    "delimiters hold in inverted sections": ("{{= | | =}}\n|^s|\n  {{d}}\n  |d|\n|/s|\n", {"d": "x"}, "  {{d}}\n  x\n"),
    "delimiters do not go into a partial": ("{{= | | =}}\n[ |>field| ]\n", {"text": "x"}, "[ *x* ]\n"),
    "delimiters of a partial stay in it": ("{{>own}} .{{v}}. .|v|.", {"v": "x"}, ".x.  .x. .x. .|v|."),
    "delimiters in a line leave its space": (" | {{=@ @=}}\n", {}, " | \n"),
    "delimiters alone with \\r": ("|\r\n{{= @ @ =}}\r\n|", {}, "|\r\n|"),
    "delimiters alone on the first line": ("  {{=@ @=}}\n=", {}, "="),
    "delimiters alone on the last line": ("=\n  {{=@ @=}}", {}, "=\n"),
    # interpolation
    "plain text": ("Hello from {Mustache}!\n", {}, "Hello from {Mustache}!\n"),
    "a value": ("Hello, {{subject}}!", {"subject": "world"}, "Hello, world!"),
    "an integer": ("{{mph}} miles", {"mph": 85}, "85 miles"),
    "a decimal": ("{{power}} jiggawatts", {"power": 1.21}, "1.21 jiggawatts"),
    "null is nothing": ("I ({{cannot}}) be seen", {"cannot": None}, "I () be seen"),
    "what is missing is nothing": ("I ({{cannot}}) be seen", {}, "I () be seen"),
    "dotted names": ("{{person.name}}", {"person": {"name": "Joe"}}, "Joe"),
    "dotted names of any depth": ("{{a.b.c.d}}", {"a": {"b": {"c": {"d": 1}}}}, "1"),
    "a broken chain is nothing": ("'{{a.b.c}}'", {"a": {}}, "''"),
    "a broken chain does not go on outside": ("'{{a.b.c}}'", {"a": {"b": {}}, "c": {"name": "Jim"}}, "''"),
    "the first part decides": ("{{#a}}{{b.c}}{{/a}}", {"a": {"b": {}}, "b": {"c": "ERROR"}}, ""),
    "the whole is itself": ("Hello, {{.}}!", {}, "Hello, {}!"),
    "white space stays": ("| {{text}} |\n", {"text": "---"}, "| --- |\n"),
    "white space in a tag does not matter": ("|{{ text }}|", {"text": "---"}, "|---|"),
    "the ampersand": ("{{& text }}", {"text": "<&>"}, "<&>"),
    "three braces": ("{{{text}}}!", {"text": "<&>"}, "<&>!"),
    "three braces with space": ("|{{{ text }}}|", {"text": "---"}, "|---|"),
    "the first part of a name is looked for like any": (
        "{{#a}}{{b.c}}{{/a}}",
        {"a": {"b": {"c": "Phil"}}, "b": {"c": "Wrong"}},
        "Phil",
    ),
    "a leading dot looks here only": (
        "{{#a}}{{.n}}{{/a}}{{#b}}{{.n}}{{/b}}",
        {"a": {"x": 1}, "b": {"n": "Name"}, "n": "Fail"},
        "Name",
    ),
    "a value alone on its line is no tag of that kind": (
        "  {{text}}\n  {{{text}}}\n  {{&text}}\n",
        {"text": "-"},
        "  -\n  -\n  -\n",
    ),
    # inverted sections
    "inverted of false": ('"{{^no}}shown{{/no}}"', {"no": False}, '"shown"'),
    "inverted of true": ('"{{^yes}}not{{/yes}}"', {"yes": True}, '""'),
    "inverted of null": ("{{^null}}shown{{/null}}", {"null": None}, "shown"),
    "inverted of an object": ("{{^o}}not{{/o}}", {"o": {"name": "Joe"}}, ""),
    "inverted of a list": ("{{^list}}not{{/list}}", {"list": [{"n": 1}]}, ""),
    "inverted of an empty list": ("{{^list}}shown{{/list}}", {"list": []}, "shown"),
    "inverted of what is missing": ("[{{^missing}}shown{{/missing}}]", {}, "[shown]"),
    "inverted sections nest": ("|A{{^b}} B{{^b}} C{{/b}} D{{/b}} E|", {"b": False}, "|A B C D E|"),
    "inverted of dotted names": ("{{^a.b.c}}not{{/a.b.c}}", {"a": {"b": {"c": True}}}, ""),
    "inverted tags alone take their lines": ("|\n{{^b}}\nThis\n{{/b}}\n|\n", {"b": False}, "|\nThis\n|\n"),
    "inverted sections, two of them": (
        "{{^t}}\n* 1\n{{/t}}\n* {{n}}\n{{^t}}\n* 3\n{{/t}}\n",
        {"n": "2"},
        "* 1\n* 2\n* 3\n",
    ),
    "inverted sections nest when not shown": ("| A {{^t}}B {{^t}}C{{/t}} D{{/t}} E |", {"t": True}, "| A  E |"),
    "space inside an inverted section stays": (" | {{^b}} {{! x }}\n {{/b}} | \n", {}, " |  \n  | \n"),
    "space in an inverted tag does not matter": ("|{{^ b }}={{/ b }}|", {}, "|=|"),
    # sections
    "of true": ("{{#yes}}shown{{/yes}}", {"yes": True}, "shown"),
    "of false": ("{{#no}}not{{/no}}", {"no": False}, ""),
    "of null": ("{{#null}}not{{/null}}", {"null": None}, ""),
    "an object is the context": ("{{#o}}Hi {{name}}.{{/o}}", {"o": {"name": "Joe"}}, "Hi Joe."),
    "names outside are seen": ("{{#s}}{{a}}, {{b}}{{/s}}", {"a": "foo", "s": {"b": "bar"}}, "foo, bar"),
    "a text is its own context": ("{{#o}}<{{.}}>{{/o}}", {"o": "x"}, "<x>"),
    "lists repeat": ("{{#list}}{{item}}{{/list}}", {"list": [{"item": 1}, {"item": 2}, {"item": 3}]}, "123"),
    "an empty list is nothing": ("{{#list}}not{{/list}}", {"list": []}, ""),
    "a section twice": ("{{#b}}*{{/b}}{{#b}}*{{/b}}", {"b": True}, "**"),
    "sections nest": ("| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |", {"b": True}, "| A B C D E |"),
    "of what is missing": ("[{{#missing}}not{{/missing}}]", {}, "[]"),
    "the implicit item": ("{{#list}}({{.}}){{/list}}", {"list": ["a", 1, 1.5]}, "(a)(1)(1.5)"),
    "lists of lists": ("{{#l}}({{#.}}{{.}}{{/.}}){{/l}}", {"l": [[1, 2], [3]]}, "(12)(3)"),
    "of dotted names": ("{{#a.b}}here{{/a.b}}", {"a": {"b": True}}, "here"),
    "space around tags stays": (" | {{#b}}\t|\t{{/b}} | \n", {"b": True}, " | \t|\t | \n"),
    "tags alone take their lines": ("| This\n{{#b}}\n|\n{{/b}}\n| A Line\n", {"b": True}, "| This\n|\n| A Line\n"),
    "indented tags take their lines": ("|\n  {{#b}}\n|\n  {{/b}}\n|\n", {"b": True}, "|\n|\n|\n"),
    "tags alone at the end": ("#{{#b}}\n/\n  {{/b}}", {"b": True}, "#\n/\n"),
    "names are looked for outside, dotted ones too": (
        "{{#s}}{{a}}, {{b}}, {{c.d}}{{/s}}",
        {"a": "foo", "b": "wrong", "s": {"b": "bar"}, "c": {"d": "baz"}},
        "foo, bar, baz",
    ),
    "a value is the context of its own section": ("{{#foo}}{{.}} is {{foo}}{{/foo}}", {"foo": "bar"}, "bar is bar"),
    "lists in lists see all that is around": (
        "{{#tops}}{{#mids}}{{t.low}}{{m}}.{{#ends}}{{t.up}}{{m}}{{e}}.{{/ends}}{{/mids}}{{/tops}}",
        {"tops": [{"t": {"up": "A", "low": "a"}, "mids": [{"m": "1", "ends": [{"e": "x"}, {"e": "y"}]}]}]},
        "a1.A1x.A1y.",
    ),
    "contexts nest as deep as they like": (
        "{{#a}}\n{{one}}\n{{#b}}\n{{one}}{{two}}{{one}}\n{{#c}}\n{{#five}}\n{{one}}{{.}}6{{.}}{{three}}\n{{/five}}\n{{/c}}\n{{/b}}\n{{/a}}\n",
        {"a": {"one": 1}, "b": {"two": 2}, "c": {"three": 3, "five": 5}},
        "1\n121\n15653\n",
    ),
    "a text is no list": ("{{#s}}foo{{/s}}", {"s": "123"}, "foo"),
    "sections nest when not shown": ("| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |", {"b": False}, "| A  E |"),
    "of dotted names that are false": ("{{#a.b.c}}Here{{/a.b.c}}", {"a": {"b": {"c": False}}}, ""),
    "of a broken chain": ("{{#a.b.c}}Here{{/a.b.c}}", {"a": {}}, ""),
    "space inside a section stays": (" | {{#b}} {{! x }}\n {{/b}} | \n", {"b": True}, " |  \n  | \n"),
    "sections in a line leave its indent": (" {{#b}}YES{{/b}}\n {{#b}}GOOD{{/b}}\n", {"b": True}, " YES\n GOOD\n"),
    "tags alone with \\r take their lines": ("|\r\n{{#b}}\r\n{{/b}}\r\n|", {"b": True}, "|\r\n|"),
    "a tag alone on the first line": ("  {{#b}}\n#{{/b}}\n/", {"b": True}, "#\n/"),
    "space in a tag of a section does not matter": ("|{{# b }}={{/ b }}|", {"b": True}, "|=|"),
    # partials
    "a partial": ('"{{>text}}"', {}, '"from partial"'),
    "a missing partial is nothing": ('"{{>missing}}"', {}, '""'),
    "a partial sees the context": ('"{{>field}}"', {"text": "content"}, '"*content*"'),
    "a partial in itself": ("{{>node}}", {"content": "X", "nodes": [{"content": "Y", "nodes": []}]}, "X<Y<>>"),
    "a partial in a line keeps its space": ("| {{> tab }} |", {}, "| \t|\t |"),
    "a partial alone is indented as a whole": ("\\\n {{>lines}}\n/\n", {"content": "<\n->"}, "\\\n |\n <\n->\n |\n/\n"),
    "a partial in an indented line": ("  {{d}}  {{> arrows}}\n", {"d": "|"}, "  |  >\n>\n"),
    "a partial alone with \\r": ("|\r\n{{>arrow}}\r\n|", {}, "|\r\n>|"),
    "a partial alone on the first line": ("  {{>arrows}}\n>", {}, "  >\n  >>"),
    "a partial alone on the last line": (">\n  {{>arrows}}", {}, ">\n  >\n  >"),
    "space in a tag of a partial does not matter": ("|{{> arrow }}|", {}, "|>|"),
    # where we differ, see the module
    "nothing is escaped for HTML": ("{{x}}", {"x": '& " < > /'}, '& " < > /'),
    "objects are JSON": ("{{x}}", {"x": {"a": [1, None, "ü"]}}, '{"a": [1, null, "ü"]}'),
    "truth as JSON has it": ("{{yes}} {{no}}", {"yes": True, "no": False}, "true false"),
    "zero and no text are false": ("{{#n}}not{{/n}}{{#t}}not{{/t}}", {"n": 0, "t": ""}, ""),
    "a text that says false is true": ("{{#t}}shown{{/t}}", {"t": "false"}, "shown"),
    "a name with a space": ("{{phone number}}", {"phone number": "1"}, "1"),
    "a name with a dot of its own": ("{{a.b}}", {"a.b": "whole", "a": {"b": "step"}}, "whole"),
    "a partial named by a value": ("{{>>which}}", {"which": "text"}, "from partial"),
    "a value's own tags are text": ("{{a}}", {"a": "{{b}}", "b": "no"}, "{{b}}"),
    "an open tag is text": ("a {{b", {"b": 1}, "a {{b"),
    "an open section ends with the template": ("a{{#s}}b", {"s": True}, "ab"),
    "a stray end is nothing": ("a{{/s}}b", {}, "ab"),
    "braces of JSON": ('{"a":{"b":{{n}}}}', {"n": 1}, '{"a":{"b":1}}'),
}
PARTIALS = {
    "text": "from partial",
    "field": "*{{text}}*",
    "node": "{{content}}<{{#nodes}}{{>node}}{{/nodes}}>",
    "own": ".{{v}}. {{= | | =}} .|v|.",
    "arrow": ">",
    "arrows": ">\n>",
    "tab": "\t|\t",
    "lines": "|\n{{{content}}}\n|\n",
    "loop": "{{>pool}}",
    "pool": "{{>loop}}",
}


@pytest.mark.parametrize("name", CASES)
def test_the_case(name: str) -> None:
    template, variables, expected = CASES[name]
    assert render(parse(template), variables, PARTIALS.get) == expected


def test_partials_that_include_each_other_are_refused_with_their_path() -> None:
    with pytest.raises(TooDeep, match="loop > pool > loop"):
        render(parse("{{>loop}}"), {}, PARTIALS.get)


def test_the_names_of_a_template_are_listed_once() -> None:
    found = details(parse("{{a}} {{#s}}{{b.c}}{{a}}{{.}}{{/s}}{{^t}}{{>p}}{{/t}}{{>>which}}"))
    assert found.variables == ["a", "b.c", "which", "s", "t"]
    assert list(found.partials) == ["p"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.text("{}#^/!>&= ab.\n\r\"'|", max_size=40), st.dictionaries(st.sampled_from("ab"), values))
def test_any_template_takes_any_values(template: str, variables: dict[str, Any]) -> None:
    assert isinstance(render(parse(template), variables, lambda name: None), str)


@given(st.text())
def test_a_text_without_braces_stays_as_it_is(text: str) -> None:
    assert render(parse(text.replace("{", "")), {}, PARTIALS.get) == text.replace("{", "")


@given(st.text())
def test_a_value_is_written_as_it_is(text: str) -> None:
    assert render(parse("<{{x}}>"), {"x": text}, PARTIALS.get) == f"<{text}>"
    assert json.loads(render(parse("{{x}}"), {"x": [text]}, PARTIALS.get)) == [text]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{a}} {{#b}}x{{/b}} {{!c}} {{>d}}", []),
        ("{{a", ["{{a is not closed: write }} after it."]),
        ("{{#a}}x", ["{{#a}} is never closed: write {{/a}} where it ends."]),
        ("{{#a}}{{^b}}{{/a}}", ["{{^b}} is never closed: write {{/b}} where it ends."]),
        ("x\n{{/a}}", ["Line 2: {{/a}} closes nothing that is open."]),
        ("{{ }}", ["A tag names nothing: write a variable's name between the braces."]),
        ("x {{=<% %>=}} <% a %> {{b", []),
    ],
)
def test_slips_are_told_though_they_render(template: str, says: list[str]) -> None:
    assert slips(template) == says


def test_sections_in_sections_without_end_are_cut_off_and_told() -> None:
    deep = "{{#a}}" * 3000 + "x" + "{{/a}}" * 3000
    assert render(parse(deep), {"a": True}, PARTIALS.get) == "x"
    assert slips(deep) == ["Sections are nested more than 100 deep; what is deeper is left out."]
