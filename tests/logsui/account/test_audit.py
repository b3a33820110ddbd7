"""What people and keys changed or took away is on a page and in a file, and neither holds a secret."""

from __future__ import annotations

import csv
import io
import uuid
from html import unescape

from tests.conftest import Stage
from tests.logsui.browser import Browser

AUDIT = "/w/default/audit"
KEYS = "/w/default/keys"


def test_a_virtual_key_that_is_made_and_revoked_is_noted_without_its_secret(browser: Browser) -> None:
    slug, secret = f"audited-{uuid.uuid4().hex[:8]}", f"sk-{uuid.uuid4().hex}"
    browser.post(f"{KEYS.removesuffix('/keys')}/virtual-keys/create", KEYS, slug=slug, provider="openai", secret=secret)
    page = browser.get(f"{AUDIT}?q={slug}").text
    assert f"virtual key made: <code>@{slug}: openai" in page
    assert secret not in page


def test_an_export_is_noted_with_what_was_looked_for(stage: Stage, browser: Browser) -> None:
    word = f"w{uuid.uuid4().hex}"
    browser.get(f"/w/default/logs/export/csv?q={word}&w=7d")
    assert f"logs exported: <code>csv, last 7 days: {word}</code>" in browser.get(f"{AUDIT}?q={word}").text


def test_entries_are_found_by_any_word_and_paged(browser: Browser) -> None:
    word = f"w{uuid.uuid4().hex}"
    for _ in range(101):
        browser.get(f"/w/default/logs/export/jsonl?q={word}")
    first = browser.get(f"{AUDIT}?q={word}")
    assert first.text.count("logs exported") == 100
    older = unescape(first.text.split('rel="next"')[0].rpartition('href="')[2].rpartition('"')[0])
    assert browser.get(f"{AUDIT}{older}").text.count("logs exported") == 1
    assert "Nothing found" in browser.get(f"{AUDIT}?q={uuid.uuid4().hex}").text


def test_the_file_holds_every_entry_no_formula_and_who_took_it(browser: Browser) -> None:
    word = f"w{uuid.uuid4().hex}"
    browser.post(f"{KEYS}/create", KEYS, name=f"=1+{word}")
    for n in range(2):
        rows = list(csv.DictReader(io.StringIO(browser.get(f"{AUDIT}.csv?q={word}").text)))
        assert [row["action"] for row in rows] == ["audit exported"] * (n + 1) + ["API key made"]
    assert rows[-1]["what"].startswith(f"'=1+{word}")
    assert {row["who"] for row in rows} == {"admin"}
