"""What was sent again, what it cost, and every answer that a picture got."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from hashlib import sha256

from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.logsui.request.test_detail import chat_with
from tests.logsui.request.test_marks import answered
from tests.loupe import until
from tests.pictures import picture


def own_picture(size: tuple[int, int]) -> bytes:
    red, green, blue = os.urandom(3)
    return picture(size=size, colour=(red, green, blue))


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_picture_that_was_sent_again_is_told_with_what_that_cost(stage: Stage, browser: Browser) -> None:
    again, once = own_picture((2000, 1500)), own_picture((640, 480))
    for number in range(3):
        chat_with(replace(stage, trace=f"{stage.trace}-{number}"), "look", again)
    chat_with(replace(stage, trace=f"{stage.trace}-once"), "look", once)

    def rows() -> list[str]:
        page = browser.get("/w/default/pictures/sent?w=24h").text
        found = [row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if sha256(again).hexdigest() in row]
        return found if found and "1,530" in found[0] else []

    (row,) = until(rows, "the worker has looked at the picture")
    said = words(row)
    assert "3 times" in said
    assert "1,530" in said  # 765 tokens, twice more than needed
    assert "$0.0038" in said
    assert sha256(once).hexdigest() not in browser.get("/w/default/pictures/sent?w=24h").text


def test_a_pictures_page_has_every_answer_that_it_got(stage: Stage, browser: Browser) -> None:
    shown = own_picture((60, 40))
    for answer in ("A cat.", "A dog.", "A cat."):
        answered(replace(stage, trace=f"{stage.trace}-{os.urandom(4).hex()}"), answer, shown)
    page = browser.get(f"/w/default/pictures/{sha256(shown).hexdigest()}/answers")
    said = words(page.text)
    assert "3 requests, 2 different answers" in said
    assert said.count("A cat.") == 2
    assert browser.get(f"/w/default/pictures/{'0' * 64}/answers").status == 404
