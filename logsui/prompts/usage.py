"""What the logs know of prompts: how often each was called, what that cost, and when it was last."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from gateway.index.chart import Bar
from gateway.index.search import Search, Window
from gateway.index.search_language import parse
from gateway.models import Workspace
from logsui.access import reader
from prompts.models import Prompt

MOST_VERSIONS, MOST_PROMPTS = 10, 200


@dataclass(frozen=True, slots=True)
class Use:
    """A prompt or a version in the logs: its count, errors, cost and latencies as one bar of the chart."""

    name: str
    bar: Bar
    last: datetime


@require_GET
@reader
def prompts_used(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """For the list of prompts, a line for each."""
    prompts = Prompt.objects.of(workspace).filter(kind=Prompt.Kind.PROMPT).order_by("folder", "name")[:MOST_PROMPTS]
    found = [(prompt, _use(workspace, "template", prompt.slug)) for prompt in prompts]
    return render(request, "logsui/prompts/prompts_used.html", {"workspace": workspace, "found": found})


@require_GET
@reader
def uses(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    """For the page of versions, a table of the newest."""
    prompt = get_object_or_404(Prompt.objects.of(workspace), pk=id)
    numbers = prompt.versions.newest_first().values_list("number", flat=True)[:MOST_VERSIONS]
    found = [_use(workspace, "version", f"{prompt.slug}@{number}") for number in numbers]
    context = {"workspace": workspace, "uses": [one for one in found if one is not None]}
    return render(request, "logsui/prompts/prompt_uses.html", context)


def _use(workspace: Workspace, facet: str, name: str) -> Use | None:
    search = Search(workspace, parse(f'{facet}:"{name}"'), Window())
    extent = search.extent()
    if extent is None:
        return None
    first, last = extent
    [whole] = search.chart(first, last + timedelta(seconds=1), 1, timed=True)
    return Use(name, whole, last)
