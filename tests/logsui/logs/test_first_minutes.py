"""A list without logs helps to its first one."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from html import unescape

from tests.logsui.browser import Browser
from tests.loupe import Loupe, until


def test_the_empty_page_makes_a_curl_that_works_as_pasted(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    browser = Browser(loupe)
    assert "No requests yet" in browser.get("/w/default/logs").text
    page = browser.post("/w/default/logs/first-call", "/w/default/logs").text
    curl = unescape(page.partition('id="first-curl" tabindex="0">')[2].partition("</pre>")[0])
    done = subprocess.run(shlex.split(curl.replace("\\\n", " ")), capture_output=True, check=True)
    assert b"choices" in done.stdout
    until(lambda: "/images/i0/256" in browser.get("/w/default/logs").text, "the picture is in the list")
    viewer = Browser(loupe, loupe.add_person("eve", "viewer"))
    assert "Make a key" not in viewer.get("/w/default/logs").text


def test_sample_logs_are_written_and_removed_from_the_page(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    browser = Browser(loupe)
    page = browser.post("/w/default/logs/samples", "/w/default/logs").text
    assert "300 sample logs of the last 30 days are written." in page
    assert "sample: checkout" in browser.get("/w/default/logs?w=30d").text
    assert "Remove them" in page
    page = browser.post("/w/default/logs/samples", "/w/default/logs", samples="remove").text
    assert "300 sample logs are removed." in page
    assert "No requests yet" in page
    assert "sample: checkout" not in browser.get("/w/default/keys").text
