"""Bodies that are made to take long pass, hold nobody up, and are kept to the byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from tests.conftest import Stage
from tests.gateway.proxy.test_prompt_calls import longest_health
from tests.logsui.browser import Browser
from tests.pictures import data_url, picture

PIECES = ["[],", "{},", '"a",', "1.5,", '"\\"",']


@pytest.mark.parametrize("piece", PIECES)
def test_a_body_of_very_many_values_passes_unread(
    stage: Stage, piece: str, long_or_short: Callable[[int, int], int]
) -> None:
    many = long_or_short(60, 8) * 1024 * 1024 // len(piece)
    body = b'{"model": "@%s/m", "messages": [], "x": [%s0]}' % (stage.slug.encode(), piece.encode() * many)
    stop, longest = threading.Event(), list[float]()
    watcher = threading.Thread(target=lambda: longest.append(longest_health(stage, stop)))
    watcher.start()
    status = stage.post("/v1/chat/completions", body)[0]
    stop.set()
    watcher.join()
    assert status == 200
    assert longest[0] < 2
    assert stage.case.requests[0].body == body.replace(b"@%s/" % stage.slug.encode(), b"")
    log = stage.log()
    assert "the request holds more than 1,000,000 JSON values: it is kept, but was not read" in log["warnings"]
    assert Browser(stage.loupe).get(f"/w/default/logs/{log['id']}/body/request").body == body


def test_so_does_one_with_half_a_character_in_it_and_one_that_is_no_json_is_refused_for_that(stage: Stage) -> None:
    body = b'{"model": "@%s/m", "messages": [], "y": "\\ud800", "x": [%s0]}' % (stage.slug.encode(), b"[]," * 1_100_000)
    assert stage.post("/v1/chat/completions", body, x_portkey_virtual_key=stage.slug)[0] == 400  # the slug stays
    plain = body.replace(b"@%s/" % stage.slug.encode(), b"")
    assert stage.post("/v1/chat/completions", plain, x_portkey_virtual_key=stage.slug)[0] == 200
    assert stage.case.requests[0].body == plain
    status, _, answer = stage.post("/v1/chat/completions", plain + b"}")
    assert status == 400
    assert b"trailing characters" in answer


def test_of_very_many_pictures_the_first_are_kept_apart(stage: Stage) -> None:
    data = [picture()[:-1] + bytes([n % 256, n // 256]) for n in range(1200)]
    parts = [{"type": "image_url", "image_url": {"url": data_url(one)}} for one in data]
    body = json.dumps({"model": f"@{stage.slug}/m", "messages": [{"role": "user", "content": parts}]})
    assert stage.post("/v1/chat/completions", body.encode())[0] == 200
    log = stage.log()
    assert log["input_images"] == 1000
    assert any("more than 1,000 files" in line for line in log["warnings"])
    assert Browser(stage.loupe).get(f"/w/default/logs/{log['id']}/body/request").body == body.encode()
