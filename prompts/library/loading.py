"""From the tables to what is served from memory."""

from __future__ import annotations

import uuid
from functools import lru_cache

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery

from prompts.language.mustache import Partials
from prompts.language.rendering import Template
from prompts.library.lookup import Library, Served, Shelf
from prompts.models import Prompt, PromptLabel, PromptRevision, PromptVersion
from prompts.models.prompts import VersionQuerySet


def revision() -> int:
    """Moves with every change to a prompt."""
    return PromptRevision.objects.values_list("number", flat=True).first() or 0


def library_of(workspace: int) -> Library:
    """That of one workspace, as it is now."""
    return libraries(Q(workspace=workspace)).get(workspace) or Library()


def partials_of(workspace: int) -> Partials:
    """The text of a partial by what stands in `{{>...}}`."""
    return library_of(workspace).partial_texts(fetch)


def libraries(which: Q | None = None) -> dict[int, Library]:
    """Every prompt that is not deleted, by workspace; of prompts that are `which` alone, where that is given."""
    prompts = Prompt.objects.filter(which or Q(), deleted_at=None)
    found: dict[int, Library] = {}
    shelves: dict[str, Shelf] = {}
    versions = PromptVersion.objects.filter(prompt__in=prompts)
    newest = dict(versions.values("prompt").annotate(newest=Max("number")).values_list("prompt", "newest"))
    for row in prompts.select_related("published"):
        number = row.published.number if row.published else None
        shelf = shelves[str(row.pk)] = Shelf(str(row.pk), row.slug, number, newest[row.pk])
        library = found.setdefault(row.workspace_id, Library())
        kept = library.partials if row.kind == Prompt.Kind.PARTIAL else library.prompts
        kept[row.slug] = kept[str(row.pk)] = shelf
    labels = PromptLabel.objects.filter(prompt__in=prompts)
    for prompt, name, number in labels.values_list("prompt", "name", "version__number"):
        if str(prompt) in shelves:
            shelves[str(prompt)].labels[name] = number
    for version in _in_use(versions):
        if str(version.prompt_id) in shelves:
            shelves[str(version.prompt_id)].versions[version.number] = _served(version)
    return found


@lru_cache(maxsize=1000)
def fetch(prompt: str, number: int) -> Served:
    """A version that is not in memory. It never changes, so it is asked for once."""
    return _served(PromptVersion.objects.select_related("prompt").get(prompt__pk=uuid.UUID(prompt), number=number))


def _in_use(versions: VersionQuerySet) -> QuerySet[PromptVersion]:
    """The published, the labelled and the newest versions."""
    newest = PromptVersion.objects.filter(prompt=OuterRef("prompt")).newest_first().values("pk")[:1]
    wanted = Q(pk=Subquery(newest)) | Q(pk=F("prompt__published")) | Q(pk__in=PromptLabel.objects.values("version"))
    return versions.select_related("prompt").filter(wanted)


def _served(version: PromptVersion) -> Served:
    template = Template(version.text, version.is_raw)
    return Served(
        str(version.prompt_id),
        version.prompt.slug,
        version.number,
        template,
        version.model,
        version.parameters,
    )
