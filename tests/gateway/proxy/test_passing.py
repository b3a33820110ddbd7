"""Canaries: whatever a provider does with the key it was given, it reaches neither client nor log nor page."""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from collections.abc import Callable
from dataclasses import replace

import brotli
import pytest
from backports import zstd

from tests.conftest import Stage
from tests.fake_upstream import COMPLETION, Script, event, raw, response, stream
from tests.gateway.content.test_scrubber import SPELLINGS, said
from tests.logsui.browser import Browser
from tests.loupe import Loupe

GZIP = {"content-encoding": "gzip"}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress,
}  # fmt: skip


def answer_with(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "TEXT"}, "finish_reason": "stop"}
    return json.dumps(COMPLETION | {"choices": [choice]}).replace("TEXT", text).encode()


def error_with(text: str) -> bytes:
    return b'{"error": {"message": "bad key ' + text.encode() + b'", "type": "auth", "code": "k"}}'


def in_pieces(data: bytes) -> list[bytes]:
    return [data[at : at + 7] for at in range(0, len(data), 7)]


def chunk_with(text: str) -> bytes:
    return b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"' + text.encode() + b'"}}]}\n\n'


BEHAVIOURS: dict[str, Callable[[str], Script]] = {
    "an error": lambda text: response(401, error_with(text)),
    "an error in pieces": lambda text: raw(
        b"HTTP/1.1 401 X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in in_pieces(error_with(text)))
        + b"0\r\n\r\n"
    ),
    "a compressed error": lambda text: response(401, gzip.compress(error_with(text)), GZIP),
    "a page": lambda text: response(500, f"<h1>{text}</h1>".encode(), {"content-type": "text/html"}),
    "an error with status 200": lambda text: response(200, error_with(text)),
    "an answer": lambda text: response(200, answer_with(text)),
    "a compressed answer": lambda text: response(200, gzip.compress(answer_with(text)), GZIP),
    "an answer of two members": lambda text: response(
        200, gzip.compress(b" ") + gzip.compress(answer_with(text)), GZIP
    ),
    "an error in a stream": lambda text: stream([chunk_with("A"), b"data: " + error_with(text) + b"\n\n"]),
    "a stream": lambda text: stream([*in_pieces(chunk_with("A " + text)), event(b"[DONE]")]),
    "a compressed stream": lambda text: response(
        200, gzip.compress(chunk_with("A " + text) + event(b"[DONE]")), GZIP | {"content-type": "text/event-stream"}
    ),
    "headers": lambda text: response(
        200, headers={"x-debug": text, "x-request-id": text, "www-authenticate": f"Bearer {text}"}
    ),
    "headers of an error": lambda text: response(429, headers={"x-debug": text, "x-request-id": text}),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_quoted_key_reaches_nobody(stage: Stage, behaviour: str) -> None:
    browser = Browser(stage.loupe)
    for spelling, spell in SPELLINGS.items():
        spelled = spell(stage.secret)
        if "\\u" in spelled and "headers" in behaviour:
            continue
        fresh = replace(stage, trace=f"trace-{uuid.uuid4()}")
        stage.case.will(BEHAVIOURS[behaviour](spelled.replace("\n", "")))
        _, headers, body = fresh.chat({"stream": "stream" in behaviour})
        log = fresh.log()
        shown = (
            browser.get(f"/w/default/logs/{log['id']}").body
            + browser.get(f"/w/default/logs/{log['id']}/body/response").body
        )
        for where in (str(headers).encode(), body, json.dumps(log).encode(), shown):
            readable = gzip.decompress(where) if where.startswith(b"\x1f\x8b") else where
            assert not said(readable, spelled), (spelling, readable[:500])
            assert stage.secret.encode() not in readable


@pytest.mark.parametrize("encoding", PACKED)
def test_a_compressed_error_is_readable(stage: Stage, encoding: str) -> None:
    error = b'{"error": {"message": "slow down", "type": "t", "code": "c"}}'
    stage.case.will(response(429, PACKED[encoding](error), {"content-encoding": encoding}))
    status, headers, body = stage.chat()
    assert (status, json.loads(body)["error"]["message"]) == (429, "slow down")
    assert "content-encoding" not in headers
    assert stage.log()["failure_message"] or stage.log()["answer_preview"] == "slow down"


def test_a_compressed_answer_without_secrets_passes_as_it_came(stage: Stage) -> None:
    packed = gzip.compress(answer_with("A red square."))
    stage.case.will(response(200, packed, GZIP))
    assert stage.chat()[2] == packed


def test_a_damaged_compressed_answer_passes_as_it_came(stage: Stage) -> None:
    packed = gzip.compress(answer_with("A red square."))[:-9] + b"no end"
    stage.case.will(response(200, packed, GZIP))
    assert stage.chat()[2] == packed


@pytest.mark.parametrize(
    "location", ["http://[::1", "http://a:b:c/", "\xff", "//", "http://SECRET.example/x", "?x=SECRET"]
)
def test_an_odd_redirect_is_refused_and_quotes_no_key(stage: Stage, location: str) -> None:
    stage.case.will(response(302, b"", {"location": location.replace("SECRET", stage.secret)}))
    got, _, body = stage.chat()
    assert (got, json.loads(body)["error"]["code"]) == (502, "not_passed_on")
    assert stage.secret.encode() not in body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_passed_on(stage: Stage, status: int) -> None:
    stage.case.will(response(status, b"", {"location": "http://thief.example/steal"}))
    got, headers, body = stage.chat()
    assert got == 502
    assert "location" not in headers
    assert "thief.example" in json.loads(body)["message"]
    assert stage.log()["failure"] == "not_passed_on"


def test_redirects_pass_where_the_operator_wants_them(own_loupe: Callable[..., Loupe], stage: Stage) -> None:
    loupe = own_loupe(LOUPE_PASS_REDIRECTS="on", LOUPE_PROVIDER_HOSTS="127.0.0.1")
    loupe.add_virtual_key("moved", stage.base_url)
    stage.case.will(response(302, b"", {"location": f"{loupe.root}/healthz"}))
    status, _, body = loupe.call("/v1/models", headers={"x-portkey-virtual-key": "moved"})
    assert (status, body) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n", "999"),
        (b"HTTP/1.1 600 X\r\ncontent-length: 0\r\n\r\n", "600"),
        (b"HTTP/1.1 200 X\r\n" + b"a: b\r\n" * 20_000 + b"\r\n", "more than 256 headers"),
        (b"HTTP/1.1 200 X\r\na: " + b"b" * 3_000_000 + b"\r\n\r\n", "larger than 128 KiB"),
        (b"HTTP/1.1 200 X\r\na: " + b"b" * 3_000_000, "larger than 128 KiB"),
    ],
    ids=["999", "600", "many", "long", "endless"],
)
def test_a_head_beyond_all_bounds_is_a_502(stage: Stage, head: bytes, why: str) -> None:
    stage.case.will(raw(head))
    status, _, body = stage.chat()
    assert status == 502
    assert why in json.loads(body)["message"]


def test_names_of_keys_in_a_body_are_masked_in_every_spelling(stage: Stage) -> None:
    names = ["api_key", "api\\u005fkey", "API_KEY", "\\u0061pi_key", "apiKey", "Authorization", "x-api-key"]
    canary = f"canary-{uuid.uuid4().hex}"
    fields = ",".join(f'"{name}": "{canary}"' for name in names)
    stage.post("/v1/chat/completions", f'{{"model": "@{stage.slug}/m", "messages": [], "x": {{{fields}}}}}'.encode())
    assert canary.encode() in stage.case.requests[0].body
    log = stage.log()
    body = Browser(stage.loupe).get(f"/w/default/logs/{log['id']}/body/request").body
    assert canary.encode() not in body + json.dumps(log).encode()
