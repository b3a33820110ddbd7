"""Places that a model names are drawn on the picture that they are about, to the pixel."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conftest import Stage
from tests.fake_upstream import response
from tests.logsui.browser import Browser
from tests.pictures import data_url, picture


def answered(stage: Stage, answer: str | dict[str, Any], *pictures: bytes, model: str = "gpt-4o") -> str:
    """The id of a log with this answer: a text, or a whole message."""
    message = answer if isinstance(answer, dict) else {"content": answer}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    stage.case.will(response(body={"model": model, "choices": [choice]}))
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in pictures]
    text = {"type": "text", "text": "where?"}
    stage.chat({"model": f"@{stage.slug}/{model}", "messages": [{"role": "user", "content": [text, *parts]}]})
    return str(stage.log()["id"])


def drawn(page: str) -> list[tuple[str, dict[str, float]]]:
    """The elements of the overlays, in order, with their numbers."""
    overlays = " ".join(re.findall(r'<svg class="marks".*?</svg>', page, re.DOTALL))
    found = re.findall(r"<(rect|circle|polygon|polyline)\b([^>]*)/>", overlays)
    return [
        (name, {key: float(value) for key, value in re.findall(r'(\w+)="(-?[\d.]+)"', fields)})
        for name, fields in found
    ]


def test_boxes_and_points_lie_where_the_numbers_say(stage: Stage, browser: Browser) -> None:
    places = [{"label": "total", "bbox": [20, 30, 120, 50]}, {"label": "shop", "point": [100, 10]}]
    page = browser.get(f"/w/default/logs/{answered(stage, json.dumps(places), picture(size=(400, 200)))}").text
    assert 'viewBox="0 0 400 200"' in page
    assert drawn(page) == [
        ("rect", {"x": 20, "y": 30, "width": 100, "height": 20}),
        ("circle", {"cx": 100, "cy": 10, "r": 5}),
    ]
    assert "2 places in the answer" in page
    assert page.count(">total<") == 3  # in the overlay, its title, and the legend


@pytest.mark.parametrize(
    ("model", "said", "place", "size"),
    [
        ("gemini-2.5-pro", '[{"box_2d": [250, 100, 750, 600], "label": "a"}]', (40, 50), (200, 100)),
        ("qwen3-vl-30b", '{"bbox_2d": [250, 100, 750, 600]}', (100, 20), (200, 100)),
        ("molmo-7b", '<point x="25" y="50" alt="a">a</point>', (100, 100), (5, 5)),
        ("gpt-4o", '{"bbox": [0.25, 0.5, 0.75, 1]}', (100, 100), (200, 100)),
    ],
)
def test_each_models_own_numbers_are_understood(
    stage: Stage, browser: Browser, model: str, said: str, place: tuple[float, float], size: tuple[float, float]
) -> None:
    page = browser.get(f"/w/default/logs/{answered(stage, said, picture(size=(400, 200)), model=model)}").text
    ((_, numbers),) = drawn(page)
    assert tuple(numbers.values())[:2] == place
    assert size in (tuple(numbers.values())[2:], (5, 5))


def test_another_space_can_be_picked_and_is_remembered_for_the_model(stage: Stage, browser: Browser) -> None:
    model = f"detector-{stage.slug}"
    id = answered(stage, '{"bbox": [100, 100, 300, 150]}', picture(size=(400, 200)), model=model)
    plain = browser.get(f"/w/default/logs/{id}").text
    assert drawn(plain)[0][1] == {"x": 100, "y": 100, "width": 200, "height": 50}
    assert "pixels of the file (guessed)" in plain
    thousandths = {"x": 40, "y": 20, "width": 80, "height": 10}
    assert drawn(browser.get(f"/w/default/logs/{id}?space=1000-xy").text)[0][1] == thousandths
    assert drawn(browser.get(f"/w/default/logs/{id}").text)[0][1] == thousandths
    browser.get(f"/w/default/logs/{id}?space=guess")
    assert browser.get(f"/w/default/logs/{id}").text.count("(guessed)") == 1
    assert browser.get(f"/w/default/logs/{id}?space=nonsense").status == 200


def test_a_place_is_on_the_picture_whose_number_it_says_else_on_the_last(stage: Stage, browser: Browser) -> None:
    said = [{"image": 1, "bbox": [1, 2, 30, 40]}, {"bbox": [5, 6, 70, 80]}]
    pictures = [picture(size=(300, 100)), picture(size=(200, 100))]
    page = browser.get(f"/w/default/logs/{answered(stage, json.dumps(said), *pictures)}").text
    first, second = (page.split("</figure>")[n] for n in (0, 1))
    assert drawn(first)[0][1] == {"x": 1, "y": 2, "width": 29, "height": 38}
    assert drawn(second)[0][1] == {"x": 5, "y": 6, "width": 65, "height": 74}


def test_a_tool_call_is_read_too_and_a_click_in_the_middle_of_a_trace_is_on_its_own_screenshot(
    stage: Stage, browser: Browser
) -> None:
    def screen(width: int) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": data_url(picture(size=(width, 100)))}}

    call = {"name": "computer", "arguments": json.dumps({"action": "left_click", "coordinate": [40, 50]})}
    tool = {"id": "c1", "type": "function", "function": call}
    stage.case.will(response(body={"choices": [{"message": {"role": "assistant", "content": "click(x=70, y=60)"}}]}))
    stage.chat(
        {
            "messages": [
                {"role": "user", "content": [screen(300)]},
                {"role": "assistant", "content": None, "tool_calls": [tool]},
                {"role": "tool", "tool_call_id": "c1", "content": "done"},
                {"role": "user", "content": [screen(200)]},
            ]
        }
    )
    page = browser.get(f"/w/default/logs/{stage.log()['id']}").text
    first, second = (drawn(page.split("</figure>")[n])[0][1] for n in (0, 1))
    assert (first["cx"], first["cy"]) == (40, 50)
    assert (second["cx"], second["cy"]) == (70, 60)


def test_what_a_model_calls_a_place_cannot_run(stage: Stage, browser: Browser) -> None:
    label = '"><script>alert(1)</script>'
    said = json.dumps([{"label": label, "bbox": [1, 2, 30, 40]}])
    page = browser.get(f"/w/default/logs/{answered(stage, said, picture(size=(300, 100)))}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
