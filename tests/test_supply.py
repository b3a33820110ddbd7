"""What Loupe is made of is bounded, locked, listed and licensed."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement

from tests.loupe import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED = dict(
    re.findall(r"^([a-z0-9-]+)==(\S+) --hash=sha256:[0-9a-f]{64}$", (ROOT / "requirements.lock").read_text(), re.M)
)


def name_of(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def needed() -> dict[str, Requirement]:
    """All that an installation for running pulls in, by what the installed packages themselves say."""
    found: dict[str, Requirement] = {}
    todo = [Requirement(text) for text in PROJECT["dependencies"]]
    while todo:
        one = todo.pop()
        if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in ("", *EXTRAS)):
            continue
        if name_of(one) not in found:
            found[name_of(one)] = one
            try:
                todo += [Requirement(text) for text in requires(one.name) or () if "extra ==" not in text]
            except PackageNotFoundError:
                continue
    return found


EXTRAS = ("binary", "pool")


def test_every_dependency_has_an_upper_bound() -> None:
    for text in PROJECT["dependencies"]:
        assert any(one.operator in ("<", "~=", "==") for one in Requirement(text).specifier), text


def test_all_that_is_installed_is_locked_with_its_hash() -> None:
    assert set(needed()) <= set(LOCKED)
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(LOCKED[name_of(wanted)]), f"{text}: run .ci/supply"


def test_the_lists_agree_and_name_no_host() -> None:
    components = json.loads((ROOT / "sbom.json").read_text())["components"]
    assert {one["name"]: one["version"] for one in components} == LOCKED
    page = (ROOT / "docs" / "licences.md").read_text()
    assert set(re.findall(r"^\| ([a-z0-9-]+) \| (?!licence)", page, re.M)) >= set(LOCKED)
    assert "://" not in (ROOT / "requirements.lock").read_text()
