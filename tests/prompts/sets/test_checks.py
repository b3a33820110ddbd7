"""What passes a check, what does not, and what is no check."""

from __future__ import annotations

import pytest

from prompts.sets import checks

SCHEMA = '{"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}'


@pytest.mark.parametrize(
    ("kind", "expected", "answer", "passes"),
    [
        ("", "", "anything", None),
        ("contains", "12.50", "The total is 12.50 EUR", True),
        ("contains", "total  IS", "The total is 12.50", True),
        ("contains", "13", "The total is 12.50", False),
        ("equals", "Yes", " yes\n", True),
        ("equals", "yes", "yes, it is", False),
        ("schema", SCHEMA, '{"total": 12.5}', True),
        ("schema", SCHEMA, '```json\n{"total": 12.5}\n```', True),
        ("schema", SCHEMA, '{"total": "12.5"}', False),
        ("schema", SCHEMA, "The total is 12.50", False),
        ("schema", '{"multipleOf": 0.01}', "Infinity", False),
        ("schema", '{"multipleOf": 0.01}', "1e400", False),
        ("schema", '{"multipleOf": 0.01}', "9" * 400, False),
        ("schema", "{}", "[" * 100_000, False),
    ],
)
def test_an_answer_is_held_against_what_is_expected(kind: str, expected: str, answer: str, passes: bool | None) -> None:
    checks.check_expected(kind, expected)
    found, why = checks.verdict(kind, expected, answer)
    assert (found, bool(why)) == (passes, passes is False)


def test_what_did_not_pass_says_why() -> None:
    assert checks.verdict("contains", "13", "12")[1] == "The answer does not contain “13”."
    assert checks.verdict("equals", "13", "12")[1] == "The answer is not “13”."
    assert checks.verdict("schema", SCHEMA, "twelve")[1] == "The answer is not JSON."
    assert checks.verdict("schema", SCHEMA, "{}")[1] == "$: 'total' is a required property."


@pytest.mark.parametrize(
    ("kind", "expected", "says"),
    [
        ("like", "x", "'like' is no kind of check"),
        ("contains", " ", "Write what the answer is expected to hold"),
        ("schema", "{", "The schema is not JSON"),
        ("schema", "[1]", "A schema is a JSON object"),
        ("schema", '{"type": "number or so"}', "This is no JSON schema"),
        ("schema", '{"properties": {"a": {"pattern": "(a+)+$"}}}', "takes no pattern"),
        ("schema", '{"$ref": "http://127.0.0.1:9/elsewhere"}', "takes no $ref"),
        ("schema", '{"allOf": [{"uniqueItems": true}]}', "takes no uniqueItems"),
        ("schema", '{"not":' * 400 + "{}" + "}" * 400, "nested too deeply"),
        ("schema", '{"title": "' + "x" * 20_000 + '"}', "longer than 20,000 characters"),
    ],
)
def test_what_is_no_check_is_refused(kind: str, expected: str, says: str) -> None:
    with pytest.raises(checks.BadCheck) as refused:
        checks.check_expected(kind, expected)
    assert says in str(refused.value)
