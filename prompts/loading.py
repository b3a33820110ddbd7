"""From the tables to what is served from memory."""

from __future__ import annotations

import uuid
from functools import lru_cache

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery

from prompts.library import Library, Served, Shelf
from prompts.models import Prompt, PromptLabel, PromptRevision, PromptVersion
from prompts.rendering import Template


def revision() -> int:
    """Moves with every change to a prompt."""
    return PromptRevision.objects.values_list("number", flat=True).first() or 0


def libraries() -> dict[int, Library]:
    """Every prompt that is not deleted, by workspace."""
    found: dict[int, Library] = {}
    shelves: dict[str, Shelf] = {}
    newest = dict(PromptVersion.objects.values("prompt").annotate(newest=Max("number")).values_list("prompt", "newest"))
    for row in Prompt.objects.filter(deleted_at=None).select_related("published"):
        number = row.published.number if row.published else None
        shelf = shelves[str(row.pk)] = Shelf(str(row.pk), row.slug, number, newest[row.pk])
        library = found.setdefault(row.workspace_id, Library())
        kept = library.partials if row.kind == Prompt.Kind.PARTIAL else library.prompts
        kept[row.slug] = kept[str(row.pk)] = shelf
    for prompt, name, number in PromptLabel.objects.values_list("prompt", "name", "version__number"):
        if str(prompt) in shelves:
            shelves[str(prompt)].labels[name] = number
    for version in _in_use():
        if str(version.prompt_id) in shelves:
            shelves[str(version.prompt_id)].versions[version.number] = _served(version)
    return found


@lru_cache(maxsize=1000)
def fetch(prompt: str, number: int) -> Served:
    """A version that is not in memory. It never changes, so it is asked for once."""
    return _served(PromptVersion.objects.select_related("prompt").get(prompt__pk=uuid.UUID(prompt), number=number))


def _in_use() -> QuerySet[PromptVersion]:
    """The published, the labelled and the newest versions."""
    newest = PromptVersion.objects.filter(prompt=OuterRef("prompt")).newest_first().values("pk")[:1]
    wanted = Q(pk=Subquery(newest)) | Q(pk=F("prompt__published")) | Q(pk__in=PromptLabel.objects.values("version"))
    return PromptVersion.objects.select_related("prompt").filter(wanted)


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
