"""Writes to prompts. Versions are only added; each write moves the revision that the gateway's memory polls."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify

from prompts.language import mustache
from prompts.language.rendering import PromptProblem, Template
from prompts.library import pictures
from prompts.library.lookup import LABEL, RESERVED, RESERVED_SLUGS
from prompts.models import Prompt, PromptLabel, PromptRevision, PromptVersion
from prompts.models.validators import validate_for_database

SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,48}[a-z0-9]|[a-z0-9]")
KEPT_FOR = timedelta(days=30)
LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Content:
    """What a version says. `text` is the JSON of the messages, or a partial's text."""

    text: str
    is_raw: bool = False
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    examples: dict[str, Any] = field(default_factory=dict)


class Conflict(Exception):
    """Somebody saved a version in between; `newest` is theirs."""

    def __init__(self, newest: PromptVersion) -> None:
        super().__init__(f"Version {newest.number} was saved in the meantime.")
        self.newest = newest


@transaction.atomic
def create(
    *,
    workspace: Any,
    name: str,
    content: Content,
    kind: str = Prompt.Kind.PROMPT,
    slug: str = "",
    folder: str = "",
    note: str = "",
    author: Any = None,
    is_published: bool = True,
) -> Prompt:
    """A prompt with its first version, published unless it is not to be. Raises ValidationError."""
    name = name.strip()
    if not name:
        raise ValidationError("A prompt needs a name, so that you know it again.")
    validate_for_database([name, folder], "The name or the folder")
    prompt = Prompt(
        workspace=workspace,
        kind=kind,
        name=name[:100],
        folder=folder_path(folder),
        slug=_checked_slug(workspace, kind, slug) if slug else _free_slug(workspace, kind, name),
    )
    _check(prompt, content)
    prompt.save()
    first = _added(prompt, 1, content, note, author)
    if is_published:
        prompt.published = first
        prompt.save(update_fields=["published"])
    moved()
    return prompt


@transaction.atomic
def save_version(
    *, prompt: Prompt, content: Content, based_on: int | None = None, note: str = "", author: Any = None
) -> PromptVersion:
    """A new version; the newest again when nothing changed.

    Raises:
        ValidationError: the content cannot be used. Conflict: `based_on` is not the newest version any more.
    """
    newest = Prompt.objects.select_for_update().get(pk=prompt.pk).latest
    if based_on is not None and newest.number != based_on:
        raise Conflict(newest)
    if newest.content() == _stored(content):
        return newest
    _check(prompt, content)
    saved = _added(prompt, newest.number + 1, content, note, author)
    Prompt.objects.filter(pk=prompt.pk).update(updated_at=timezone.now())
    moved()
    return saved


@transaction.atomic
def publish(*, prompt: Prompt, number: int) -> PromptVersion:
    """From now on a call by the bare slug gets this version. Raises ValidationError."""
    version = find_version(prompt, number)
    Prompt.objects.filter(pk=prompt.pk).update(published=version, updated_at=timezone.now())
    moved()
    return version


@transaction.atomic
def put_label(*, prompt: Prompt, name: str, number: int) -> None:
    """Move a label to a version, or make it. Raises ValidationError."""
    check_label(name)
    PromptLabel.objects.update_or_create(prompt=prompt, name=name, defaults={"version": find_version(prompt, number)})
    moved()


def check_label(name: str) -> None:
    """Raises ValidationError for what cannot be a label."""
    if not LABEL.fullmatch(name) or name.lower() in RESERVED:
        raise ValidationError(
            f"{name[:50]!r} cannot be a label: letters, digits, dots and dashes, beginning with a letter, "
            f"and not {' or '.join(RESERVED)}."
        )


@transaction.atomic
def remove_label(*, prompt: Prompt, name: str) -> None:
    """Raises ValidationError for what cannot be a label."""
    check_label(name)
    PromptLabel.objects.filter(prompt=prompt, name=name).delete()
    moved()


@transaction.atomic
def rename(*, prompt: Prompt, name: str, folder: str) -> None:
    """The slug stays: programs call it. Raises ValidationError."""
    if not name.strip():
        raise ValidationError("A prompt needs a name, so that you know it again.")
    validate_for_database([name, folder], "The name or the folder")
    prompt.name, prompt.folder = name.strip()[:100], folder_path(folder)
    prompt.save(update_fields=["name", "folder", "updated_at"])


