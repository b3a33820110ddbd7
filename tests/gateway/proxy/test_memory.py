"""What a finished call leaves behind: nothing that only the garbage collector could free."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from pathlib import Path
from typing import Any

from gateway.ids import uuid7
from gateway.network.http_client import HeaderList
from gateway.providers import by_name
from gateway.proxy.exchange import Exchange
from gateway.proxy.relay import Relay
from gateway.recording.journal import Journal
from gateway.upstream.call import Call
from gateway.upstream.route import Route
from gateway.upstream.sandbox import Canned


class Slow:
    """Answers after the relay has begun to listen for the client's leaving."""

    async def send(self, *_: Any, timeout: float | None = None) -> Canned:
        await asyncio.sleep(0.05)
        headers: HeaderList = [("content-type", "application/json")]
        return Canned(200, headers, b"{}")


def test_a_finished_call_is_freed_at_once(tmp_path: Path) -> None:
    """Its body may be a picture of many megabytes, and collections are rare."""
    gc.disable()
    try:
        assert asyncio.run(_left_over(tmp_path)) is None
    finally:
        gc.enable()


async def _left_over(tmp_path: Path) -> Relay | None:
    journal = Journal(tmp_path, limit_bytes=1 << 30, reserve_bytes=0)
    gone = await asyncio.create_task(_call(journal))
    await asyncio.sleep(0)
    journal.close()
    return gone()


async def _call(journal: Journal) -> weakref.ref[Relay]:
    provider = by_name("openai")
    assert provider is not None
    call = Call(
        id=uuid7(), arrived=time.perf_counter(), created=0, method="POST", endpoint="/chat/completions", url="http://x", headers=[],
        body=b"{}", edits=[], sent_body=b"{}", route=Route(provider, "http://x", "m"), stream=False, end_marks=(),
        timeout=None, keep_bodies=True, trace_id="t", begin_meta={},
    )  # fmt: skip

    async def receive() -> dict[str, str]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    relay = Relay(Exchange(call, journal, required=True), receive, send, asyncio.get_running_loop())
    await relay.run(Slow())
    return weakref.ref(relay)
