"""Every failure says why, on top: the provider's words, code, type and request id, and what to do."""

from __future__ import annotations

from tests.conftest import Stage
from tests.fake_upstream import chat_events, reset, response, stream
from tests.logsui.browser import Browser


def banner(stage: Stage, browser: Browser) -> str:
    page = browser.get(f"/w/default/logs/{stage.log()['id']}").text
    assert page.count('class="failure"') == 1
    return page.partition('class="failure"')[2].partition("</section>")[0]


def test_a_providers_error_is_told_in_its_words_with_the_cure(stage: Stage, browser: Browser) -> None:
    error = {"message": "Rate limit reached", "type": "requests", "param": "model", "code": "rate_limit_exceeded"}
    stage.case.will(response(429, {"error": error}, {"x-request-id": "req_9f2"}))
    stage.chat()
    told = banner(stage, browser)
    for words in (
        "answered 429",
        "Rate limit reached",
        "rate_limit_exceeded",
        "requests",
        "req_9f2",
        "Too many requests",
    ):
        assert words in told
    assert browser.get(f"/w/default/logs/{stage.log()['id']}").text.count("Rate limit reached") < 4


def test_an_error_that_is_no_json_is_told_too(stage: Stage, browser: Browser) -> None:
    stage.case.will(response(500, b"<html>upstream exploded</html>", {"content-type": "text/html"}))
    stage.chat()
    told = banner(stage, browser)
    assert "upstream exploded" in told
    assert "Something broke at the provider" in told


def test_a_stream_that_breaks_off_says_why_beside_what_had_come(stage: Stage, browser: Browser) -> None:
    stage.case.will(stream(chat_events("The total is")[:1], ending=reset))
    stage.chat({"stream": True})
    told = banner(stage, browser)
    assert "No whole answer came" in told
    assert "broken_off" in told
    page = browser.get("/w/default/logs?q=trace:" + stage.trace).text
    row = page.partition('class="second second-bad"')[2].partition("</span>")[0]
    assert "reset" in row
    assert "The total is" in row


def test_what_loupe_refused_says_so_in_its_own_words(stage: Stage, browser: Browser) -> None:
    stage.chat({"model": "@nobody/gpt-4o"})
    told = banner(stage, browser)
    assert "Loupe did not send this request" in told
    assert "There is no virtual key @nobody" in told
    assert "unknown_virtual_key" in told


def test_a_good_answer_has_no_banner(stage: Stage, browser: Browser) -> None:
    stage.chat()
    assert 'class="failure"' not in browser.get(f"/w/default/logs/{stage.log()['id']}").text