@transaction.atomic
def delete(*, prompt: Prompt) -> None:
    """Calls fail from now on; it can be brought back for 30 days."""
    Prompt.objects.filter(pk=prompt.pk).update(deleted_at=timezone.now())
    moved()


@transaction.atomic
def restore(*, prompt: Prompt) -> None:
    """Raises ValidationError when its slug was taken by another one."""
    try:
        with transaction.atomic():
            Prompt.objects.filter(pk=prompt.pk).update(deleted_at=None)
    except IntegrityError:
        raise ValidationError(f"Another prompt is called {prompt.slug} now; delete or keep that one.") from None
    moved()


def sweep() -> int:
    """Remove what was deleted more than 30 days ago; how many."""
    return Prompt.objects.filter(deleted_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def find_version(prompt: Prompt, number: int) -> PromptVersion:
    """Raises ValidationError."""
    version = prompt.versions.filter(number=number).first()
    if version is None:
        raise ValidationError(f"{prompt.slug} has no version {number}.")
    return version


def _added(prompt: Prompt, number: int, content: Content, note: str, author: Any) -> PromptVersion:
    validate_for_database(note, "The note")
    fields = _stored(content)
    pictures.keep(prompt.workspace_id, *fields.values())
    return PromptVersion.objects.create(prompt=prompt, number=number, note=note.strip()[:500], author=author, **fields)


def _stored(content: Content) -> dict[str, Any]:
    return {
        "text": content.text,
        "is_raw": content.is_raw,
        "model": content.model.strip(),
        "parameters": content.parameters,
        "examples": content.examples,
    }


def _check(prompt: Prompt, content: Content) -> None:
    """Raises ValidationError."""
    if len(content.text) > LONGEST:
        raise ValidationError(
            f"The template is longer than {LONGEST:,} characters. Keep pictures as uploads, not in it."
        )
    if len(content.model) > 200:
        raise ValidationError("The model's name is too long.")
    validate_for_database(_stored(content), "The template")
    if prompt.kind == Prompt.Kind.PROMPT:
        try:
            Template(content.text, content.is_raw).check()
        except PromptProblem as problem:
            raise ValidationError(str(problem)) from None
    else:
        _check_circle(prompt, content.text)


def _check_circle(partial: Prompt, text: str) -> None:
    """A partial must not include itself, by whatever way. Raises ValidationError with the path."""
    others = Prompt.objects.of(partial.workspace_id).partials().exclude(published=None)
    texts = dict(others.values_list("slug", "published__text")) | {partial.slug: text}

    def walk(slug: str, path: list[str]) -> None:
        for reference in mustache.details(mustache.parse(texts.get(slug, ""))).partials:
            name = reference.partition("@")[0].strip()
            if name == partial.slug:
                raise ValidationError(f"The partial would include itself: {' > '.join([*path, name])}.")
            if name not in path:
                walk(name, [*path, name])

    walk(partial.slug, [partial.slug])


def _free_slug(workspace: Any, kind: str, name: str) -> str:
    stem = slugify(name)[:40].strip("-_") or kind
    taken = set(Prompt.objects.of(workspace).filter(kind=kind, slug__startswith=stem).values_list("slug", flat=True))
    names = [stem if stem not in RESERVED_SLUGS else f"{stem}-1", *(f"{stem}-{n}" for n in range(2, len(taken) + 3))]
    return next(slug for slug in names if slug not in taken)


def _checked_slug(workspace: Any, kind: str, slug: str) -> str:
    if not SLUG.fullmatch(slug) or slug in RESERVED_SLUGS:
        raise ValidationError(
            f"{slug[:50]!r} cannot be a slug: lower-case letters, digits, dots and dashes, at most 50."
        )
    if Prompt.objects.of(workspace).filter(kind=kind, slug=slug).exists():
        raise ValidationError(f"There is a {kind} called {slug} already.")
    return slug


def folder_path(folder: str) -> str:
    return "/".join(part.strip() for part in folder.split("/") if part.strip())[:200]


def moved() -> None:
    """Tell every process that holds prompts in memory."""
    PromptRevision.objects.get_or_create(pk=1)
    PromptRevision.objects.filter(pk=1).update(number=F("number") + 1)
