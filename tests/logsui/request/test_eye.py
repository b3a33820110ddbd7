"""What the model sees of a picture, as its page says and draws it."""

from __future__ import annotations

import pytest

from gateway.models import Image, LogImage
from logsui.request.eye import eye_of
from tests.conftest import Stage
from tests.logsui.browser import Browser
from tests.logsui.request.test_detail import chat_with
from tests.pictures import picture


def sent(width: int, height: int, **fields: object) -> LogImage:
    image = Image(media_type="image/jpeg", width=width, height=height, orientation=fields.pop("orientation", None))
    return LogImage(image=image, direction="input", index=0, source="data", **fields)


def test_tiles_lie_where_openais_guide_puts_them() -> None:
    eye = eye_of(sent(4000, 3000), "gpt-4o")
    assert eye is not None
    assert (eye.pixels, eye.lines, eye.legible_from) == ("1024x768", "M512 0v768M0 512h1024", 32)
    assert eye.cells_title == "4 tiles of 512 px"


def test_what_is_not_scaled_loses_no_letters() -> None:
    eye = eye_of(sent(400, 300), "gpt-4o")
    assert eye is not None
    assert (eye.is_scaled, eye.lines, eye.legible_from, eye.cells_title) == (False, "", 0, "1 tile of 512 px")


def test_a_turned_picture_is_cut_as_it_is_shown() -> None:
    eye = eye_of(sent(2000, 1000, orientation=6), "claude-opus-5")
    assert eye is not None
    assert (eye.width, eye.height) == (1000, 2000)
    assert eye.seen.grid is not None
    assert eye.seen.grid.rows > eye.seen.grid.columns


@pytest.mark.parametrize(
    ("one", "model"),
    [
        (sent(400, 300), "llava-13b"),
        (sent(0, 0), "gpt-4o"),
        (LogImage(image=None, direction="input", index=0), "gpt-4o"),
        (LogImage(image=Image(media_type="image/png", width=9, height=9), direction="output", index=0), "gpt-4o"),
        (LogImage(image=Image(media_type="audio/wav", width=9, height=9), direction="input", index=0), "gpt-4o"),
    ],
)
def test_where_no_rule_is_known_nothing_is_said(one: LogImage, model: str) -> None:
    assert eye_of(one, model) is None


def test_the_page_draws_the_grid_and_says_what_it_costs(stage: Stage, browser: Browser) -> None:
    page = browser.get(f"/w/default/logs/{chat_with(stage, 'look', picture(size=(2000, 1500)))}").text
    for said in ('viewBox="0 0 1024 768"', "M512 0v768M0 512h1024", 'data-seen="1024x768"', "4 tiles of 512 px"):
        assert said in page
    assert "170 tokens ($0.0004) each, 85 besides" in page
    assert "legible from letters 16 px high in the file" in page
