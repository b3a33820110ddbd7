"""Pages that hold what no page can hold."""

from __future__ import annotations

from django.template import engines

from tests.conftest import Stage
from tests.logsui.browser import Browser

HALF = b'"\\ud83d"'


def test_half_a_surrogate_is_replaced_where_the_page_is_written() -> None:
    page = engines["django"].from_string("{{ text }}")
    assert page.render({"text": "a\ud83db"}) == "a?b"


def test_half_a_surrogate_anywhere_in_a_body_leaves_the_page_readable(stage: Stage, browser: Browser) -> None:
    body = b'{"model": "@%s/m", "odd": HALF, HALF: 1, "user": HALF, "messages": [{"role": HALF, "content": HALF}]}'
    stage.post("/v1/chat/completions", body.replace(b"HALF", HALF).replace(b"%s", stage.slug.encode()))
    assert browser.get(f"/w/default/logs/{stage.log()['id']}").status == 200
