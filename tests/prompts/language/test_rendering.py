"""Messages made of templates: whatever the values are, they stand in them as they are."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.language.rendering import PromptProblem, Template, render_messages

KEPT = {"a" * 64: "data:image/png;base64,iVBORw0KGgoAAA=="}
USUAL = Template(
    json.dumps(
        [
            {"role": "system", "content": "You read {{kind}}."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Total of {{kind}}?"},
                    {"type": "image_url", "image_url": {"url": "{{receipt}}", "detail": "high"}},
                ],
            },
        ]
    )
)
RAW = Template(
    """[{"role": "user", "content": [
      {"type": "text", "text": "{{question}}"},
      {{#has_image}}{"type": "image_url", "image_url": {"url": "{{image}}"}},{{/has_image}}
    ]}]""",
    is_raw=True,
)


def rendered(template: Template, variables: dict[str, Any], **partials: str) -> list[dict[str, Any]]:
    return render_messages(template, variables, partials=partials.get, pictures=KEPT.__getitem__)


def slot(url: str, **own: str) -> Template:
    part = {"type": "image_url", "image_url": {"url": url}} | ({"loupe": own} if own else {})
    return Template(json.dumps([{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]))


def test_variables_fill_texts_and_slots() -> None:
    messages = rendered(USUAL, {"kind": "receipts", "receipt": "https://x.example/1.jpg"})
    assert messages[0] == {"role": "system", "content": "You read receipts."}
    assert messages[1]["content"][1]["image_url"] == {"url": "https://x.example/1.jpg", "detail": "high"}


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://x.example/{{b}}.jpg", "https://x.example/{{b}}.jpg"),
        ("data:image/jpeg;base64,/9j/AA==", "data:image/jpeg;base64,/9j/AA=="),
        ("/9j/4AAQSkZJRg==", "data:image/jpeg;base64,/9j/4AAQSkZJRg=="),
        (f"loupe:sha256:{'a' * 64}", KEPT["a" * 64]),
        (f"sha256:{'a' * 64}", KEPT["a" * 64]),
        ({"url": "https://x.example/2.jpg", "detail": "low"}, "https://x.example/2.jpg"),
    ],
)
def test_a_picture_is_given_in_any_of_these_ways(value: Any, url: str) -> None:
    assert rendered(slot("{{p}}"), {"p": value})[0]["content"][1]["image_url"]["url"] == url


def test_a_variable_may_stand_inside_an_address() -> None:
    shown = rendered(slot("https://x.example/{{id}}.jpg"), {"id": 7})
    assert shown[0]["content"][1]["image_url"] == {"url": "https://x.example/7.jpg"}


@pytest.mark.parametrize("value", ["not a picture", "file:///etc/passwd", f"sha256:{'b' * 64}"])
def test_what_is_no_picture_is_refused_with_its_place(value: str) -> None:
    with pytest.raises(PromptProblem, match=r"^messages\[0\].content\[1\]: ") as problem:
        rendered(slot("{{p}}"), {"p": value})
    assert problem.value.place == "messages[0].content[1]"


def test_an_empty_slot_is_left_out_or_refused_as_it_is_set() -> None:
    assert len(rendered(slot("{{p}}"), {})[0]["content"]) == 1
    with pytest.raises(PromptProblem, match="the slot receipt is empty"):
        rendered(slot("{{p}}", empty="refuse", name="receipt"), {"p": ""})


@pytest.mark.parametrize(
    ("when", "given_value", "count"),
    [("has", True, 2), ("has", False, 1), ("has", "", 1), ("!has", False, 2), ("!has", [1], 1), ("a.b", True, 1)],
)
def test_a_condition_on_a_slot_decides(when: str, given_value: Any, count: int) -> None:
    parts = rendered(slot("https://x.example/1.jpg", when=when), {"has": given_value})[0]["content"]
    assert len(parts) == count
    assert "loupe" not in parts[-1]


def test_a_raw_template_puts_sections_around_parts() -> None:
    with_it = rendered(RAW, {"question": "?", "has_image": True, "image": "https://x.example/1.jpg"})
    without = rendered(RAW, {"question": "?", "has_image": False})
    assert [part["type"] for part in with_it[0]["content"]] == ["text", "image_url"]
    assert [part["type"] for part in without[0]["content"]] == ["text"]


def test_a_raw_template_takes_values_outside_of_strings() -> None:
    template = Template(
        '[{"role": "user", "content": {{parts}}, "n": {{n}}, "name": {{name}}, "x": {{x}}}]', is_raw=True
    )
    given_values = {"parts": [{"type": "text", "text": "a"}], "n": 3, "name": 'say "hi"', "x": '{"a": 1}'}
    assert rendered(template, given_values) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}], "n": 3, "name": 'say "hi"', "x": {"a": 1}}
    ]


def test_partials_are_filled_with_the_same_variables() -> None:
    template = Template('[{"role": "system", "content": "{{>tone}} {{>tone@2}} {{>none}}"}]')
    assert rendered(template, {"who": "Ada"}, **{"tone": "Hi {{who}}!", "tone@2": "Dear {{who}},"}) == [
        {"role": "system", "content": "Hi Ada! Dear Ada, "}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        '"text"',
        "[1]",
        "[{}]",
        '[{"role": 1}]',
        '[{"role": "user", "content": 3}]',
        '[{"role":"user","content":[1]}]',
    ],
)
@pytest.mark.parametrize("is_raw", [True, False])
def test_a_template_that_can_make_no_messages_is_refused(text: str, is_raw: bool) -> None:
    with pytest.raises(PromptProblem):
        Template(text, is_raw).check()


def test_the_names_are_known_with_their_kind() -> None:
    template = slot("{{p}}", when="!has")
    assert template.details({}.get).variables == ["p", "has"]
    assert template.image_variables() == {"p"}
    assert RAW.details({}.get).variables == ["question", "image", "has_image"]
    assert RAW.image_variables() == {"image"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["kind", "question", "has_image"]), values))
def test_no_value_breaks_the_messages(variables: dict[str, Any]) -> None:
    for template in (USUAL, RAW):
        messages = rendered(template, variables)
        assert json.loads(json.dumps(messages)) == messages
        assert {message["role"] for message in messages} <= {"system", "user"}


@given(st.text())
def test_a_text_arrives_as_it_was_given(text: str) -> None:
    assert rendered(RAW, {"question": text})[0]["content"][0]["text"] == text
    assert rendered(USUAL, {"kind": text})[0]["content"] == f"You read {text}."


@given(st.text(), values, st.text())
def test_no_value_outside_of_a_string_breaks_the_json(before: str, value: Any, after: str) -> None:
    template = Template('[{"role": "user", "content": "{{a}}", "x": {{x}}, "name": "{{b}}"}]', is_raw=True)
    message = rendered(template, {"a": before, "x": value, "b": after})[0]
    assert (message["content"], message["name"]) == (before, after)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_json_lacks_become_null_at_any_depth(number: float) -> None:
    raw = Template('[{"role": "user", "content": "{{x}}", "metadata": {{x}}}]', is_raw=True)
    message = rendered(raw, {"x": {"list": [1.5, number, {"deep": number}]}})[0]
    assert message["metadata"] == {"list": [1.5, None, {"deep": None}]}
    assert json.loads(message["content"]) == message["metadata"]


def test_a_data_url_of_five_megabytes_arrives_whole() -> None:
    url = "data:image/png;base64," + base64.b64encode(bytes(5_000_000)).decode()
    for template, name in ((slot("{{image}}"), "image"), (RAW, "image")):
        messages = rendered(template, {name: url, "has_image": True, "question": "?"})
        assert messages[0]["content"][1]["image_url"]["url"] == url
