"""Secrets: where they must never turn up, how they are bound, how they are rotated."""

from __future__ import annotations

import base64
import json
import socket
import sqlite3
import urllib.parse
import uuid
from collections.abc import Callable
from typing import Any

from tests.fake_upstream import FakeUpstream, Received, response, stall
from tests.logsui.browser import Browser
from tests.loupe import Loupe, until


def spellings(secret: str) -> list[bytes]:
    raw = secret.encode()
    return [raw, base64.b64encode(raw)[:-4], raw.hex().encode(), urllib.parse.quote(secret, safe="").encode()]


def quotes_the_key(connection: socket.socket, request: Received) -> None:
    """A provider that says in its error which key it was given."""
    message = f"Incorrect API key provided: {request.header('authorization')}"
    response(401, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})(
        connection, request
    )


def test_no_secret_turns_up_in_anything_that_loupe_wrote_or_answered(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    stored, own, cookie, query, login = (
        f"{kind}{uuid.uuid4().hex}" for kind in ("sk-stored", "sk-own", "cookie", "query", "Password1")
    )
    loupe = own_loupe(LOUPE_LOG_LEVEL="debug", LOUPE_CUSTOM_HOSTS=upstream.url("canary"))
    loupe.add_virtual_key("canary", upstream.url("canary"), stored)
    said: list[bytes] = []

    def call(body: Any, path: str = "/v1/chat/completions", **headers: str) -> None:
        sent = {"cookie": cookie, "x-secret-token": cookie, "x-api-key": own} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        _, got, answer = loupe.call(path, body, headers=sent)
        said.extend([json.dumps(got).encode(), answer])

    chat = {"model": "@canary/m", "messages": [{"role": "user", "content": "hi"}]}
    for script in (
        response(),
        quotes_the_key,
        response(500, b"<html>trace</html>", {"content-type": "text/html"}),
        stall,
    ):
        upstream.on("canary").will(script)
        call(chat, x_portkey_request_timeout="300")
        call(
            {"model": "m", "messages": []},
            x_portkey_provider="openai",
            x_portkey_custom_host=upstream.url("canary"),
            authorization=f"Bearer {own}",
            x_portkey_request_timeout="300",
        )
    upstream.on("canary").will(response())
    call(chat, f"/v1/chat/completions?key={query}")
    call({**chat, "api_key": own, "extra": {"authorization": f"Bearer {own}"}})
    call(b"{broken", authorization=f"Bearer {own}")
    call(chat, x_portkey_api_key="", authorization=f"Bearer {own}")
    call(chat, x_portkey_metadata=json.dumps({"note": f"my key is {own}"}), x_portkey_trace_id="with-metadata")
    loupe.call("/v1/models", headers={"x-portkey-trace-id": "last"})
    loupe.log("last")
    browser = Browser(loupe)
    browser.post("/account", new_password1=login, new_password2=login)
    for log in loupe.logs():
        said += [
            browser.get(f"/w/default/logs/{log['id']}").body,
            json.dumps(log).encode(),
            loupe.call(f"/v1/logs/{log['id']}")[2],
        ]
    said += [
        browser.get(path).body for path in ("/w/default/logs", "/w/default/keys", "/w/default/connect", "/account")
    ]
    loupe.stop()
    wrote = [
        path.read_bytes()
        for path in loupe.data.rglob("*")
        if path.is_file()
        and path.name not in ("encryption-keys", "secret-key", "first-api-key")
        and not path.name.startswith("up-")
    ]
    output = loupe.output().replace(loupe.key, "")
    wrote.append(output.encode())
    sealed = loupe.key.encode()
    for secret in (stored, own, cookie, query, login):
        for spelling in spellings(secret):
            assert not [text[:200] for text in wrote + said if spelling in text], secret[:9]
    assert not [text[:200] for text in wrote + said if sealed in text]


def test_a_secret_does_not_open_for_another_origin_or_row(
    own_loupe: Callable[..., Loupe], upstream: FakeUpstream
) -> None:
    loupe = own_loupe()
    loupe.add_virtual_key("bound", upstream.url("bound"))
    trap = upstream.on("moved")
    with sqlite3.connect(loupe.data / "loupe.sqlite3") as database:
        database.execute(
            "UPDATE gateway_virtualkey SET base_url = ? WHERE slug = 'bound'",
            [upstream.url("moved").replace("127.0.0.1", "localhost")],
        )
        database.execute("UPDATE gateway_revision SET number = number + 1")
    database.close()

    def refused() -> bool:
        status, _, body = loupe.call("/v1/chat/completions", {"model": "@bound/m", "messages": []})
        return status == 403 and json.loads(body)["error"]["code"] == "credential_unreadable"

    until(refused, "the moved secret is refused")
    assert not trap.requests


def test_encryption_keys_rotate_without_a_gap(own_loupe: Callable[..., Loupe], upstream: FakeUpstream) -> None:
    loupe = own_loupe(LOUPE_ENCRYPTION_KEYS="old")
    loupe.add_virtual_key("turning", upstream.url("turning"), "sk-turning")
    assert loupe.manage("rotatekeys", LOUPE_ENCRYPTION_KEYS="new,old") == "1 secrets sealed anew."
    assert loupe.manage("rotatekeys", LOUPE_ENCRYPTION_KEYS="new,old") == "0 secrets sealed anew."
    loupe.stop()
    loupe.env["LOUPE_ENCRYPTION_KEYS"] = "new"
    loupe.start()
    assert loupe.call("/v1/chat/completions", {"model": "@turning/m", "messages": []})[0] == 200
    assert upstream.on("turning").requests[-1].header("authorization") == "Bearer sk-turning"


def test_gateway_keys_are_kept_as_hashes_only(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    with sqlite3.connect(loupe.data / "loupe.sqlite3") as database:
        row = database.execute("SELECT digest, last_four FROM gateway_apikey").fetchone()
    database.close()
    assert (len(row[0]), row[1]) == (64, loupe.key[-4:])
    assert (loupe.data / "secret-key").stat().st_mode & 0o777 == 0o600
