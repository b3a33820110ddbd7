"""What is built for `pipx install` runs from an empty folder, with its pages, style sheets and commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loupe import ROOT, free_port, until

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("LOUPE", "DJANGO", "PYTHON"))}


@pytest.fixture(scope="module")
def loupe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a virtual environment into which the wheel alone was installed; what it needs lies beside."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(ROOT)], check=True
    )
    (wheel,) = folder.glob("loupe-*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True
    )
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_paths()["purelib"])  # the .pth files in there count for nothing here
    return environment / "bin" / "loupe"


@pytest.fixture
def running(loupe: Path, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [loupe, "up", "--port", str(port)], cwd=tmp_path, env=CLEAN, stdout=said, stderr=said
        )
    root = f"http://127.0.0.1:{port}"
    try:
        until(lambda: "Loupe is up" in (tmp_path / "said").read_text(), "it greets")
        yield root
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "said").read_text()


def test_an_installed_loupe_has_its_pages_and_style_sheets(running: str, loupe: Path, tmp_path: Path) -> None:
    page = urllib.request.urlopen(f"{running}/login", timeout=30).read().decode()
    sheets = re.findall(r'href="(/static/css/[^"]+)"', page)
    assert len(sheets) == 7
    for sheet in sheets:
        assert b"@layer" in urllib.request.urlopen(running + sheet, timeout=30).read()
    made = subprocess.run(
        [loupe, "apikey", "create", "mine"], cwd=tmp_path, env=CLEAN, check=True, capture_output=True, text=True
    ).stdout.strip()
    request = urllib.request.Request(f"{running}/v1/models", headers={"x-portkey-api-key": made})
    assert b"@sandbox/vision" in until(lambda: urllib.request.urlopen(request, timeout=30).read(), "the key is known")
    assert (tmp_path / "data" / "loupe.sqlite3").exists()


def test_it_runs_its_own_code(loupe: Path) -> None:
    said = subprocess.run(
        [loupe.parent / "python", "-c", "import gateway, logsui, prompts; print(gateway, logsui, prompts)"],
        capture_output=True, text=True, check=True, cwd=loupe.parent,
    ).stdout  # fmt: skip
    assert said.count(str(loupe.parent.parent)) == 3
