"""A failure of our own, wherever it happens: the caller is told, and the journal says how the call ended."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from gateway.keys.in_memory import KeyHolder, KeysInMemory
from gateway.network.http_client import HeaderList
from gateway.proxy.prompt_calls import PromptCalls
from gateway.proxy.proxy import Limits, Proxy
from gateway.recording import journal
from gateway.recording.journal import Journal, Kind
from gateway.upstream.call import Call
from gateway.upstream.outbound import Outbound
from gateway.upstream.sandbox import Canned

HOLDER = KeyHolder(1, 1, frozenset({"completions.write"}), None)
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
HEADERS = {"content-type": "application/json", "x-portkey-provider": "sandbox", "authorization": "Bearer lp_x"}


class Keys:
    def authenticate(self, *_: Any) -> KeyHolder:
        return HOLDER

    def targets_of(self, _: int) -> dict[str, Any]:
        return {}


class Broken(Outbound):
    """Fails where it is told to, as a bug would."""

    def __init__(self, where: str, error: BaseException) -> None:
        self.where, self.error = where, error

    def look_at_pictures(self, call: Call) -> None:
        if self.where == "draft":
            raise self.error

    def is_ready(self, call: Call) -> bool:
        return self.where not in ("prepare", "leaving")

    async def prepare(self, call: Call) -> None:
        if self.where == "prepare":
            raise self.error
        await asyncio.sleep(5)


class Provider:
    def __init__(self, where: str) -> None:
        self.where = where

    async def send(self, *_: Any, **__: Any) -> Canned:
        headers: HeaderList = [("content-type", "text/event-stream" if self.where == "stream" else "application/json")]
        return Canned(200, headers, self.pieces())

    async def pieces(self) -> Any:
        yield b"data: {}\n\n"
        raise RecursionError("nobody foresaw this")


def run(folder: Path, where: str, error: BaseException) -> tuple[list[dict[str, Any]], list[tuple[Kind, Any]]]:
    """What the client was sent, and what the journal says of it."""
    sent: list[dict[str, Any]] = []

    async def go() -> None:
        log = Journal(folder, limit_bytes=1 << 30, reserve_bytes=0)
        limits = Limits(1 << 20, 1 << 20, 10, 10, (), recording_required=True)
        proxy = Proxy(
            keys=cast("KeysInMemory", Keys()),
            journal=log,
            pool=Provider(where),
            sandbox=Provider(where),
            outbound=Broken(where, error),
            prompts=cast("PromptCalls", None),
            limits=limits,
        )

        messages = [{"type": "http.request", "body": BODY}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            if where != "leaving":
                await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"method": "POST", "query_string": b"", "client": ("127.0.0.1", 1)}
        try:
            await proxy("/chat/completions", scope, HEADERS, receive, send)
        except asyncio.CancelledError:
            pass
        finally:
            log.close()

    asyncio.run(go())
    [path] = [segment for one in journal.folders(folder) for segment in journal.segments(one)]
    records, _ = journal.read(path, 0, closed=True, limit=1 << 20)
    return sent, [(record.kind, msgspec.json.decode(record.meta or b"{}")) for record in records]


@pytest.mark.parametrize("where", ["draft", "prepare", "whole", "stream"])
def test_a_failure_of_our_own_is_told_and_recorded(tmp_path: Path, where: str) -> None:
    sent, records = run(tmp_path, where, RecursionError("nobody foresaw this"))
    kinds = [kind for kind, _ in records]
    assert (kinds[0], kinds[-1]) == (Kind.BEGIN, Kind.END)
    assert records[-1][1]["failure"] == "internal_error"
    assert [message["type"] for message in sent].count("http.response.start") == 1
    told = b"".join(message.get("body", b"") for message in sent).strip().rpartition(b"data: ")[2]
    assert json.loads(told)["error"]["code"] == "internal_error"
    assert b"nobody foresaw" not in told


def test_a_call_that_is_stopped_while_it_is_made_ready_ends_in_the_journal(tmp_path: Path) -> None:
    _, records = run(tmp_path, "prepare", asyncio.CancelledError())
    assert [kind for kind, _ in records] == [Kind.BEGIN, Kind.END]
    assert records[-1][1]["state"] == "interrupted"


def test_a_client_that_leaves_while_its_pictures_are_fetched_costs_no_call(tmp_path: Path) -> None:
    sent, records = run(tmp_path, "leaving", RuntimeError("nobody asks the provider"))
    assert sent == []
    assert [kind for kind, _ in records] == [Kind.BEGIN, Kind.END]
    assert (records[-1][1]["state"], records[-1][1]["failure"]) == ("aborted", "client_left")
