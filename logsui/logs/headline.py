"""One line of truth over the list: what all that is found adds up to, and the same by the values of a facet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gateway.index.facets import BY_NAME, METADATA
from gateway.index.groups import MOST_GROUPS, Group, grouped
from gateway.index.search import Search
from gateway.index.search_language import Choice
from gateway.models import Workspace
from logsui.access import member
from logsui.logs.chart import Chart
from logsui.logs.list_query import ListQuery

BY = {
    "model": "Model",
    "vkey": "Virtual key",
    "key": "API key",
    "template": "Prompt",
    "version": "Prompt version",
    "metadata._user": "User",
    "endpoint": "Endpoint",
    "provider": "Provider",
    "error": "Error",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """`cost` is in US dollars, latencies in milliseconds; None where nothing was measured."""

    requests: int
    errors: int
    tokens: int
    cost: float
    p50: int | None
    p95: int | None

    @property
    def error_share(self) -> float:
        """In percent."""
        return 100 * self.errors / self.requests if self.requests else 0


def read(search: Search, chart: Chart | None) -> Headline:
    """Errors and cost are those of the chart's bars, which are added up already."""
    bars = [one.bar for one in chart.bars] if chart else []
    p50, p95 = search.figures("latency")
    return Headline(
        search.count(), sum(bar.errors for bar in bars), search.total("tokens"), sum(bar.cost for bar in bars), p50, p95
    )


@require_GET
@member(only_looks=True)
def by_facet(request: HttpRequest, workspace: Workspace, facet: str) -> HttpResponse:
    """What was found, added up by model, key, prompt, user, or any name of metadata."""
    if facet not in BY and not facet.startswith(METADATA) and (facet not in BY_NAME or BY_NAME[facet].is_number):
        raise Http404(f"The list cannot be added up by {facet}.")
    query = ListQuery.read(request.GET.dict())
    found = [] if query.problem else grouped(Search(workspace, query.search, query.window), facet)
    context = _context(workspace, query, facet, found)
    return render(request, "logsui/logs/by_facet.html", context, status=400 if query.problem else 200)


def _context(workspace: Workspace, query: ListQuery, facet: str, found: Sequence[Group]) -> dict[str, Any]:
    most = max((one.cost for one in found), default=0)
    return {
        "workspace": workspace,
        "query": query,
        "logs_path": reverse("logs", args=[workspace.slug]),
        "title": BY.get(facet, facet.removeprefix(METADATA)),
        "ways": [(name, title, name == facet) for name, title in BY.items()],
        "found": [
            (one, query.address_with(Choice(facet, (one.value,))), one.cost / most if most else 0) for one in found
        ],
        "is_cut": len(found) == MOST_GROUPS,
    }
