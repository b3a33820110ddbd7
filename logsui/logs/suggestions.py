"""What may follow in the search box: names of filters, then values with how many requests have each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gateway.index.facets import BY_NAME, METADATA
from gateway.index.search import Search
from gateway.index.search_language import EXACT, IDS, TEXT_FIELDS, Choice, SearchQuery
from gateway.models import Workspace
from logsui.access import member
from logsui.logs.list_query import ListQuery

MOST = 12
EXAMPLES = {"money": ">0.01", "ms": ">2s", "bytes": ">1MB", "count": ">1", "megapixels": ">4"}
HINTS = {
    "prompt": "words in the question",
    "answer": "words in the answer",
    "trace": "all requests of a trace",
    "id": "an id of ours or the provider's, or its beginning",
    "span": "a span of a trace",
    "session": "a session or conversation",
    "since": "from a time on, such as 2h or 2026-11-28",
    "until": "before a time",
    "picture": "the same picture, by its sha256",
    "like": "pictures that look like it",
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`text` takes the place of the word that is being typed."""

    text: str
    hint: str


@require_GET
@member(only_looks=True)
def suggestions(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """For the word `word` of the search, the rest of which is `q`."""
    query = ListQuery.read(request.GET.dict())
    word = request.GET.get("word", "")[:200]
    found = list(_values(workspace, query, word)) if ":" in word else list(_names(workspace, query, word))
    return render(request, "logsui/logs/suggestions.html", {"suggestions": found[:MOST]})


def _names(workspace: Workspace, query: ListQuery, word: str) -> Iterator[Suggestion]:
    minus, start = ("-", word[1:].lower()) if word.startswith("-") else ("", word.lower())
    for name, hint in (*((facet.name, facet.title) for facet in BY_NAME.values()), *HINTS.items()):
        if name.startswith(start) or (len(start) > 2 and start in hint.lower()):
            yield Suggestion(f"{minus}{name}:", hint)
    if METADATA.startswith(start) or start.startswith(METADATA):
        facets = Search(workspace, query.search, query.window).facets()
        for name in sorted(name for name in facets if name.startswith(METADATA) and name.startswith(start)):
            yield Suggestion(f"{minus}{name}:", "metadata")


def _values(workspace: Workspace, query: ListQuery, word: str) -> Iterator[Suggestion]:
    minus = "-" if word.startswith("-") else ""
    name, _, start = word.removeprefix("-").partition(":")
    if name in EXACT or name in TEXT_FIELDS or name in IDS:
        return
    facet = BY_NAME.get(name)
    if facet is not None and facet.is_number:
        yield Suggestion(f"{minus}{name}:{EXAMPLES[facet.unit]}", f"{facet.title} above")
        return
    *before, last = start.split(",")
    counted = Search(workspace, query.search, query.window).facets().get(name)
    for value, count in counted.values if counted else ():
        if last.strip('"').lower() in value.lower() and value not in before:
            written = str(SearchQuery(conditions=(Choice(name, (*before, value), bool(minus)),)))
            yield Suggestion(written, f"{count:,}")
