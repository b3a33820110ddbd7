"""What the gateway does to a call before it is sent."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.errors import TooLarge
from gateway.ids import uuid7
from gateway.keys.target import Target
from gateway.network.guard import Guard
from gateway.providers import by_name
from gateway.translation import chat_request
from gateway.upstream import outbound
from gateway.upstream.call import Call
from gateway.upstream.connection_check import check
from gateway.upstream.credentials import Credentials
from gateway.upstream.outbound import FETCHES_AT_ONCE, Fetching, Outbound
from gateway.upstream.route import Route
from gateway.upstream.turn_memory import TurnMemory
from tests.fake_upstream import FakeUpstream, response

MIB = 1024 * 1024


def test_once_the_pictures_of_a_request_are_too_large_no_more_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred links of 20 MiB each were held in memory before their sum was looked at."""
    fetched: list[str] = []

    class Fetcher:
        def __init__(self, **_: object) -> None:
            pass

        def get(self, url: str) -> bytes:
            fetched.append(url)
            return bytes(MIB)

    monkeypatch.setattr(outbound, "Fetcher", Fetcher)
    links = {f"messages[0].content[{at}]": f"https://pictures.example/{at}" for at in range(100)}
    with pytest.raises(TooLarge, match="more than 8 MiB"):
        asyncio.run(Fetching(MIB, 1, Guard(), 8 * MIB).all(links))
    assert len(fetched) <= 8 + FETCHES_AT_ONCE


@pytest.mark.parametrize("base_url", ["http://[::1/v1", "gzip"])
def test_a_provider_that_answers_nonsense_is_a_finding_and_no_failure(base_url: str, upstream: FakeUpstream) -> None:
    if base_url == "gzip":
        upstream.on("nonsense").will(response(body={}, headers={"content-encoding": "gzip"}))
        base_url = f"http://127.0.0.1:{upstream.port}/nonsense"
    openai = by_name("openai")
    assert openai is not None
    assert check(Target(1, "a", openai, base_url, "secret")).verdict == "failed"


def test_a_service_account_that_is_nested_for_ever_is_refused() -> None:
    vertex = by_name("vertex-ai")
    assert vertex is not None
    account = '{"a":' * 20_000
    finding = check(Target(1, "a", vertex, "http://127.0.0.1:9", account, settings={"project_id": "p"}))
    assert (finding.verdict, "cannot be read" in finding.words) == ("failed", True)


def test_only_pictures_of_the_conversation_are_opened() -> None:
    """`metadata.source.url` looks like Anthropic's place for a picture, and is the caller's own."""
    asked = b'{"metadata":{"source":{"url":"https://wiki.example/page"}},"messages":[]}'
    call = call_of("ollama", asked)
    call.inline = True
    asyncio.run(Outbound(Fetching(MIB, 1, Guard(), MIB), Credentials((), Guard()), TurnMemory()).prepare(call))
    assert call.sent_body == asked


@pytest.mark.parametrize(
    "url",
    ["https://www.youtube.com/watch?v=9hE5-98ZeCg", "https://generativelanguage.googleapis.com/v1beta/files/abc"],
)
def test_what_only_google_can_open_goes_to_gemini_as_a_link(url: str) -> None:
    parts = [{"type": "text", "text": "What happens?"}, {"type": "video_url", "video_url": {"url": url}}]
    call = call_of("google", b"{}")
    call.request = chat_request.read({"messages": [{"role": "user", "content": parts}]}, "gemini-2.5-flash")
    asyncio.run(Outbound(Fetching(MIB, 1, Guard(), MIB), Credentials((), Guard()), TurnMemory()).prepare(call))
    assert json.loads(call.sent_body)["contents"][0]["parts"][1] == {"fileData": {"fileUri": url}}


def call_of(provider: str, asked: bytes) -> Call:
    vendor = by_name(provider)
    assert vendor is not None
    return Call(
        id=uuid7(), arrived=0, created=0, method="POST", endpoint="/chat/completions", url="http://x", headers=[],
        body=asked, edits=[], sent_body=asked, route=Route(vendor, "http://x", "m"), stream=False, end_marks=(),
        timeout=None, keep_bodies=True, trace_id="t", begin_meta={"workspace": 1},
    )  # fmt: skip
