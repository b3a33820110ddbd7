"""Two requests side by side: what differs in their parameters, words and pictures."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gateway.models import LogImage, RequestLog, Workspace
from logsui.access import member
from logsui.request.conversation import Conversation, ShownTurn, read_conversation
from logsui.request.detail import find_log
from prompts.diff import Stretch, words_between


@dataclass(frozen=True, slots=True)
class Side:
    log: RequestLog
    talk: Conversation

    @property
    def pictures(self) -> list[LogImage]:
        return list(self.log.images.all())


@dataclass(frozen=True, slots=True)
class Text:
    title: str
    words: list[Stretch]

    @property
    def same(self) -> bool:
        return all(one.kind == "both" for one in self.words)


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    left: str | None
    right: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """The pictures at the same place of two requests."""

    sides: tuple[LogImage | None, LogImage | None]

    @property
    def same(self) -> bool:
        left, right = self.sides
        return bool(left and right and left.image_id and left.image_id == right.image_id)

    @property
    def can_overlay(self) -> bool:
        return not self.same and all(one and one.image and one.image.drawn for one in self.sides)


@require_GET
@member()
def compare_page(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    left, right = (_side(workspace, request.GET.get(name, "")) for name in ("a", "b"))
    context: dict[str, object] = {"workspace": workspace}
    context["back"] = (
        reverse("log", args=[workspace.slug, right.log.pk]) if right else reverse("logs", args=[workspace.slug])
    )
    context["missing"] = next(
        (request.GET[n] for n, side in (("a", left), ("b", right)) if request.GET.get(n) and not side), ""
    )
    if left and right:
        context |= {
            "sides": (left, right),
            "parameters": list(_parameters(left, right)),
            "texts": [
                Text("Input", words_between(_words(left.talk.input), _words(right.talk.input))),
                Text("Output", words_between(_answer(left), _answer(right))),
            ],
            "pictures": [Pair(pair) for pair in zip_longest(left.pictures, right.pictures)],
        }
    return render(request, "logsui/request/compare.html", context)


def _side(workspace: Workspace, text: str) -> Side | None:
    try:
        log = find_log(workspace, uuid.UUID(text))
    except (ValueError, Http404):
        return None
    return Side(log, read_conversation(log, getattr(log, "payload", None)))


def _parameters(left: Side, right: Side) -> Iterator[Parameter]:
    """Only those that differ."""
    old, new = dict(left.talk.settings), dict(right.talk.settings)
    old |= {"model": left.log.model, "provider": left.log.provider, "endpoint": left.log.endpoint}
    new |= {"model": right.log.model, "provider": right.log.provider, "endpoint": right.log.endpoint}
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Parameter(name, old.get(name), new.get(name))


def _words(turns: Sequence[ShownTurn]) -> str:
    return "\n\n".join(part.text for turn in turns for part in turn.parts if part.kind != "image" and part.text)


def _answer(side: Side) -> str:
    return _words(side.talk.output) or side.talk.error or side.log.failure_message
