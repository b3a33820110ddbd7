"""The example of docs/deploy in front of a real Loupe: calls, streams as they come, large bodies, pages, and no metrics."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.fake_upstream import FakeUpstream, chat_events, response, stream
from tests.logsui.browser import Browser
from tests.loupe import ROOT, Loupe, free_port, until
from tests.pictures import data_url, picture

HOST = "loupe.example"


@pytest.fixture
def loupe(own_loupe: Callable[..., Loupe]) -> Loupe:
    return own_loupe(LOUPE_PROXIES="127.0.0.1", LOUPE_ALLOWED_HOSTS=f"{HOST},127.0.0.1", LOUPE_METRICS_TOKEN="t")


@pytest.fixture
def nginx(loupe: Loupe, tmp_path: Path) -> Iterator[int]:
    with running(loupe, tmp_path, "location / {", "location / {") as port:
        yield port


@contextmanager
def running(loupe: Loupe, tmp_path: Path, was: str, becomes: str) -> Iterator[int]:
    """The port of an nginx with the example's settings, but for the two ports and what is to become something else."""
    program, port = needs("nginx"), free_port()
    example = (ROOT / "docs" / "deploy" / "nginx.conf").read_text()
    assert was in example
    example = example.replace(was, becomes)
    example = example.replace("127.0.0.1:8787", f"127.0.0.1:{loupe.port}").replace("listen 80;", f"listen {port};")
    folders = "".join(
        f"{kind}_temp_path {tmp_path / kind};\n" for kind in ("proxy", "client_body", "fastcgi", "uwsgi", "scgi")
    )
    settings = tmp_path / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    settings.write_text(
        f"{user} pid {tmp_path / 'pid'}; error_log {tmp_path / 'error.log'}; events {{}}\n"
        f"http {{ access_log off; {folders} {example} }}"
    )
    process = subprocess.Popen([program, "-c", str(settings), "-g", "daemon off;"])
    try:
        until(lambda: ask(port, "/")[0] in (200, 302, 404) or None, "nginx passes calls on")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def ask(port: int, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"host": HOST, "content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request("POST" if data else "GET", path, data, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def test_calls_and_pages_go_through_and_metrics_do_not(loupe: Loupe, nginx: int, upstream: FakeUpstream) -> None:
    upstream.on("proxied").will(response())
    loupe.add_virtual_key("proxied", upstream.url("proxied"))
    part = {"type": "image_url", "image_url": {"url": data_url(os.urandom(3_000_000))}}
    body = {"model": "@proxied/m", "messages": [{"role": "user", "content": [part]}]}
    assert ask(nginx, "/v1/chat/completions", body, x_portkey_api_key=loupe.key)[0] == 200
    status, page = ask(nginx, "/login")
    assert (status, b"Log in" in page) == (200, True)
    assert ask(nginx, "/metrics", authorization="Bearer t")[0] == 403
    statuses = {ask(nginx, "/login", {"x": 1}, x_forwarded_for=f"10.0.0.{n}")[0] for n in range(3)}
    assert statuses == {403}  # no CSRF token; what a client says of its own address counts for nothing


def test_a_stream_reaches_the_client_as_it_comes(loupe: Loupe, nginx: int, upstream: FakeUpstream) -> None:
    go = threading.Event()
    upstream.on("slow-proxied").will(stream(chat_events("A", " red", " square"), go=go))
    loupe.add_virtual_key("slow", upstream.url("slow-proxied"))
    connection = http.client.HTTPConnection("127.0.0.1", nginx, timeout=30)
    body = {"model": "@slow/m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"host": HOST, "content-type": "application/json", "x-portkey-api-key": loupe.key}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    answer = connection.getresponse()
    first = answer.readline()
    assert re.match(rb"data: \{", first)
    go.set()
    assert answer.read().rstrip().endswith(b"data: [DONE]")
    connection.close()


@pytest.mark.parametrize(
    "location",
    [
        "location /loupe/ {",
        "location /loupe/ { rewrite ^/loupe(/.*)$ $1 break;",  # the proxy takes the path off
    ],
)
def test_below_a_path_calls_and_pages_go_through(
    own_loupe: Callable[..., Loupe], tmp_path: Path, upstream: FakeUpstream, location: str
) -> None:
    loupe = own_loupe(LOUPE_BASE_PATH="/loupe", LOUPE_PROXIES="127.0.0.1", LOUPE_ALLOWED_HOSTS=f"{HOST},127.0.0.1")
    upstream.on("below").will(response())
    loupe.add_virtual_key("below", upstream.url("below"))
    body = {"model": "@below/m", "messages": [{"role": "user", "content": "hi"}]}
    with running(loupe, tmp_path, "location / {", location) as nginx:
        assert ask(nginx, "/loupe/v1/chat/completions", body, x_portkey_api_key=loupe.key)[0] == 200
        assert b"/loupe/static/css/base" in ask(nginx, "/loupe/login")[1]
        connection = http.client.HTTPConnection("127.0.0.1", nginx, timeout=30)
        connection.request("GET", "/loupe/w/default/logs", headers={"host": HOST})
        assert connection.getresponse().headers["location"] == "/loupe/login?next=/loupe/w/default/logs"
        connection.close()


def test_below_a_path_every_address_of_every_page_is_below_it(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_BASE_PATH="/loupe/")
    assert "/loupe/v1" in loupe.output()
    assert "/loupe/login/" in loupe.link
    part = {"type": "image_url", "image_url": {"url": data_url(picture())}}
    asked = {"model": "@sandbox/vision", "messages": [{"role": "user", "content": [part]}]}
    assert loupe.call("/loupe/v1/chat/completions", asked, headers={"x-portkey-trace-id": "below"})[0] == 200
    log = loupe.log("below")
    id = log["id"]
    assert log["images"][0]["url"].startswith(f"{loupe.root}/loupe/v1/logs/{id}")
    browser = Browser(loupe)
    seen, waiting = set(), ["/loupe/", f"/loupe/w/default/logs/{id}", "/loupe/w/default/prompts/new"]
    while waiting:
        path = waiting.pop()
        page = browser.get(path)
        assert page.status == 200, path
        seen.add(path)
        if "text/html" in page.headers["content-type"]:
            assert f"{loupe.root}/v1" not in page.text
            links, rest = addresses(page.text)
            assert all(one.startswith("/loupe/") for one in links | rest), (path, links | rest)
            waiting += [
                one for one in links if one.partition("?")[0] not in {s.partition("?")[0] for s in (*seen, *waiting)}
            ]
    assert len(seen) > 25, sorted(seen)


def addresses(page: str) -> tuple[set[str], set[str]]:
    """Those that a click or the page itself reads, and those that a form writes to."""
    found = re.findall(r'(href|src|action|hx-get|hx-post|data-[a-z-]+|formaction)="(/[^"]*)"', page)
    read = {unescape(url).partition("#")[0] for name, url in found if name in ("href", "src", "hx-get")}
    return {url for url in read if not url.endswith("/logout")}, {
        url for name, url in found if name not in ("href", "src", "hx-get")
    }
