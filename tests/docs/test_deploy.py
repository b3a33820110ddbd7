"""The examples of docs/deploy name settings, addresses and ports that Loupe has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.loupe import ROOT

FOLDER = ROOT / "docs" / "deploy"
FILES = sorted(FOLDER.iterdir())
KNOWN = set(re.findall(r"`((?:LOUPE|DATABASE|BLOB)_\w+)", (ROOT / "docs" / "configuration.md").read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_is_one_and_every_port_is_loupes(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"\b(?:LOUPE|DATABASE|BLOB)_[A-Z_]+\b", text))
    assert named <= KNOWN, named - KNOWN
    assert set(re.findall(r"\b8\d{3}\b", text)) <= {"8787", "8333"}
    assert "python manage.py" not in text


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_yaml_can_be_read(path: Path) -> None:
    assert all(list(yaml.safe_load_all(path.read_text())))


def test_kubernetes_finds_its_pods_and_asks_what_loupe_answers() -> None:
    service, nodes, budget = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())
    pod: dict[str, Any] = nodes["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    for selector in (service["spec"]["selector"], *(one["spec"]["selector"]["matchLabels"] for one in (nodes, budget))):
        assert selector == pod["metadata"]["labels"]
    assert {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("readiness", "liveness")} == {
        "/readyz",
        "/healthz",
    }
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {
        *(one["name"] for one in pod["spec"]["volumes"]),
        *(one["metadata"]["name"] for one in nodes["spec"]["volumeClaimTemplates"]),
    }
