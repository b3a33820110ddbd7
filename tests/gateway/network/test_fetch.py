"""The guarded client opens no inner address, in whatever spelling, and takes no more than its limits."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpcore2
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.network.addresses import is_public
from gateway.network.fetch import Fetcher, FetchFailed, _checked
from gateway.network.guard import Guard, GuardedBackend
from tests.pictures import picture

PICTURE = picture()
GUARD = Guard.of([], ports=frozenset({80, 443}))


class CountingBackend(GuardedBackend):
    """Remembers what would have been dialled, and dials nothing."""

    def __init__(self, answers: list[list[str]] | None = None) -> None:
        super().__init__(GUARD)
        self.answers = answers
        self.dialled: list[str] = []

    def resolve(self, host: str, port: int) -> list[str]:
        if self.answers is not None:
            return self.answers.pop(0)
        return super().resolve(host, port)

    def dial(self, address: str, port: int, timeout: float | None) -> httpcore2.NetworkStream:
        self.dialled.append(address)
        raise httpcore2.ConnectError("not in this test")


def fetcher(backend: GuardedBackend, **limits: float) -> Fetcher:
    return Fetcher(**{"max_bytes": 1 << 20, "seconds": 2.0, "guard": GUARD, "backend": backend} | limits)  # type: ignore[arg-type]


@pytest.fixture
def host() -> Iterator[Callable[[str], str]]:
    """A host whose paths each misbehave in one way; it is on loopback, so tests open it by name."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ways = {
                "/ok": self.ok,
                "/inf": self.endless,
                "/slow": self.slow,
                "/gz": self.gzipped,
                "/drip": self.drip,
                "/empty": lambda: self.head(200, 0),
            }
            redirects = {
                "/loop": "/loop",
                "/inner": "http://10.0.0.1/x",
                "/file": "file:///etc/passwd",
                "/relative": "ok",
                "/user": "http://a:b@localhost/",
                "/bad": "http://[::1",
            }
            if self.path in redirects:
                self.send_response(302)
                self.send_header("location", redirects[self.path])
                self.end_headers()
            else:
                ways.get(self.path, lambda: self.head(404, 0))()

        def head(self, status: int, length: int | None, **headers: str) -> None:
            self.send_response(status)
            if length is not None:
                self.send_header("content-length", str(length))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def ok(self) -> None:
            self.head(200, len(PICTURE), content_type="text/html")
            self.wfile.write(PICTURE)

        def endless(self) -> None:
            self.head(200, None)
            while not stop.is_set():
                self.wfile.write(b"x" * 65536)

        def slow(self) -> None:
            self.head(200, 1000)
            while not stop.wait(0.2):
                self.wfile.write(b"x")
                self.wfile.flush()

        def drip(self) -> None:
            while not stop.wait(0.1):
                self.wfile.write(b"H")
                self.wfile.flush()

        def gzipped(self) -> None:
            data = gzip.compress(b"0" * 10_000_000)
            self.head(200, len(data), content_encoding="gzip")
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield lambda path: f"http://localhost:{server.server_port}{path}"
    stop.set()
    server.shutdown()
    server.server_close()


def opened(**limits: float) -> Fetcher:
    return fetcher(GuardedBackend(Guard.of(["localhost"])), **limits)


def test_no_inner_address_is_dialled_in_any_spelling(corpora: Path) -> None:
    urls = (corpora / "ssrf-urls" / "must-block-urls.txt").read_text().splitlines()
    assert len(urls) > 60
    for url in urls:
        backend = CountingBackend()
        with pytest.raises(FetchFailed):
            fetcher(backend).get(url)
        assert backend.dialled == [], url


def test_public_neighbours_of_inner_ranges_are_allowed(corpora: Path) -> None:
    addresses = (corpora / "ssrf-urls" / "must-allow-ips.txt").read_text().split()
    assert [one for one in addresses if not is_public(one)] == []


def test_one_bad_answer_refuses_the_whole_name() -> None:
    backend = CountingBackend([["93.184.216.34", "10.0.0.1"]])
    with pytest.raises(FetchFailed):
        fetcher(backend).get("http://mixed.example/a.png")
    assert backend.dialled == []


