"""A real Loupe: `manage.py up` as a process, with its data folder, keys and API at hand."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parent.parent
T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, seconds: float = 60, pause: float = 0.02) -> T:
    """What `look` answers, soon after it answers something. Looks less and less often: looking costs what is waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(pause)
        pause = min(pause * 1.6, 0.25)
    raise AssertionError(f"not within {seconds} s: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def set_up_once() -> Path:
    """A data folder with its tables and static files, as a first start leaves it: most tests do not ask how it came about."""
    folder = Path(tempfile.mkdtemp(prefix="loupe-set-up-"))
    atexit.register(shutil.rmtree, folder)
    code = "import django; django.setup(); from gateway.processes.setup import prepare; prepare(static=True)"
    env = os.environ | {"LOUPE_DATA": str(folder), "DJANGO_SETTINGS_MODULE": "gateway.settings"}
    env.pop("DATABASE_URL", None)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)
    return folder


class Loupe:
    """`Loupe(folder).start()`; then `base`, `key`, `link`, and `logs()`.

    `code` is the checkout that is run. Only a `first` start makes its tables itself.
    """

    def __init__(self, data: Path, *, code: Path = ROOT, first: bool = False, **env: str) -> None:
        self.data, self.code, self.first = data, code, first
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOUPE", "DJANGO", "DATABASE", "SSL_CERT"))}
        self.env = clean | {"LOUPE_DATA": str(data), "LOUPE_SNAPSHOT": "off", "PYTHONUNBUFFERED": "1"} | env
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.key = self.link = ""
        self.starts = 0
        self.options: list[str] = []

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"{self.root}/v1"

    def start(self) -> Loupe:
        self.data.mkdir(parents=True, exist_ok=True)
        if not (self.first or any(self.data.iterdir()) or self.code != ROOT or "DATABASE_URL" in self.env):
            secrets = shutil.ignore_patterns("*-key*")
            shutil.copytree(set_up_once(), self.data, ignore=secrets, dirs_exist_ok=True)
        self.starts += 1
        out = self.output_path.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(self.port), *self.options],
            cwd=self.code,
            env=self.env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        out.close()
        try:
            until(self._greeting, "up greets", 60)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}; it said: {self.output()[-3000:]}") from None
        self.link = (self.data / "login-link").read_text().strip()
        first = self.data / "first-api-key"
        self.key = first.read_text().strip() if first.exists() else self.key
        return self

    @property
    def output_path(self) -> Path:
        return self.data / f"up-{self.starts}.log"

    def output(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.data.glob("up-*.log")))

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def manage(self, *args: str, stdin: str | None = None, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=self.code,
            env=self.env | env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def add_person(self, name: str, role: str, workspace: str = "default") -> str:
        """A link that logs them in."""
        return self.manage("people", "add", name, "--role", role, "--workspace", workspace, "--base", self.root)

    def add_virtual_key(
        self,
        slug: str,
        base_url: str,
        secret: str = "sk-upstream-secret",
        provider: str = "openai",
        **settings: str,
    ) -> None:
        """A virtual key; returns when the running gateway knows it."""
        given = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        address = ["--base-url", base_url] if base_url else []
        self.manage("virtualkey", "add", slug, "--provider", provider, "--secret-stdin", *address, *given, stdin=secret)
        until(lambda: f"@{slug}" in self._unknown_slug_error(), f"the gateway knows @{slug}")

    def call(
        self, path: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request with the first key; status, headers (lower case) and body, whatever the status."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"content-type": "application/json", "x-portkey-api-key": self.key} | (headers or {})
        request = urllib.request.Request(self.root + path, data, {k: v for k, v in sent.items() if v}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    def is_ready(self) -> bool:
        try:
            return self.call("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def logs(self, query: str = "") -> list[dict[str, Any]]:
        status, _, body = self.call(f"/v1/logs?limit=200&{query}")
        assert status == 200, body
        data: list[dict[str, Any]] = json.loads(body)["data"]
        return data

    def log(self, trace: str, *, finished: bool = True) -> dict[str, Any]:
        """The whole log of a trace, once ingest has written it."""

        def look() -> dict[str, Any] | None:
            found = [one for one in self.logs(f"trace_id={trace}") if not finished or one["state"] != "in_flight"]
            return found[0] if found else None

        found = until(look, f"a log of trace {trace}", pause=0.07)  # ingest looks ten times a second
        whole: dict[str, Any] = json.loads(self.call(f"/v1/logs/{found['id']}")[2])
        return whole

    def _greeting(self) -> str | None:
        assert self.process is not None
        said = self.output_path.read_text(errors="replace")
        assert self.process.poll() is None, "up ended"
        return said if re.search(r"^curl .*?}'", said, re.S | re.M) else None

    def _unknown_slug_error(self) -> str:
        body = {"model": "@no-such-slug/m", "messages": []}
        return self.call("/v1/chat/completions", body, headers={"x-portkey-debug": "false"})[2].decode()
