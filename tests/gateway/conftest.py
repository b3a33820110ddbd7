"""A running Loupe whose vendors are all the fake one, for the tests of addresses and credentials."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fake_upstream import Case, FakeUpstream, Script, response
from tests.loupe import Loupe

GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Red."}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Red."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Red."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
}
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Gate:
    """A Loupe that lets callers name the fake as a host."""

    loupe: Loupe
    upstream: FakeUpstream
    slugs: set[str] = field(default_factory=set)

    def host(self, case: str) -> str:
        return f"http://127.0.0.1:{self.upstream.port}/{case}"

    def case(self, name: str, answer: Any = None) -> Case:
        """The fake under this name, with nothing received yet."""
        case = self.upstream.on(name).will(answer if callable(answer) else response(body=answer))
        case.requests.clear()
        return case

    def key(
        self, slug: str, provider: str, secret: str, *, path: str = "", answer: Any = None, **settings: str
    ) -> Case:
        """A virtual key that leads to the fake. It is made once: that costs a process."""
        if slug not in self.slugs:
            self.loupe.add_virtual_key(slug, self.host(slug) + path, secret, provider=provider, **settings)
            self.slugs.add(slug)
        return self.case(slug, answer)

    def real_key(self, provider: str, **settings: str) -> str:
        """The slug of a virtual key at the vendor's real address, which no test may reach."""
        slug = f"real-{provider}"
        if slug not in self.slugs:
            self.loupe.add_virtual_key(slug, "", "stored-secret", provider=provider, **settings)
            self.slugs.add(slug)
        return slug

    def ask(
        self, model: str, body: dict[str, Any] | None = None, /, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        return self.post("/v1/chat/completions", {"model": model, **HELLO, **(body or {})}, **headers)

    def post(self, path: str, body: Any, /, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Header names are written with underscores; one that is "" is left out."""
        return self.loupe.call(path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def own(self, provider: str, case: str, model: str = "m", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """A call with the caller's own credential, without a virtual key."""
        return self.ask(model, x_portkey_provider=provider, x_portkey_custom_host=self.host(case), **headers)

    def refusal(self, answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
        status, _, body = answer
        return status, json.loads(body)["error"]["code"]


def quoting(status: int = 401) -> Script:
    """A vendor that says in its error all that it was shown."""

    def script(connection: Any, request: Any) -> None:
        told = " ".join(value for name, value in request.headers if name != "host")
        response(status, {"error": {"message": f"cannot use {told}", "type": "t", "param": None, "code": "c"}})(
            connection, request
        )

    return script


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream) -> Iterator[Gate]:
    running = Loupe(
        tmp_path_factory.mktemp("vendors"),
        LOUPE_CUSTOM_HOSTS=f"http://127.0.0.1:{upstream.port}",
        LOUPE_LOG_LEVEL="debug",
    ).start()
    yield Gate(running, upstream)
    running.stop()
