"""The page Storage: what takes the space, the rules of what goes when, and what was removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from gateway.keys import audit
from gateway.keys.audit import Actor
from gateway.models import Deletion, Membership, Part, Removal, RetentionRule, Workspace
from gateway.retention import rules, usage
from gateway.retention.usage import Pace, Usage
from logsui.access import is_owner, member

OWNER = Membership.Role.OWNER
DAYS = 14
MOST_LISTED = 8
MOST_REMOVALS = 30
GROUPS = {"model": "Model", "key": "API key"}


@require_GET
@member()
def storage_page(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """With days in its address, what would go if they were the rule."""
    if not request.GET:
        return _page(request, workspace, rules.rule_of(workspace))
    try:
        rule = rules.changed(rules.rule_of(workspace), _days(request.GET.dict()))
    except ValidationError as error:
        return _page(request, workspace, rules.rule_of(workspace), errors=error.messages, status=400)
    return _page(request, workspace, rule, is_tried=True)


@require_POST
@member(OWNER)
def set_rule(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    try:
        rule = rules.change(workspace=workspace, days=_days(request.POST.dict()))
    except ValidationError as error:
        return _page(request, workspace, rules.rule_of(workspace), errors=error.messages, status=400)
    said = rules.said(rule)
    audit.note(workspace=workspace, actor=Actor.person(request.user), action="rule changed", what=said)
    messages.success(request, f"From now on: {said}.")
    return redirect("storage", slug=workspace.slug)


def _days(given: dict[str, str]) -> dict[Part, int | None]:
    """Empty is for ever. Raises ValidationError."""
    texts = {part: given.get(f"{part}_days", "").strip() for part in rules.RULED}
    wrong = [text for text in texts.values() if text and not (text.isascii() and text.isdigit() and len(text) < 8)]
    if wrong:
        raise ValidationError(f"{wrong[0][:20]!r} is no number of days. Leave it empty to keep this for ever.")
    return {part: int(text) if text else None for part, text in texts.items()}


def _shares(sizes: Sequence[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Each with its size in hundredths of the largest."""
    largest = max((size for _, size in sizes), default=0) or 1
    return [(name, size, 100 * size // largest) for name, size in sizes]


def _page(
    request: HttpRequest,
    workspace: Workspace,
    rule: RetentionRule,
    *,
    is_tried: bool = False,
    errors: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    now, since = Usage.now(), timezone.now() - timedelta(days=DAYS)
    pace = Pace(workspace, rule)
    would_go = usage.would_go(rule)
    context = {
        "workspace": workspace,
        "usage": now,
        "pace": pace,
        "days_until": pace.days_until(now),
        "rules": [(part, rule.days(part), would_go[part]) for part in rules.RULED],
        "most_counted": usage.MOST_COUNTED,
        "is_tried": is_tried,
        "days": DAYS,
        "groups": [
            ("Day (UTC)", _shares([(f"{day:%Y-%m-%d}", size) for day, size in usage.by_day(workspace, DAYS)])),
            *((title, _shares(usage.by_facet(workspace, name, since)[:MOST_LISTED])) for name, title in GROUPS.items()),
        ],
        "removals": Removal.objects.of(workspace).newest_first()[:MOST_REMOVALS],
        "running": Deletion.objects.of(workspace).waiting(),
        "errors": errors or [],
        "is_owner": is_owner(request),
    }
    return render(request, "logsui/account/storage.html", context, status=status)
