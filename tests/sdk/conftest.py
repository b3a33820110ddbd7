from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from tests.conftest import Stage, needs
from tests.fake_upstream import FakeUpstream
from tests.loupe import Loupe
from tests.sdk.doors import OPENED
from tests.sdk.node import Node, make

HERE = Path(__file__).parent
OWN_KEY = "caller-with-a-key"


@pytest.fixture(scope="session", autouse=True)
def few_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each client reads all certificates of the web when it is made, which takes longer than most calls to loopback."""
    first = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----")
    path = tmp_path_factory.mktemp("certificates") / "one.pem"
    path.write_text(first[0] + first[1] + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        yield


@pytest.fixture(scope="session")
def open_loupe(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loupe]:
    """A Loupe that lets callers name the fake provider's address themselves, and takes bodies of up to 1 MiB."""
    env = {"LOUPE_CUSTOM_HOSTS": upstream.url(OWN_KEY), "LOUPE_MAX_BODY_MB": "1"}
    running = Loupe(tmp_path_factory.mktemp("loupe-open"), **env)
    try:
        yield running.start()
    finally:  # also when it never came up, so that no process is left behind
        if running.process is not None and running.process.poll() is None:
            running.stop()


@pytest.fixture
def own_key_stage(open_loupe: Loupe, upstream: FakeUpstream) -> Stage:
    """A caller who brings the provider's key along: no virtual key, and `secret` is the caller's own."""
    case = upstream.on(OWN_KEY)
    case.requests.clear()
    case.scripts.clear()
    return Stage(open_loupe, case, "", upstream.url(OWN_KEY), f"sk-own-{uuid.uuid4().hex}")


@pytest.fixture(scope="session")
def node_command() -> list[str]:
    program = needs("node")
    if not (HERE / "node_modules").exists():
        pytest.skip("the Node SDKs are not installed: npm install --prefix tests/sdk (CI does, see .ci/run)")
    return [program, str(HERE / "sdks.mjs")]


@pytest.fixture
def node(node_command: list[str]) -> Node:
    """Makes the calls, in order, in one Node process."""
    return lambda calls: make(node_command, calls)


@pytest.fixture(autouse=True)
def clients_are_closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
