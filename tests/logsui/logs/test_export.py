"""Exports: everything that was found, streamed, with the pictures as files."""

from __future__ import annotations

import csv
import io
import json
import uuid
import zipfile
from dataclasses import replace

import pytest

from tests.conftest import Stage
from tests.fake_upstream import response
from tests.logsui.browser import Browser
from tests.pictures import data_url, picture


def send(stage: Stage, text: str, *pictures: bytes) -> str:
    one = replace(stage, trace=f"trace-{uuid.uuid4()}")
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in pictures]
    one.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": text}, *parts]}]})
    return str(one.log()["id"])


def test_json_lines_hold_every_log_whole(stage: Stage, browser: Browser) -> None:
    word = f"w{uuid.uuid4().hex}"
    ids = {send(stage, f"{word} {n}", picture()) for n in range(3)}
    lines = browser.get(f"/w/default/logs/export/jsonl?q={word}").text.splitlines()
    logs = [json.loads(line) for line in lines]
    assert {log["id"] for log in logs} == ids
    assert all(log["request"]["body"]["messages"][0]["content"][0]["text"].startswith(word) for log in logs)
    assert all(log["images"][0]["sha256"] in json.dumps(log["request"]["body"]) for log in logs)


def test_a_table_holds_the_figures_and_no_formula(stage: Stage, browser: Browser) -> None:
    word = f"w{uuid.uuid4().hex}"
    stage.case.will(response(body={"choices": [{"message": {"role": "assistant", "content": "=1+1"}}]}))
    id = send(stage, word)
    (row,) = csv.DictReader(io.StringIO(browser.get(f"/w/default/logs/export/csv?q={word}").text))
    assert (row["id"], row["prompt_preview"], row["answer_preview"]) == (id, word, "'=1+1")


def test_the_archive_holds_each_picture_once_under_the_path_that_the_logs_name(stage: Stage, browser: Browser) -> None:
    word, same, other = f"w{uuid.uuid4().hex}", picture(size=(31, 31)), picture("JPEG", (32, 32))
    send(stage, f"{word} 1", same, other)
    send(stage, f"{word} 2", same)
    archive = zipfile.ZipFile(io.BytesIO(browser.get(f"/w/default/logs/export/zip?q={word}").body))
    assert archive.testzip() is None
    logs = [json.loads(line) for line in archive.read("logs.jsonl").splitlines()]
    files = [[archive.read(image["file"]) for image in log["images"]] for log in logs]
    assert sorted(files, key=len) == [[same], [same, other]]
    assert len(archive.namelist()) == 3


def test_only_the_chosen_are_exported(stage: Stage, browser: Browser) -> None:
    first, second, _ = (send(stage, str(n)) for n in range(3))
    lines = browser.get(f"/w/default/logs/export/jsonl?ids={first},{second}").text.splitlines()
    assert {json.loads(line)["id"] for line in lines} == {first, second}


def test_progress_is_told_and_ends(stage: Stage, browser: Browser) -> None:
    word, token = f"w{uuid.uuid4().hex}", uuid.uuid4().hex
    send(stage, word)
    assert json.loads(browser.get(f"/w/default/logs/export/progress/{token}").text) == {"done": 0}
    browser.get(f"/w/default/logs/export/jsonl?q={word}&progress={token}")
    assert json.loads(browser.get(f"/w/default/logs/export/progress/{token}").text) == {"done": -1}


@pytest.mark.parametrize("address", ["pdf", "jsonl?q=since:soon", "jsonl?ids=nonsense"])
def test_an_export_of_nonsense_is_refused(browser: Browser, address: str) -> None:
    assert browser.get(f"/w/default/logs/export/{address}").status == 404