def test_the_address_that_was_checked_is_the_one_that_is_dialled() -> None:
    backend = CountingBackend([["93.184.216.34"], ["127.0.0.1"]])  # a name that changes its answer
    with pytest.raises(FetchFailed):
        fetcher(backend).get("http://flips.example/a.png")
    assert backend.dialled == ["93.184.216.34"]
    assert len(backend.answers or []) == 1


def test_a_named_host_is_opened_by_the_setting_and_only_that(host: Callable[[str], str]) -> None:
    assert opened().get(host("/ok")) == PICTURE
    with pytest.raises(FetchFailed, match="not reached"):
        fetcher(GuardedBackend(GUARD)).get(host("/ok"))
    with pytest.raises(FetchFailed, match="not reached"):
        opened().get(host("/ok").replace("localhost", "127.0.0.1"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/inf", "larger than 1 MiB"),
        ("/slow", "longer than 1 s"),
        ("/gz", "compressed"),
        ("/empty", "empty body"),
        ("/nothing", "answered 404"),
        ("/loop", "more than 3 redirects"),
        ("/inner", "not reached"),
        ("/file", "not an http or https address"),
        ("/user", "user name or password"),
        ("/bad", "not an http or https address"),
        ("/drip", "longer than 1 s"),
    ],
)
def test_every_trick_ends_in_a_reason(host: Callable[[str], str], path: str, reason: str) -> None:
    with pytest.raises(FetchFailed, match=reason):
        opened(seconds=1.0).get(host(path))


def test_a_relative_redirect_is_followed(host: Callable[[str], str]) -> None:
    assert opened().get(host("/relative")) == PICTURE


def test_proxy_variables_are_not_followed(host: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{trap.getsockname()[1]}")
        assert opened().get(host("/ok")) == PICTURE
        with pytest.raises(TimeoutError):
            trap.accept()


def test_closed_refused_and_unknown_hosts_read_the_same() -> None:
    texts = set()
    for url in (
        "http://127.0.0.1:9/",
        "http://169.254.169.254/latest",
        "http://no-such-host.invalid/",
        "http://[::1]/",
    ):
        with pytest.raises(FetchFailed) as failed:
            fetcher(GuardedBackend(GUARD)).get(url)
        texts.add(str(failed.value))
    assert len(texts) == 1


ODD_HOSTS = [
    "example.com",
    "xn--",
    "xn--a",
    "xn--\N{SNOWMAN}",
    "[::1%25eth0]",
    "[fe80::1%\N{SNOWMAN}]",
    "1.2.3.4.",
    "\u3002",
    "a" * 64,
]
ODD_PORTS = [
    "",
    ":65536",
    ":-1",
    ":0",
    ":99999999999999999999",
    ":\N{ARABIC-INDIC DIGIT ONE}",
    ":80:80",
    ": 80",
    ":8_0",
]


def hostile_urls() -> st.SearchStrategy[str]:
    parts = st.tuples(
        st.sampled_from(["http://", "HTTP:", "https://", "//", "http:///", "\x00http://", "http://\u202e"]),
        st.sampled_from(["", "user@", "a:b@", "@"]),
        st.sampled_from(ODD_HOSTS) | st.text(max_size=20),
        st.sampled_from(ODD_PORTS) | st.integers().map(lambda number: f":{number}"),
        st.text(max_size=20),
    )
    return parts.map("".join) | st.text(max_size=60)


@settings(max_examples=500)
@given(hostile_urls())
def test_a_hostile_address_is_refused_with_a_reason_and_nothing_else(url: str) -> None:
    with pytest.raises(FetchFailed):
        fetcher(CountingBackend()).get(url)


@settings(max_examples=500)
@given(hostile_urls())
def test_so_is_one_that_a_redirect_names(url: str) -> None:
    with contextlib.suppress(FetchFailed):
        httpcore2.URL(str(_checked(url, base=httpx2.URL("http://example.com/a/b"))))
