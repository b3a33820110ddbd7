"""Mission row 13: whatever was recorded of OpenAI goes through unchanged; its pictures and tokens are logged.

What should be found in a recording is worked out here, from the recording alone.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import SHARED, Stage
from tests.fake_upstream import response
from tests.sdk import forms
from tests.sdk.questions import path_of

NAMES = sorted(path.name for path in (SHARED / "recordings" / "openai").glob("*.json"))
COMPRESSED = [  # the first came as gzip, and the recording holds it unpacked; the others as they would come
    "test-image-gen-metrics-0-68faf5.json",
    "images-edit-multiple-9bc8f3.json",
    "test-tool-use-basic-0-44b8af.json",
]
LEFT_OUT: dict[str, str] = {}  # name of a recording to the reason why it cannot be replayed; so far every one can
DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,([A-Za-z0-9+/=]+)")


@dataclass(frozen=True)
class Recording:
    """One exchange: what was sent, and what came back, as bytes."""

    method: str
    url: str
    content_type: str
    sent: bytes
    status: int
    answer_type: str
    answer: bytes

    @property
    def path(self) -> str:
        return path_of(self.url)

    @property
    def endpoint(self) -> str:
        return urlsplit(self.url).path

    @property
    def streamed(self) -> bool:
        return self.answer_type.startswith("text/event-stream")

    @property
    def answers(self) -> list[Any]:
        """The JSON documents of the answer: of each event of a stream, or the one."""
        if not self.streamed:
            return [json.loads(self.answer)]
        lines = [line[6:] for line in self.answer.decode().splitlines() if line.startswith("data: ")]
        return [json.loads(line) for line in lines if line != "[DONE]"]


def read(path: Path) -> Recording:
    whole = json.loads(path.read_bytes())
    request, answer = whole["request"], whole["response"]
    sent, content_type = b"", ""
    if "json" in request:
        sent, content_type = json.dumps(request["json"]).encode(), "application/json"
    elif "body_base64" in request:
        sent = base64.b64decode(request["body_base64"])
        content_type = forms.boundary_type(sent)
    streamed = "text" in answer
    return Recording(
        method=request["method"],
        url=request["url"],
        content_type=content_type,
        sent=sent,
        status=answer["status"],
        answer_type=answer["headers"].get("content-type", "text/event-stream" if streamed else "application/json"),
        answer=answer["text"].encode() if streamed else json.dumps(answer["json"], ensure_ascii=False).encode(),
    )


def pictures_of_request(recording: Recording) -> list[str]:
    if recording.content_type.startswith("multipart/"):
        sent = forms.fields(recording.sent, recording.content_type)
        return [digest(one.content) for one in sent if one.filename is not None]
    return list(pictures(json.loads(recording.sent))) if recording.sent else []


def pictures_of_answer(recording: Recording) -> list[str]:
    found = [one for document in recording.answers for one in pictures(document)]
    if recording.endpoint.startswith("/v1/images/") and recording.status == 200:
        for item in recording.answers[0]["data"]:
            found += [digest(base64.b64decode(item["b64_json"]))] if "b64_json" in item else [item["url"]]
    return found


def pictures(value: Any) -> Iterator[str]:
    """The pictures of a document, in its order: a hash for each that lies in it, the address of each that it links."""
    if isinstance(value, list):
        for item in value:
            yield from pictures(item)
    elif isinstance(value, str):
        for run in DATA_URL.findall(value):
            yield digest(base64.b64decode(run))
    elif isinstance(value, dict):
        for name, item in value.items():
            link = item["url"] if name == "image_url" and isinstance(item, dict) else item
            if name == "image_url" and isinstance(link, str) and link.startswith("http"):
                yield link
            elif name == "result" and value.get("type") == "image_generation_call" and item:
                yield digest(base64.b64decode(item))
            else:
                yield from pictures(item)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tokens(recording: Recording) -> tuple[int | None, int | None, int | None]:
    """Prompt, completion and total, from the last word that the answer has to say about it."""
    usages = [usage for document in recording.answers if (usage := usage_of(document))]
    usage = usages[-1] if usages else {}
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    return prompt, usage.get("completion_tokens", usage.get("output_tokens")), usage.get("total_tokens")


def usage_of(document: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = document.get("usage") or (document.get("response") or {}).get("usage") or {}
    return found


def logged(log: dict[str, Any], direction: str) -> list[str]:
    """The log's pictures in the terms of `pictures`; sounds, documents and file ids, which a log keeps too, left away."""
    return [
        one["sha256"] or one["source_url"]
        for one in log["images"]
        if one["direction"] == direction
        and one["source"] != "id"
        and not (one["media_type"] or "").startswith(("audio/", "application/pdf"))
    ]


