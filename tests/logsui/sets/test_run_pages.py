"""Picture sets run for real: imported as files, asked through the gateway, stopped, killed, gone on with, exported."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import threading
import uuid
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, chat_events, reset, response, stall, stream
from tests.gateway.processes.test_durability import processes
from tests.logsui.browser import Browser
from tests.logsui.sets.visitor import CASES, PICTURES, Runs
from tests.loupe import Loupe, until
from tests.pictures import data_url, picture


def zipped(*files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for some in files:
            for name, data in some.items():
                archive.writestr(name, data)
    return out.getvalue()


@pytest.fixture(scope="module")
def person(corner: Stage) -> Runs:
    """Logging in and making a key cost a process each."""
    return Runs.on(corner.loupe, corner.case, corner.slug)


@pytest.fixture
def runs(person: Runs, stage: Stage) -> Runs:
    return replace(person, case=stage.case)


def test_two_versions_are_run_over_cases_that_came_as_files(runs: Runs, stage: Stage) -> None:
    runs.make({"cases.csv": CASES, **PICTURES})
    assert "3 cases imported." in runs.said
    run = runs.start(f"{runs.slug}@1", runs.slug + "@latest", **{"c1-parameters": '{"temperature": 0}'})
    found = runs.ended(run)
    assert [(one["case"], one["version"], one["answer"], one["passed"]) for one in found] == [
        ("one", 1, "A red square.", True),
        ("one", 2, "A red square.", True),
        ("two", 1, "A red square.", False),
        ("two", 2, "A red square.", False),
        ("three", 1, "A red square.", None),
        ("three", 2, "A red square.", None),
    ]
    sent = [json.loads(one.body) for one in stage.case.requests]
    asked = {(body["messages"][0]["content"][0]["text"], body.get("temperature")) for body in sent}
    assert ("What is it, in EUR?", None) in asked
    assert ("Say what it is, in USD?", 0) in asked
    urls = {part["image_url"]["url"] for body in sent for part in body["messages"][0]["content"][1:]}
    assert urls == {data_url(PICTURES["a.png"]), data_url(PICTURES["b.png"])}
    id = run.rpartition("/")[2]
    query = f"q=trace:{id}%20version:{runs.slug}@2"
    logs = until(lambda: len(found := stage.loupe.logs(query)) == 3 and found, "all are logged")
    [two] = [log for log in logs if log["metadata"] == {"case": "two", "set": "Receipts"}]
    assert runs.results(run)[3]["log"].endswith(two["id"])


def test_an_exported_set_can_be_imported_again(runs: Runs) -> None:
    runs.make({"cases.csv": CASES, **PICTURES})
    for kind in ("csv", "jsonl"):
        archive = runs.browser.get(f"{runs.path}/export/{kind}").body
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            assert len([name for name in opened.namelist() if name.startswith("pictures/")]) == 2
        again = Runs(runs.browser, runs.case, runs.slug).make({"set.zip": archive})
        assert "3 cases imported." in again.said
        assert runs.browser.get(f"{again.path}/export/jsonl").body == runs.browser.get(f"{runs.path}/export/jsonl").body


def test_pictures_alone_are_a_case_each(runs: Runs) -> None:
    runs.make(PICTURES)
    assert "2 cases imported." in runs.said
    assert [one["variables"]["receipt"][:9] for one in runs.ended(runs.start(runs.slug))] == ["pictures/"] * 2


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.csv": b"receipt\nb.png\n"}, "1 of the values name a file that was not given, such as b.png."),
        ({"a.csv": b"receipt\n1,2\n"}, "Nothing was imported. a.csv, line 2: 2 cells under 1 columns."),
        ({"a.png": b"not a picture"}, "Nothing was imported. a.png: This is no picture that a model takes"),
        ({"a.zip": b"PK not a zip"}, "Nothing was imported. a.zip cannot be opened as a ZIP"),
        ({"a.csv": b"receipt,check,expected\nx,schema,{\n"}, "Nothing was imported. case 1: The schema is not JSON"),
        ({"a.csv": b"name\n"}, "Nothing was imported. There is no case in it."),
        ({"a.zip": zipped({"x/a.png": picture()}, {"x/a.png": picture(size=(9, 9))})}, "x/a.png is given twice"),
        ({"a.zip": zipped({"a.png": picture()}).replace(b"PK\5\6", b"PK\5\7")}, "it has no directory. Is it whole?"),
        ({"a.zip": b"PK\5\6" + bytes(8) + b"\xff" * 4 + bytes(6)}, "a.zip holds more than 3,000 files"),
        ({"a.zip": zipped({"a.png": picture()})[:40] + zipped({"a.png": picture()})[60:]}, "cannot be opened as a ZIP"),
    ],
)
def test_what_does_not_fit_is_said(runs: Runs, files: dict[str, bytes], says: str) -> None:
    assert says in runs.make(files).said.replace("&#x27;", "'").replace("&quot;", '"')


def test_a_column_that_cannot_be_run_says_so_beside_itself(runs: Runs) -> None:
    runs.make(PICTURES)
    for fields, says in (
        ({"c0-prompt": f"{runs.slug}@9"}, "versions go from 1 to 2"),
        ({"c0-prompt": "no-such"}, "There is no prompt &#x27;no-such&#x27;"),
        ({"c0-model": "@x/y"}, "Name the prompt of this column"),
        ({"c0-prompt": runs.slug, "c0-parameters": "[1]"}, "Parameters are a JSON object"),
        ({"c0-prompt": runs.slug, "c0-parameters": '{"messages": []}'}, "cannot bring messages"),
        ({}, "Choose one to 4 columns"),
    ):
        assert says in runs.browser.post(f"{runs.path}/run", runs.path, **fields).text


def test_a_stopped_run_breaks_its_calls_off_and_goes_on_later(runs: Runs, stage: Stage) -> None:
    lines = "name,currency\n" + "".join(f"{n},{n}\n" for n in range(12))
    runs.make({"cases.csv": lines.encode()})
    go = threading.Event()
    stage.case.will(*[stream(chat_events("half", " whole"), go=go)] * 8)
    run = runs.start(runs.slug)
    until(lambda: runs.states(run).count("r") == 8 and len(stage.case.requests) == 8, "eight are under way")
    until(lambda: [one["answer"] for one in runs.results(run)[:8]] == ["half"] * 8, "the answers fill in")
    runs.browser.post(f"{run}/stop", run)
    for request in list(stage.case.requests):
        assert request.client_left.wait(10)
    until(lambda: runs.states(run) == "w" * 12, "they wait again")
    assert "12</b> of 12" not in runs.browser.get(run).text
    stage.case.scripts.clear()
    runs.browser.post(f"{run}/resume", run)
    assert {one["answer"] for one in runs.ended(run)} == {"A red square."}
    assert len(stage.case.requests) == 20


def test_what_failed_says_why_and_is_asked_again_on_wish(runs: Runs, stage: Stage) -> None:
    runs.make({"cases.csv": b"name,currency\n1,1\n2,2\n3,3\n"})
    broken = stream(chat_events("half", " whole"), ending=reset)
    stage.case.will(response(400, {"error": {"message": "no such model here"}}), broken, response())
    run = runs.start(runs.slug)
    problems = sorted(one["problem"] for one in runs.ended(run))
    assert problems[0] == ""
    assert any("no such model here" in problem for problem in problems)
    assert sum(bool(problem) for problem in problems) == 2
    assert runs.browser.get(f"{run}?only=failed").text.count('scope="row"') == 2
    runs.browser.post(f"{run}/resume", run, again="1")
    assert {(one["state"], one["answer"]) for one in runs.ended(run)} == {("done", "A red square.")}


def test_an_answer_that_no_database_keeps_as_it_is_ends_its_cell_all_the_same(runs: Runs, stage: Stage) -> None:
    runs.make({"cases.csv": b"name,currency\n1,1\n2,2\n"})
    odd = b'data: {"choices": [{"index": 0, "delta": {"content": "a\\u0000b \\ud83e \xe2\x80\xa8 c"}}]}\n\ndata: [DONE]\n\n'
    stage.case.will(stream([odd]), response(200, {"choices": [{"message": {"content": "not streamed"}}]}))
    answers = sorted(one["answer"] for one in runs.ended(runs.start(runs.slug)))
    assert answers == ["a\N{SYMBOL FOR NULL}b ? \u2028 c", "not streamed"]


def test_a_run_survives_kills_of_the_worker_and_a_restart(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe, slug = own_loupe(), f"sets-{uuid.uuid4().hex[:8]}"
    loupe.add_virtual_key(slug, upstream.url(slug))
    case = upstream.on(slug)
    runs = Runs.on(loupe, case, slug)
    runs.make({"cases.csv": ("name,currency\n" + "".join(f"{n},{n}\n" for n in range(30))).encode()})
    case.will(*[stall] * 8)
    run = runs.start(runs.slug)
    for _ in range(3):
        case.wait_request(8)
        case.requests.clear()
        case.scripts.clear()
        case.will(*[stall] * 8)
        for pid in processes(loupe, "work"):
            os.kill(pid, signal.SIGKILL)
    case.wait_request(8)
    case.scripts.clear()
    loupe.stop()
    loupe.start()
    runs.browser = Browser(loupe)
    found = runs.ended(run)
    assert [(one["case"], one["state"], one["answer"]) for one in found] == [
        (str(n), "done", "A red square.") for n in range(30)
    ]


def test_answers_are_marked_and_counted(runs: Runs) -> None:
    runs.make({"cases.csv": b"name,currency\n1,1\n2,2\n"})
    run = runs.start(runs.slug)
    runs.ended(run)
    cells = re.findall(r'id="cell-(\d+)"', runs.browser.get(run).text)
    runs.browser.post(f"{run}/cells/{cells[0]}", run, mark="bad", note="too short")
    runs.browser.post(f"{run}/cells/{cells[1]}", run, mark="good")
    assert "1 good, 1 bad" in runs.browser.get(run).text
    assert [(one["mark"], one["note"]) for one in runs.results(run)] == [("bad", "too short"), ("good", "")]
    runs.browser.post(f"{run}/cells/{cells[1]}", run, mark="good")
    assert runs.results(run)[1]["mark"] == ""
    assert runs.browser.post(f"{run}/cells/{cells[0]}", run, mark="fair").status == 400


def test_a_comparison_is_a_run_of_one_case(runs: Runs) -> None:
    asked = f"/w/default/comparisons/new?prompt={runs.slug}"
    form = runs.browser.get(asked).text
    assert (f'value="{runs.slug}@2"' in form, f'value="{runs.slug}@1"' in form) == (True, True)
    fields = {"c0-prompt": f"{runs.slug}@2", "c1-prompt": f"{runs.slug}@1", "v-currency": "EUR", "v-receipt": ""}
    page = runs.browser.post("/w/default/comparisons/start", asked, **fields)
    run = page.url.removeprefix(runs.browser.loupe.root)
    assert [one["variables"] for one in runs.ended(run)] == [{"currency": "EUR", "receipt": ""}] * 2
    again = runs.browser.get(f"/w/default/comparisons/new?run={run.rpartition('/')[2]}").text
    assert ">EUR</textarea>" in again


def test_a_typo_in_a_column_loses_no_value_of_a_comparison(runs: Runs) -> None:
    asked = f"/w/default/comparisons/new?prompt={runs.slug}"
    fields = {"c0-prompt": f"{runs.slug}@2", "c1-prompt": f"{runs.slug}@9", "v-currency": "EUR", "v-other": "kept"}
    for path in ("new", "start"):
        page = runs.browser.post(f"/w/default/comparisons/{path}", asked, **fields).text
        assert ">EUR</textarea>" in page
        assert ">kept</textarea>" in page
    fields = {"c0-prompt": f"{runs.slug}@9", "v-currency": "EUR"}
    assert ">EUR</textarea>" in runs.browser.post("/w/default/comparisons/start", asked, **fields).text


@pytest.mark.parametrize("query", ["since=0001-01-01T00:00:00Z", "since=2026-01-01T00:00:00", "since=soon", ""])
def test_news_of_a_run_are_told_whatever_is_asked(runs: Runs, query: str) -> None:
    runs.make(PICTURES)
    run = runs.start(runs.slug)
    runs.ended(run)
    page = runs.browser.get(f"{run}/news?{query}")
    assert (page.status, page.text.count('class="cell ')) == (200, 2)


@pytest.mark.parametrize(
    "path",
    [
        "sets?prompt=%00",
        "comparisons/new?prompt=%00",
        "prompts?q=%00",
        f"comparisons/new?prompt=x@{'9' * 5000}",
        f"comparisons/new?run={'9' * 5000}",
    ],
)
def test_an_odd_address_is_no_failure_of_ours(runs: Runs, path: str) -> None:
    assert runs.browser.get(f"/w/default/{path}").status in (200, 400)


def test_a_version_of_thousands_of_digits_is_no_version(runs: Runs) -> None:
    runs.make(PICTURES)
    page = runs.browser.post(f"{runs.path}/run", runs.path, **{"c0-prompt": f"{runs.slug}@{'9' * 5000}"})
    assert "has no label 999" in page.text


def test_sets_and_runs_of_another_workspace_are_not_there(runs: Runs) -> None:
    runs.make(PICTURES)
    run = runs.start(runs.slug)
    stranger = Browser(runs.browser.loupe, link="")
    for path in (runs.path, run, f"{run}/export", f"{runs.path}/export/csv"):
        assert "/login" in stranger.get(path).url
        assert runs.browser.get(path.replace("/default/", "/other/")).status == 404
