"""Prompts as a folder of readable files, so that a team can keep them in git: one JSON file a prompt, pictures beside it.

Written is what is published, or the newest where nothing is. Read back, what differs becomes a new version, published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from gateway.models import Image, Workspace
from gateway.pictures import blobs, prompt_pictures
from prompts.library import editing
from prompts.library.editing import Content
from prompts.models import Prompt, PromptVersion

KEPT = re.compile(r"loupe:sha256:([0-9a-f]{64})")
BESIDE = re.compile(r'"file:(pictures/[\w.-]+)"')
PARTIALS = "partials"


@dataclass(frozen=True, slots=True)
class Change:
    """What reading a file would do: `new`, `changed` or `same`; `prompt` is None for a new one."""

    kind: str
    path: Path
    name: str
    slug: str
    folder: str
    prompt_kind: str
    content: Content
    prompt: Prompt | None


def write(workspace: Workspace, folder: Path) -> list[Path]:
    """One file for each prompt and partial; the same files again when nothing changed."""
    found = Prompt.objects.of(workspace).select_related("published").order_by("kind", "slug")
    return [_write(prompt, folder) for prompt in found]


def changes(workspace: Workspace, folder: Path) -> Iterator[Change]:
    """What reading the folder would change; partials first, for prompts include them.

    Raises:
        ValidationError: a file cannot be read; names it and says why.
    """
    for path in [*sorted((folder / PARTIALS).glob("*.json")), *sorted(folder.glob("*.json"))]:
        try:
            yield _change(workspace, path, json.loads(path.read_text()))
        except (ValueError, KeyError, TypeError) as error:
            raise ValidationError(f"{path}: {type(error).__name__}: {error}") from None


def apply(workspace: Workspace, change: Change) -> None:
    """Raises ValidationError."""
    if change.kind == "same":
        return
    said = change.content.text + json.dumps(change.content.examples)
    for name in sorted(set(BESIDE.findall(said))):
        prompt_pictures.keep(workspace=workspace, data=_home(change.path).joinpath(name).read_bytes())
    content = _with_hashes(change)
    if change.prompt is None:
        editing.create(
            workspace=workspace,
            kind=change.prompt_kind,
            slug=change.slug,
            name=change.name,
            folder=change.folder,
            content=content,
            note=f"from {change.path.name}",
        )
        return
    if (change.prompt.name, change.prompt.folder) != (change.name, change.folder):
        editing.rename(prompt=change.prompt, name=change.name, folder=change.folder)
    saved = editing.save_version(prompt=change.prompt, content=content, note=f"from {change.path.name}")
    editing.publish(prompt=change.prompt, number=saved.number)


def _write(prompt: Prompt, folder: Path) -> Path:
    path = _path(prompt, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    document = _document(prompt, prompt.published or prompt.latest)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    for sha256 in sorted(set(KEPT.findall(text))):
        name = _picture_name(sha256)
        beside = _home(path) / name
        beside.parent.mkdir(exist_ok=True)
        beside.write_bytes(blobs.get(sha256))
        text = text.replace(f"loupe:sha256:{sha256}", f"file:{name}")
    path.write_text(text)
    return path


def _document(prompt: Prompt, version: PromptVersion) -> dict[str, Any]:
    is_readable = prompt.kind == Prompt.Kind.PROMPT and not version.is_raw
    body = {"messages": json.loads(version.text)} if is_readable else {"text": version.text}
    return {
        "name": prompt.name,
        "folder": prompt.folder,
        "model": version.model,
        "parameters": version.parameters,
        "examples": version.examples,
        **body,
    }


def _change(workspace: Workspace, path: Path, document: dict[str, Any]) -> Change:
    kind = Prompt.Kind.PARTIAL if path.parent.name == PARTIALS else Prompt.Kind.PROMPT
    is_readable = "messages" in document
    content = Content(
        text=json.dumps(document["messages"], ensure_ascii=False) if is_readable else document["text"],
        is_raw=not is_readable,
        model=document.get("model", ""),
        parameters=document.get("parameters", {}),
        examples=document.get("examples", {}),
    )
    found = Prompt.objects.of(workspace).filter(kind=kind, slug=path.stem).select_related("published").first()
    made = Change("new", path, document["name"], path.stem, document.get("folder", ""), kind, content, found)
    if found is None:
        return made
    now = _document(found, found.published or found.latest)
    same = now == _document_of(made)
    return Change("same" if same else "changed", path, made.name, made.slug, made.folder, kind, content, found)


def _document_of(change: Change) -> dict[str, Any]:
    """The document that a change would be written as."""
    content = _with_hashes(change)
    is_readable = not content.is_raw
    return {
        "name": change.name,
        "folder": change.folder,
        "model": content.model,
        "parameters": content.parameters,
        "examples": content.examples,
        **({"messages": json.loads(content.text)} if is_readable else {"text": content.text}),
    }


def _with_hashes(change: Change) -> Content:
    """The content with each picture beside it named by its hash, as it is kept."""
    home = _home(change.path)

    def kept(text: str) -> str:
        return BESIDE.sub(lambda found: f'"loupe:sha256:{prompt_pictures.hash_of(home / found[1])}"', text)

    examples = json.loads(kept(json.dumps(change.content.examples, ensure_ascii=False)))
    content = change.content
    return Content(kept(content.text), content.is_raw, content.model, content.parameters, examples)


def _path(prompt: Prompt, folder: Path) -> Path:
    below = folder / PARTIALS if prompt.kind == Prompt.Kind.PARTIAL else folder
    return below / f"{prompt.slug}.json"


def _home(path: Path) -> Path:
    """The folder that `pictures/` stands in."""
    return path.parent.parent if path.parent.name == PARTIALS else path.parent


def _picture_name(sha256: str) -> str:
    image = Image.objects.filter(pk=sha256).first()
    ending = image.media_type.rpartition("/")[2] if image else "bin"
    return f"pictures/{sha256[:16]}.{ending}"