def replay(stage: Stage, recording: Recording, *, compressed: bool = False) -> bytes:
    """Send the recorded request to a provider that gives the recorded answer; what the client then got."""
    answer = gzip.compress(recording.answer) if compressed else recording.answer
    headers = {"content-type": recording.answer_type} | ({"content-encoding": "gzip"} if compressed else {})
    stage.case.will(response(recording.status, answer, headers))
    status, got, body = stage.loupe.call(
        recording.path,
        recording.sent or None,
        method=recording.method,
        headers={
            "content-type": recording.content_type,
            "x-portkey-virtual-key": stage.slug,
            "x-portkey-trace-id": stage.trace,
            "accept-encoding": "gzip" if compressed else "",
        },
    )
    assert (status, got["content-type"]) == (recording.status, recording.answer_type)
    return gzip.decompress(body) if got.get("content-encoding") == "gzip" else body


def assert_passed_on_and_logged(stage: Stage, recording: Recording) -> None:
    [request] = stage.case.requests
    assert (request.method, request.path) == (recording.method, recording.path)
    assert request.body == recording.sent
    assert (request.header("content-type") or "") == recording.content_type
    assert request.header("authorization") == f"Bearer {stage.secret}"
    assert request.header("accept-encoding") == "identity"
    log = stage.log()
    assert log["response_status_code"] == recording.status
    assert log["state"] == ("ok" if recording.status == 200 else "error")
    assert logged(log, "input") == pictures_of_request(recording)
    assert logged(log, "output") == pictures_of_answer(recording)
    assert (log["req_units"], log["res_units"], log["total_units"]) == tokens(recording)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LEFT_OUT])
def test_a_recorded_exchange_goes_through_unchanged_and_is_logged_whole(
    stage: Stage, recordings: Path, name: str
) -> None:
    recording = read(recordings / "openai" / name)
    assert replay(stage, recording) == recording.answer
    assert_passed_on_and_logged(stage, recording)


@pytest.mark.parametrize("name", COMPRESSED)
def test_an_answer_compressed_without_being_asked_can_be_read_by_the_client_and_is_logged_whole(
    stage: Stage, recordings: Path, name: str
) -> None:
    """Loupe asks for `identity`; not every provider, and not every proxy before one, heeds that."""
    recording = read(recordings / "openai" / name)
    assert replay(stage, recording, compressed=True) == recording.answer
    assert_passed_on_and_logged(stage, recording)


def test_every_recording_of_openai_is_replayed_or_left_out_for_a_reason(recordings: Path) -> None:
    with (recordings / "INDEX.tsv").open(newline="") as file:
        listed = {row["file"] for row in csv.DictReader(file, delimiter="\t") if row["provider"] == "openai"}
    assert {f"openai/{name}" for name in NAMES} == listed
    assert set(LEFT_OUT) <= set(NAMES)
    assert len(NAMES) - len(LEFT_OUT) == 114


def test_the_recordings_hold_what_these_tests_are_about(recordings: Path) -> None:
    """So that a walk which finds nothing does not pass for a log that shows everything."""
    read_all = [read(recordings / "openai" / name) for name in NAMES]
    sent = [one for recording in read_all for one in pictures_of_request(recording)]
    made = [one for recording in read_all for one in pictures_of_answer(recording)]
    assert (len(sent), sum(one.startswith("http") for one in sent)) == (41, 14)
    assert (len(made), sum(one.startswith("http") for one in made)) == (18, 10)
    assert sum(recording.streamed for recording in read_all) == 11
    assert sum(tokens(recording) != (None, None, None) for recording in read_all) == 86
