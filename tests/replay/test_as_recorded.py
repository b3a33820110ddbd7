"""Every recorded exchange in its provider's own format: it goes out and comes back to the byte, and its pictures are seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED
from tests.fake_upstream import FakeUpstream
from tests.loupe import Loupe, until
from tests.replay.conftest import FOLDERS
from tests.replay.recorded import Recording, answering, model_of, pictures_of, read_all


def path_here(recording: Recording) -> str:
    """The recorded path as a caller of Loupe writes it."""
    path, query = recording.url.path, f"?{recording.url.query}" if recording.url.query else ""
    for prefix in ("/openai/v1", "/api/v1", "/v1beta1", "/v1beta", "/v1"):
        if path.startswith(f"{prefix}/"):
            shown = prefix if prefix.startswith("/v1") else "/v1"
            return shown + path[len(prefix) :] + query
    return f"/v1{path}{query}"


def play(stand: Loupe, upstream: FakeUpstream, recording: Recording) -> list[str]:
    """Send one recording through; answers what is wrong."""
    slug = "mantle" if "mantle" in recording.url.netloc else recording.provider  # Bedrock's address for OpenAI clients
    case = upstream.on(slug)
    case.requests.clear()
    case.will(answering(recording))
    trace = f"as-recorded-{recording.name}"[:120]
    headers = {"x-portkey-virtual-key": slug, "x-portkey-trace-id": trace}
    path = path_here(recording)
    if recording.provider == "azure" and "/deployments/" in recording.url.path:
        headers["x-portkey-azure-api-version"] = recording.url.query.partition("=")[2]
        headers["x-portkey-azure-deployment-id"] = model_of(recording)
        path = "/v1/chat/completions"
    body = json.dumps(recording.asked).encode()
    status, _, told = stand.call(path, body, headers=headers)
    if not case.requests:
        return [f"nothing was sent; {status} {told[:300]!r}"]
    sent = case.requests[0]
    problems = []
    if json.loads(sent.body) != recording.asked:
        problems.append("the provider got another body")
    if not sent.path.partition("?")[0].endswith(recording.url.path[recording.url.path.rfind("/", 0, -1) :]):
        problems.append(f"it was sent to {sent.path}, not to {recording.url.path}")
    if status != recording.status:
        problems.append(f"status {status}, not {recording.status}: {told[:200]!r}")
    elif status < 400 and without_empty_messages(told) != without_empty_messages(whole(recording)):
        problems.append("the caller got another answer")
    return problems


def whole(recording: Recording) -> bytes:
    return b"".join(recording.chunks) if recording.streams else recording.body


def without_empty_messages(answer: bytes) -> bytes:
    """Loupe gives a choice the message that Azure's filter took, because SDKs rely on one; nothing else is altered."""
    if b"content_filter_results" not in answer or not answer.startswith(b"{"):
        return answer
    document = json.loads(answer)
    for choice in document.get("choices", []):
        if choice.get("message") == {"role": "assistant", "content": None}:
            del choice["message"]
    return json.dumps(document).encode()


def seen(stand: Loupe, recording: Recording) -> list[str]:
    """Whether the log shows every picture of both sides."""
    log = stand.log(f"as-recorded-{recording.name}"[:120])
    pictures = (one for one in log["images"] if (one["media_type"] or "image/").startswith("image/"))
    shown = Counter(one["direction"] for one in pictures if one["source"] != "id")
    asked = len(list(pictures_of(recording.asked)))
    answered = {picture for document in answers(recording) for picture in pictures_of(document)}
    problems = [] if shown["input"] == asked else [f"{asked} pictures asked about, {shown['input']} in the log"]
    if answered and not shown["output"]:
        problems.append(f"{len(answered)} pictures answered, none in the log")
    return problems


def answers(recording: Recording) -> list[Any]:
    return (
        recording.documents()
        if (recording.status < 400 and "json" in recording.content_type) or recording.streams
        else []
    )


@pytest.mark.skipif(not (SHARED / "recordings").exists(), reason="the recordings lie beside the repository")
@pytest.mark.parametrize("folder", [name for name in FOLDERS if name != "openai"])
def test_every_recording_goes_through_as_it_was(
    stand: Loupe, upstream: FakeUpstream, recordings: Path, folder: str, record_property: Callable[[str, object], None]
) -> None:
    """`openai` has a test of its own in tests/sdk, through the SDKs."""
    tried = [one for one in read_all(recordings, folder) if not without_a_call(one)]
    wrong = {one.name: problems for one in tried if (problems := play(stand, upstream, one))}
    until(lambda: not [log for log in stand.logs() if log["state"] == "in_flight"], "all logs")
    for one in tried:
        problems = [] if one.name in wrong else seen(stand, one)
        if problems:
            wrong[one.name] = problems
    record_property("as recorded,", f"{folder}: {len(tried)} tried, {len(tried) - len(wrong)} passed")
    assert not wrong, "\n".join(f"{name}: {'; '.join(problems)}" for name, problems in wrong.items())


def without_a_call(recording: Recording) -> str:
    """Why a recording is not played: it is no call to a model."""
    if recording.exchange["request"]["method"] != "POST" or recording.asked is None:
        return "a download, or an upload of a file: no call with a JSON body"
    return ""
