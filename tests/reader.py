"""A Loupe as the docs assume it: with the virtual keys and the prompt that they name, and OpenAI at a fake address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import needs
from tests.fake_upstream import FakeUpstream
from tests.loupe import ROOT, Loupe
from tests.vendors import ANTHROPIC, speaking

SECRETS = {
    "OPENAI_API_KEY": "sk-of-openai",
    "ANTHROPIC_API_KEY": "sk-of-anthropic",
    "GEMINI_API_KEY": "key-of-gemini",
    "AZURE_KEY": "key-of-azure",
    "AWS_SECRET_ACCESS_KEY": "secret-of-aws",
    "SERVICE_ACCOUNT_JSON": json.dumps(
        {"client_email": "a@b.example", "private_key": "x", "token_uri": "https://x.example"}
    ),
}
NODE_MODULES = ROOT / "tests" / "sdk" / "node_modules"
MESSAGES = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Total in {{currency}}?"},
            {"type": "image_url", "image_url": {"url": "{{receipt}}"}},
        ],
    }
]


@dataclass(frozen=True)
class Reader:
    """Somebody who pastes what a page says, with their own key and address in it."""

    loupe: Loupe
    desk: Path

    def pasted(self, text: str) -> str:
        return text.replace("127.0.0.1:8787", f"127.0.0.1:{self.loupe.port}").replace("YOUR_LOUPE_KEY", self.loupe.key)

    def run(self, text: str, name: str) -> str:
        """What a file of this name prints; the ending says what it is run with."""
        path = self.desk / name
        path.write_text(self.pasted(text))
        done = subprocess.run(
            [*self._program(path.suffix), str(path)],
            cwd=self.desk,
            env=os.environ | self.loupe.env | SECRETS | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _program(self, ending: str) -> list[str]:
        if ending == ".mjs":
            program = needs("node")
            if not NODE_MODULES.exists():
                pytest.skip("the Node SDKs are not installed: npm install --prefix tests/sdk (CI does, see .ci/run)")
            if not (self.desk / "node_modules").exists():
                (self.desk / "node_modules").symlink_to(NODE_MODULES)
            return [program]
        return {".py": [sys.executable], ".sh": ["bash", "-eu"]}[ending]


@pytest.fixture(scope="module")
def reader(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    code, desk = folder / "code", folder / "desk"
    for part in ("gateway", "logsui", "prompts", "static", "manage.py"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        code.mkdir(exist_ok=True)
        copy(ROOT / part, code / part)
    openai = code / "gateway" / "providers" / "openai.py"
    openai.write_text(openai.read_text().replace("https://api.openai.com/v1", upstream.url("docs")))
    desk.mkdir()
    (desk / "manage.py").symlink_to(code / "manage.py")
    loupe = Loupe(folder / "data", code=code).start()
    try:
        upstream.on("docs-claude").will(speaking(ANTHROPIC))
        loupe.add_virtual_key("openai-prod", upstream.url("docs"))
        loupe.add_virtual_key("claude", upstream.url("docs-claude"), provider="anthropic")
        publish_the_prompt(loupe)
        yield Reader(loupe, desk)
    finally:
        loupe.stop()


def publish_the_prompt(loupe: Loupe) -> None:
    key = loupe.manage("apikey", "create", "writer", "--scope", "prompts.write", "--scope", "prompts.use")
    given = {
        "name": "Receipt total",
        "slug": "receipt-total",
        "string": json.dumps(MESSAGES),
        "parameters": {"model": "@openai-prod/gpt-4o"},
    }
    status, _, answer = loupe.call("/v1/prompts", given, headers={"x-portkey-api-key": key})
    assert status == 200, answer
