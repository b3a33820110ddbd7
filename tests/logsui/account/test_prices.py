"""A workspace's own prices count for what is recorded from then on, and for past logs when that is asked for."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from tests.conftest import Stage
from tests.fake_upstream import response
from tests.logsui.browser import Browser
from tests.loupe import until

PRICES = "/w/default/prices"


def called(stage: Stage, model: str, trace: str, **usage: Any) -> dict[str, Any]:
    answer = {
        "id": "c",
        "model": model,
        "choices": [],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, **usage},
    }
    stage.case.will(response(body=answer))
    stage.chat({"model": f"@{stage.slug}/{model}"}, x_portkey_trace_id=trace)
    return stage.loupe.log(trace)


def _priced(stage: Stage, model: str, **usage: Any) -> dict[str, Any] | None:
    """The worker reads prices once a second."""
    log = called(stage, model, f"{model}-{uuid.uuid4()}", **usage)
    return log if log["cost"] is not None else None


def test_a_price_that_is_set_counts_from_then_on_and_for_the_past_when_asked(browser: Browser, stage: Stage) -> None:
    model = f"ours-{uuid.uuid4().hex[:8]}"
    before = called(stage, model, f"{model}-before")
    assert (before["cost"], before["cost_source"]) == (None, None)
    assert f"<code>{model}</code>" in browser.get(PRICES).text
    made = browser.post(
        f"{PRICES}/set", PRICES, pattern=f"{model[:-2]}*", input="2", output="10", cached="0.5", provider=""
    )
    assert "is priced so" in made.text
    after = until(
        lambda: _priced(stage, model, prompt_tokens_details={"cached_tokens": 400}), "the worker knows the price"
    )
    assert (after["cost"], after["cost_source"]) == (pytest.approx((600 * 2 + 400 * 0.5 + 100 * 10) / 1e6), "own")
    assert "own price" in browser.get(f"/w/default/logs/{after['id']}").text
    assert stage.loupe.log(f"{model}-before")["cost"] is None
    browser.post(f"{PRICES}/apply", PRICES, since="2020-01-01", until="")
    assert stage.loupe.log(f"{model}-before")["cost"] == pytest.approx(0.003)
    price = re.findall(rf"{re.escape(model[:-2])}\*.*?prices/(\d+)/remove", browser.get(PRICES).text, re.DOTALL)[0]
    browser.post(f"{PRICES}/{price}/remove", PRICES)
    assert f"{model[:-2]}*" not in browser.get(PRICES).text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"pattern": "m", "input": "cheap"}, "US dollars per million tokens"),
        ({"pattern": "m"}, "at least a rate for input or for output"),
        ({"pattern": " ", "input": "1"}, "Name the model"),
        ({"pattern": "m", "input": "-1"}, "US dollars per million tokens"),
        ({"pattern": "m", "input": "nan"}, "US dollars per million tokens"),
        ({"pattern": "m", "input": "sNaN"}, "US dollars per million tokens"),
        ({"pattern": "m", "input": "Infinity"}, "US dollars per million tokens"),
        ({"pattern": "m", "input": "1", "provider": "nobody"}, "no provider"),
    ],
)
def test_a_price_that_means_nothing_says_why(browser: Browser, fields: dict[str, str], says: str) -> None:
    answer = browser.post(f"{PRICES}/set", PRICES, **({"provider": ""} | fields))
    assert answer.status == 400
    assert says in answer.text


def test_prices_are_set_listed_and_removed_by_command(stage: Stage) -> None:
    model = f"cmd-{uuid.uuid4().hex[:8]}"
    manage = stage.loupe.manage
    manage("prices", "set", model, "--input", "1.25", "--output", "5", "--provider", "openai")
    assert f"{model}\topenai\tinput=1.25 output=5" in manage("prices", "list")
    priced = until(lambda: _priced(stage, model), "the worker knows the price")
    assert priced["cost"] == pytest.approx(0.00175)
    manage("prices", "remove", model, "--provider", "openai")
    assert model not in manage("prices", "list")
    assert "logs cost something else now" in manage("prices", "apply", "--since", "2026-01-01")
    assert stage.loupe.log(priced["trace_id"])["cost"] is None
