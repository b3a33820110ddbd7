"""A real S3 store, SeaweedFS from its wheel, with buckets of our own in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.loupe import free_port, until

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


def low_port() -> int:
    """SeaweedFS takes the one that is 10,000 above it, too."""
    while (port := free_port()) > 55_000:
        pass
    return port


class ObjectStore:
    """`bucket()` answers the address of a new one. `stop` and `start` keep what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = low_port()
        self.others = {name: low_port() for name in ("master", "volume", "filer")}
        self.start()

    def start(self) -> None:
        weed = shutil.which("weed") or str(Path(sys.executable).parent / "weed")
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = [f"-{name}.port={port}" for name, port in self.others.items()]
        served = ["-filer", "-s3", f"-s3.port={self.port}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        small = ["-master.volumeSizeLimitMB=64", "-volume.max=1000", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        out = (self.folder / "weed.log").open("ab")
        self.process = subprocess.Popen(
            [weed, "server", f"-dir={self.folder}", *ports, *served, *small],
            stdout=out, stderr=out, start_new_session=True, env={name: value for name, value in os.environ.items() if name not in CREDENTIALS},
        )  # fmt: skip
        out.close()
        until(self._takes_buckets, f"the object store is up: {(self.folder / 'weed.log').read_text()[-2000:]}", 90)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def bucket(self) -> str:
        name = f"loupe-{uuid.uuid4().hex[:12]}"
        assert self._ask("PUT", f"/{name}") == 200
        return f"s3://{name}/some/prefix?endpoint=http://127.0.0.1:{self.port}"

    def _takes_buckets(self) -> bool:
        try:
            return self._ask("PUT", f"/probe-{uuid.uuid4().hex[:8]}") == 200
        except (OSError, HTTPException):
            return False

    def _ask(self, method: str, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()
