"""What stands in the form comes back as the same template."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.editor import drafts
from prompts.editor.drafts import Draft, Message, Part
from prompts.language.mustache import Partials

NONE: Partials = {}.get

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
parts = st.one_of(
    st.builds(Part, kind=st.just("text"), text=words, when=st.sampled_from(["", "has_it", "!has_it"])),
    st.builds(
        Part,
        kind=st.just("image"),
        url=words.map(str.strip),
        detail=st.sampled_from(drafts.DETAILS),
        when=st.sampled_from(["", "has_it"]),
        empty=st.sampled_from(["", "refuse"]),
    ),
    st.builds(Part, kind=st.just("other"), rest=st.just({"type": "input_audio", "input_audio": {"data": "x"}})),
)
messages = st.builds(
    Message,
    role=st.sampled_from(drafts.ROLES),
    parts=st.lists(parts, min_size=1, max_size=4),
    rest=st.sampled_from([{}, {"name": "ada"}, {"tool_call_id": "t1"}]),
)


def form_of(draft: Draft) -> dict[str, str]:
    """The fields as the page writes them."""
    form = {"model": draft.model, "json": draft.json} | {f"p-{k}": v for k, v in drafts.shown_parameters(draft).items()}
    for i, message in enumerate(draft.messages):
        form |= {f"m{i}-role": message.role, f"m{i}-rest": message.rest_json}
        for j, part in enumerate(message.parts):
            for name in ("kind", "text", "url", "detail", "when", "empty"):
                form[f"m{i}-{j}-{name}"] = getattr(part, name)
            form[f"m{i}-{j}-rest"] = part.rest_json
    return form


@given(st.lists(messages, min_size=1, max_size=3))
def test_a_template_survives_the_form(some: list[Message]) -> None:
    draft = Draft(messages=some, model="@x/y", parameters={"temperature": 0.5, "top_k": 40, "stop": ["\n"]})
    text = draft.template.text
    again = drafts.from_form(form_of(draft))
    assert json.loads(again.template.text) == json.loads(text)
    assert again.parameters == draft.parameters
    saved = drafts.from_content(text, is_raw=False, model="", parameters={}, examples={})
    assert json.loads(saved.template.text) == json.loads(text)


@pytest.mark.parametrize(
    ("what", "roles", "texts"),
    [
        ("add-message", ["system", "user", "user"], ["a", "b", "c", ""]),
        ("add-text:0", ["system", "user"], ["a", "", "b", "c"]),
        ("up:1:1", ["system", "user"], ["a", "c", "b"]),
        ("down:1:0", ["system", "user"], ["a", "c", "b"]),
        ("down:0", ["user", "system"], ["b", "c", "a"]),
        ("remove:1:0", ["system", "user"], ["a", "c"]),
        ("remove:0", ["user"], ["b", "c"]),
        ("remove:9:9", ["system", "user"], ["a", "b", "c"]),
        ("up:0", ["system", "user"], ["a", "b", "c"]),
        ("nonsense:x", ["system", "user"], ["a", "b", "c"]),
    ],
)
def test_one_act_changes_one_thing(what: str, roles: list[str], texts: list[str]) -> None:
    draft = Draft(
        messages=[Message("system", [Part(text="a")]), Message("user", [Part(text="b"), Part(text="c")])],
    )
    drafts.act(draft, what)
    assert [one.role for one in draft.messages] == roles
    assert [part.text for one in draft.messages for part in one.parts] == texts


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("max_tokens", "many", "not a whole number"),
        ("temperature", "warm", "not a number"),
        ("response_format", "{", "This is not JSON"),
        ("more", "[1]", "are a JSON object"),
    ],
)
def test_a_field_that_cannot_be_read_says_why_and_keeps_what_was_typed(field: str, text: str, says: str) -> None:
    draft = drafts.from_form({"m0-role": "user", "m0-0-kind": "text", "m0-0-text": "hi", f"p-{field}": text})
    assert says in draft.errors[field]
    assert drafts.shown_parameters(draft)[field] == text


def test_variables_are_listed_with_their_kind_and_value() -> None:
    draft = Draft(
        messages=[Message("user", [Part(text="{{a}} {{#b}}x{{/b}}"), Part("image", url="{{p}}", when="has_p")])],
        examples={"a": "1", "b": "[1, 2]", "has_p": "true", "gone": "x"},
    )
    assert [(one.name, one.kind, one.value) for one in drafts.variables(draft, NONE)] == [
        ("a", "text", "1"),
        ("p", "image", ""),
        ("b", "condition", "[1, 2]"),
        ("has_p", "condition", "true"),
        ("gone", "unused", "x"),
    ]
    expected: dict[str, Any] = {"a": "1", "p": "", "b": [1, 2], "has_p": True}
    assert drafts.values(draft, NONE) == expected


def test_variables_of_partials_and_of_theirs_are_listed_too() -> None:
    partials = {"rules": "Answer in {{language}}. {{>end}}", "end": "{{#polite}}Please.{{/polite}} {{>rules}}"}
    draft = Draft(messages=[Message("user", [Part(text="{{a}} {{>rules}} {{>none}}")])])
    found = drafts.variables(draft, partials.get)
    assert [(one.name, one.kind) for one in found] == [("a", "text"), ("language", "text"), ("polite", "condition")]
    assert drafts.slips(draft, partials.get)["m0-0-text"] == ["There is no partial none; nothing stands here."]
