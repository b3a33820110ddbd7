"""A Loupe with a virtual key for each vendor, at which the inputs of public bug reports and recordings are tried.

The files beside are those inputs, as they were found: `request`, `upstream_answers`, what is `expected`.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.fake_upstream import FakeUpstream, Received, Script, event, response, stream
from tests.loupe import Loupe
from tests.vendors import whole

HERE = Path(__file__).parent
# By provider: what follows the fake's address in its base URL, and the settings of its key.
PATHS = {
    "google": "/v1beta",
    "openai": "/v1",
    "anthropic": "/v1",
    "deepseek": "/v1",
    "mistral-ai": "/v1",
    "groq": "/v1",
}
SETTINGS = {"vertex-ai": {"project_id": "p"}, "bedrock": {"region": "us-east-1"}}
DIALECTS = {"google": "gemini", "vertex-ai": "gemini", "anthropic": "anthropic", "bedrock": "converse"}
PROVIDERS = (
    "openai", "anthropic", "google", "vertex-ai", "bedrock", "deepseek", "moonshot", "groq", "x-ai", "mistral-ai",
    "openai-compatible",
)  # fmt: skip


def read(group: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / group / f"{name}.json").read_text())
    return found


@dataclass
class Tried:
    """What came of one case. `sent` is what the vendor got; empty if Loupe refused."""

    status: int
    headers: dict[str, str]
    body: bytes
    requests: list[Received]
    stand: CaseStand
    trace: str

    @cached_property
    def log(self) -> dict[str, Any]:
        return self.stand.loupe.log(self.trace)

    @property
    def answer(self) -> Any:
        return json.loads(self.body)

    @property
    def chunks(self) -> list[Any]:
        lines = (line[6:] for line in self.body.decode().splitlines() if line.startswith("data: "))
        return [json.loads(line) for line in lines if line != "[DONE]"]

    @property
    def sent(self) -> Any:
        return self.requests[0].json if self.requests else {}

    @property
    def warnings(self) -> str:
        return self.headers.get("x-loupe-warnings", "")


@dataclass
class CaseStand:
    loupe: Loupe
    upstream: FakeUpstream
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    def ask(
        self, provider: str, body: Any, answers: Any = None, *, path: str = "/v1/chat/completions", method: str | None = None,
        named: bool = False, **headers: str,
    ) -> Tried:  # fmt: skip
        """One call to a vendor. `@slug/` in the body becomes its key; with `named` the key is named in a header."""
        case = self.upstream.on(f"case-{provider}")
        case.requests.clear()
        case.scripts.clear()
        case.will(scripted(provider, answers))
        trace = f"trace-{uuid.uuid4()}"
        text = body if isinstance(body, bytes) else json.dumps(body).replace("@slug/", f"@{provider}/").encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        key = {"x-portkey-virtual-key": provider} if named else {}
        status, told, answer = self.loupe.call(
            path, text or None, method=method, headers={"x-portkey-trace-id": trace, **key, **given}
        )
        return Tried(status, told, answer, list(case.requests), self, trace)

    def try_case(self, name: str, **changes: Any) -> Tried:
        """A case of `gateway/`, with members of its request put in the place of its own."""
        case = read("gateway", name)
        named = case["headers"].get("x-portkey-virtual-key") == "slug"
        request = {**case["request"], **changes}
        return self.ask(case["provider"], request, case.get("upstream_answers"), path=case["path"], named=named)

    def replay(self, name: str) -> Tried:
        """A case of `recordings/`."""
        case = read("recordings", name)
        request, answer = case["request"], case["upstream_answer"]
        body = request.get("body") or b""
        body = body.encode() if isinstance(body, str) else body
        content = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
        script = response(answer["status"], content.encode(), {"content-type": answer["content_type"]})
        headers = {name.replace("-", "_"): value for name, value in request.get("headers", {}).items()}
        return self.ask(
            request["provider_of_virtual_key"], body, script, path=request["path"], method=request["method"],
            named=request["virtual_key"] is not None, **headers,
        )  # fmt: skip


def scripted(provider: str, answers: Any) -> Script:
    """The vendor's answer: a list is streamed, a document with `gzip_of` comes packed; without one, words."""
    if callable(answers):
        return answers  # type: ignore[no-any-return]
    if isinstance(answers, list):
        return stream([event(b"[DONE]") if one == "[DONE]" else event(one) for one in answers])
    if isinstance(answers, dict) and "gzip_of" in answers:
        packed = gzip.compress(json.dumps(answers["gzip_of"]).encode())
        return response(answers["status"], packed, answers["headers"])
    return response(body=answers or whole(DIALECTS.get(provider, "chat"), "ok"))


@pytest.fixture(scope="session")
def stand(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStand]:
    loupe = Loupe(tmp_path_factory.mktemp("cases")).start()
    for provider in PROVIDERS:
        base = f"http://127.0.0.1:{upstream.port}/case-{provider}{PATHS.get(provider, '')}"
        loupe.add_virtual_key(provider, base, "sk-vendor", provider=provider, **SETTINGS.get(provider, {}))
    yield CaseStand(loupe, upstream)
    loupe.stop()
