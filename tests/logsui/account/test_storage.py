"""The page Storage: what takes the space, the rules and who may set them, and what would go before it goes."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.logsui.test_access import chat_with
from tests.pictures import picture

STORAGE = "/w/default/storage"


def test_it_says_what_is_kept_and_by_which_rules(browser: Browser, stage: Stage) -> None:
    chat_with(stage, "look", picture())
    page = browser.get(STORAGE).text
    for words in ("Pictures and files", "Database", "Journal", "LOUPE_KEEP_GB", "Would go now", "Model"):
        assert words.lower() in page.lower()
    days = dict(re.findall(r'name="(\w+)_days".*?value="(\d*)"', page, re.DOTALL))
    assert set(days) == {"pictures", "bodies", "figures"}


def test_a_rule_is_tried_before_it_is_saved_and_noted_when_it_is(browser: Browser) -> None:
    tried = browser.get(f"{STORAGE}?pictures_days=400&bodies_days=500&figures_days=").text
    assert "not saved yet" in tried
    assert "not saved yet" not in browser.get(STORAGE).text
    saved = browser.post(f"{STORAGE}/rule", STORAGE, pictures_days="400", bodies_days="500", figures_days="").text
    assert "pictures and files 400 days, requests and answers 500 days, figures for ever" in saved
    assert "rule changed" in browser.get("/w/default/audit").text
    browser.post(f"{STORAGE}/rule", STORAGE, pictures_days="30", bodies_days="90", figures_days="730")


@pytest.mark.parametrize(
    ("days", "says"),
    [
        ({"pictures_days": "ten"}, "no number of days"),
        ({"pictures_days": "-1"}, "no number of days"),
        ({"pictures_days": "0"}, "1 to 36,500 days"),
        ({"pictures_days": "3000", "figures_days": "1000"}, "cannot stay longer"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_the_reason(
    browser: Browser, days: dict[str, str], says: str
) -> None:
    given = {"pictures_days": "30", "bodies_days": "90", "figures_days": "730"} | days
    refused = browser.post(f"{STORAGE}/rule", STORAGE, **given)
    assert refused.status == 400
    assert says in refused.text
    assert browser.get(f"{STORAGE}?" + "&".join(f"{name}={value}" for name, value in given.items())).status == 400
