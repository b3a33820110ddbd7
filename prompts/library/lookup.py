"""The prompts of a workspace as they are served: by slug or id, with a version, a label or none behind an `@`.

Held in memory by the gateway and replaced as a whole, so that a call waits for no database. Published, labelled and newest
versions are always in it; older ones are fetched when they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prompts.language.mustache import Partials
from prompts.language.rendering import Template

LATEST = "latest"
RESERVED = ("latest", "default")
RESERVED_SLUGS = ("partials", "undefined")
LABEL = re.compile(r"[A-Za-z][\w.-]{0,49}")


class NoSuchPrompt(Exception):
    """Names what was asked for, and what there is."""


@dataclass(frozen=True, slots=True)
class Served:
    """One version, ready to be rendered."""

    prompt: str
    slug: str
    number: int
    template: Template
    model: str
    parameters: dict[str, Any]


@dataclass(slots=True)
class Shelf:
    """One prompt or partial: the numbers that names lead to, and the versions in memory."""

    prompt: str
    slug: str
    published: int | None
    latest: int
    labels: dict[str, int] = field(default_factory=dict)
    versions: dict[int, Served] = field(default_factory=dict)

    def number_of(self, name: str) -> int:
        """The version that stands behind `@name`; without a name the published one. Raises NoSuchPrompt."""
        if not name:
            if self.published is None:
                raise NoSuchPrompt(f"{self.slug} has no published version. Publish one, or ask for {self.slug}@latest.")
            return self.published
        if name == LATEST:
            return self.latest
        if name.isdecimal() and len(name) < 10:
            if not 1 <= int(name) <= self.latest:
                raise NoSuchPrompt(f"{self.slug} has no version {name}; its versions go from 1 to {self.latest}.")
            return int(name)
        if name not in self.labels:
            known = ", ".join(sorted(self.labels)) or "none"
            raise NoSuchPrompt(f"{self.slug} has no label {name}; its labels: {known}.")
        return self.labels[name]


Fetch = Callable[[str, int], Served]


@dataclass(slots=True)
class Library:
    """The prompts and partials of one workspace."""

    prompts: dict[str, Shelf] = field(default_factory=dict)
    partials: dict[str, Shelf] = field(default_factory=dict)

    def find(self, reference: str) -> tuple[Shelf, int, str]:
        """The prompt, the number of the version and the label that a reference names. Raises NoSuchPrompt."""
        name, _, version = reference.partition("@")
        shelf = self.prompts.get(name)
        if shelf is None:
            raise NoSuchPrompt(f"There is no prompt {name[:100]!r} in this workspace.")
        return shelf, shelf.number_of(version), version if version in shelf.labels else ""

    def partial_texts(self, fetch: Fetch) -> Partials:
        """The text of a partial by its reference, which has no labels; None when there is none."""

        def text_of(reference: str) -> str | None:
            name, _, version = reference.partition("@")
            shelf = self.partials.get(name.strip())
            try:
                number = shelf.number_of(version.strip()) if shelf else 0
            except NoSuchPrompt:
                return None
            return (shelf.versions.get(number) or fetch(shelf.prompt, number)).template.text if shelf else None

        return text_of
