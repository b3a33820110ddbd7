"""Recorded answers of every provider as a caller of OpenAI's SDK gets them, translated or as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway import dialects
from gateway.dialects.base import Part
from tests.conftest import SHARED
from tests.fake_upstream import FakeUpstream, response
from tests.loupe import Loupe, until
from tests.pictures import picture
from tests.replay.conftest import FOLDERS
from tests.replay.recorded import Recording, Said, answering, digest, is_picture, model_of, pictures_of, read_all, said

CHAT_PATHS = (
    "/chat/completions",
    "/messages",
    ":generateContent",
    ":streamGenerateContent",
    "/converse",
    "/converse-stream",
)


# Why a recording is left out.
LEFT_OUT = {
    "test-prompt-content-filtering-0-0ea133.json": "its recorder kept Azure's error under status 200, where no provider sends one",
}


def is_chat(recording: Recording) -> bool:
    if recording.name in LEFT_OUT:
        return False
    return recording.url.path.endswith(CHAT_PATHS) and isinstance(recording.asked, dict)


def as_chat(recording: Recording, upstream: FakeUpstream) -> list[dict[str, Any]]:
    """The recorded question as chat messages. Links lead to the fake, since nobody else is here to be asked."""
    if recording.url.path.endswith("/chat/completions"):
        return list(recording.asked["messages"])
    endpoint = "/" + recording.url.path.rpartition("/v1")[2].partition("/")[2]
    dialect = dialects.for_endpoint(endpoint)
    assert dialect is not None, endpoint
    messages = []
    for turn in dialect.read_question(recording.asked).turns:
        content = [part for one in turn.parts for part in _part(one, turn.role, upstream)]
        messages.append({"role": turn.role if turn.role != "tool" else "user", "content": content})
    return messages


def _part(part: Part, role: str, upstream: FakeUpstream) -> Iterator[dict[str, Any]]:
    if part.kind == "image" and role == "user":
        url = f"http://127.0.0.1:{upstream.port}/pictures/a.png?token=x" if part.text.startswith("http") else part.text
        if is_picture(part.text):
            url = f"data:image/x-any;charset=utf-8;base64,{part.text}"
        if url.startswith(("data:", "http")):
            yield {"type": "image_url", "image_url": url}
            return
    yield {"type": "text", "text": part.text[:2000] or "-"}


def heard(client: openai.OpenAI, recording: Recording, body: dict[str, Any], trace: str) -> Said:
    """What the SDK makes of the answer."""
    found = Said()
    headers = {"x-portkey-virtual-key": recording.provider, "x-portkey-trace-id": trace}
    if recording.streams:
        calls: dict[int, list[str]] = {}
        options = {"stream": True, "stream_options": {"include_usage": True}}
        for chunk in client.chat.completions.create(**body, **options, extra_headers=headers):
            _hear_chunk(chunk, found, calls)
        found.calls = [(name, json.loads(arguments or "{}")) for name, arguments in calls.values()]
        return found
    completion = client.chat.completions.create(**body, extra_headers=headers)
    for choice in completion.choices:
        message = choice.message
        found.text += message.content or ""
        found.calls += [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]  # type: ignore[union-attr]
        found.pictures += [
            digest(one["image_url"]["url"].partition(",")[2]) for one in getattr(message, "images", None) or []
        ]
        assert choice.finish_reason in ("stop", "length", "tool_calls", "content_filter")
    assert completion.usage is not None
    found.prompt, found.completion = completion.usage.prompt_tokens, completion.usage.completion_tokens
    return found


def _hear_chunk(chunk: Any, found: Said, calls: dict[int, list[str]]) -> None:
    for choice in chunk.choices:
        found.text += choice.delta.content or ""
        found.pictures += [
            digest(one["image_url"]["url"].partition(",")[2]) for one in getattr(choice.delta, "images", None) or []
        ]
        for call in choice.delta.tool_calls or []:
            slot = calls.setdefault(call.index, ["", ""])
            slot[0], slot[1] = slot[0] + (call.function.name or ""), slot[1] + (call.function.arguments or "")
    usage = chunk.usage.model_dump() if chunk.usage else (getattr(chunk, "x_groq", None) or {}).get("usage")
    if usage:
        found.prompt, found.completion = usage["prompt_tokens"], usage["completion_tokens"]


def is_shown(image: dict[str, Any]) -> bool:
    """A picture whose bytes are kept, or a link that the provider opens itself; a film is shown too, but is no picture."""
    return (image["media_type"] or "").startswith("image/") or (not image["sha256"] and bool(image["source_url"]))


def play(client: openai.OpenAI, upstream: FakeUpstream, recording: Recording, trace: str) -> list[str]:
    case = upstream.on(recording.provider)
    case.requests.clear()
    case.will(answering(recording))
    body: dict[str, Any] = {"model": model_of(recording), "messages": as_chat(recording, upstream)}
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    try:
        got = heard(client, recording, body | {"tools": tools}, trace)
    except openai.APIStatusError as error:
        if error.status_code != recording.status or recording.status < 400:
            return [f"the SDK raised {error}"]
        told = json.loads(recording.body)
        told = told[0] if isinstance(told, list) else told
        wanted = (told.get("error") or {}).get("message") or told.get("message") or told.get("Message")
        return [] if error.body and wanted in str(error.body) else [f"the error's words were lost: {error.body}"]
    except openai.APIError as error:  # in the middle of a stream
        return [] if error.message and error.message in recording.body.decode() else [f"the SDK raised {error}"]
    problems = [] if got == said(recording) else [f"heard {got}, said {said(recording)}"]
    asked = {picture for picture in pictures_of(body["messages"]) if not picture.startswith("http")}
    sent = set(pictures_of(case.requests[0].json))
    if not asked <= sent:
        problems.append("a picture did not reach the provider")
    return problems


@pytest.mark.skipif(not (SHARED / "recordings").exists(), reason="the recordings lie beside the repository")
@pytest.mark.parametrize("folder", [name for name in FOLDERS if name != "openai"])
def test_every_recorded_answer_is_whole_in_openais_sdk(
    stand: Loupe, upstream: FakeUpstream, recordings: Path, folder: str, record_property: Callable[[str, object], None]
) -> None:
    upstream.on("pictures").will(response(body=picture("PNG"), headers={"content-type": "text/plain"}))
    client = openai.OpenAI(base_url=stand.base, api_key=stand.key, max_retries=0)
    tried = [one for one in read_all(recordings, folder) if is_chat(one)]
    wrong: dict[str, list[str]] = {}
    for one in tried:
        if problems := play(client, upstream, one, f"translated-{one.name}"[:120]):
            wrong[one.name] = problems
    until(lambda: not [log for log in stand.logs() if log["state"] == "in_flight"], "all logs")
    for one in tried:
        log = stand.log(f"translated-{one.name}"[:120])
        asked = len(list(pictures_of(as_chat(one, upstream))))
        shown = [image for image in log["images"] if image["direction"] == "input" and is_shown(image)]
        if len(shown) != asked:
            wrong.setdefault(one.name, []).append(f"{asked} pictures asked about, {len(shown)} kept in the log")
        answered = said(one).pictures if one.status < 400 else []
        if answered and not [image for image in log["images"] if image["direction"] == "output"]:
            wrong.setdefault(one.name, []).append("the answer's picture is not in the log")
    record_property("translated,", f"{folder}: {len(tried)} tried, {len(tried) - len(wrong)} passed")
    assert not wrong, "\n".join(f"{name}: {'; '.join(problems)}"[:600] for name, problems in wrong.items())
