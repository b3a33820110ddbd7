"""The rules of workspaces, what is kept, and which logs and pictures no rule may touch."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from gateway.models import Feedback, Image, KeptLog, LogImage, Part, RequestLog, RetentionRule, Workspace
from prompts.models import PromptPicture

LONGEST_DAYS = 36_500
RULED = (Part.PICTURES, Part.BODIES, Part.FIGURES)


def rule_of(workspace: Workspace) -> RetentionRule:
    return RetentionRule.objects.get_or_create(workspace=workspace)[0]


@transaction.atomic
def change(*, workspace: Workspace, days: Mapping[Part, int | None]) -> RetentionRule:
    """Keep each part for so many days, None for ever. Raises ValidationError."""
    rule = changed(rule_of(workspace), days)
    rule.save()
    return rule


def changed(rule: RetentionRule, days: Mapping[Part, int | None]) -> RetentionRule:
    """The rule with these days, not saved. Raises ValidationError."""
    for part, number in days.items():
        if number is not None and not 1 <= number <= LONGEST_DAYS:
            raise ValidationError(f"The {part.label} are kept for 1 to {LONGEST_DAYS:,} days, or for ever.")
        setattr(rule, f"{part}_days", number)
    if _is_longer(rule.bodies_days, rule.figures_days):
        raise ValidationError("Requests and answers cannot stay longer than the figures of their log.")
    if _is_longer(rule.pictures_days, rule.figures_days):
        raise ValidationError("Pictures cannot stay longer than the figures of their log.")
    return rule


def said(rule: RetentionRule) -> str:
    """The rule in words."""
    return ", ".join(f"{part.label} {_life(rule.days(part))}" for part in RULED)


def _life(days: int | None) -> str:
    return "for ever" if days is None else f"{days:,} day{'' if days == 1 else 's'}"


def _is_longer(days: int | None, than: int | None) -> bool:
    return than is not None and (days is None or days > than)


@transaction.atomic
def keep(*, log: RequestLog, user_id: int | None) -> None:
    KeptLog.objects.get_or_create(log=log, defaults={"user_id": user_id})


@transaction.atomic
def let_go(*, log: RequestLog) -> None:
    """The rules look at it again, if they have been past it."""
    KeptLog.objects.filter(log=log).delete()
    for part in ("pictures_upto", "bodies_upto"):
        rules = RetentionRule.objects.filter(workspace_id=log.workspace_id, **{f"{part}__gte": log.pk})
        rules.update(**{part: uuid.UUID(int=log.pk.int - 1)})


def unkept(logs: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
    """Without those that stay: what somebody keeps, what has feedback, or is still under way."""
    kept, rated = KeptLog.objects.filter(log=OuterRef("pk")), Feedback.objects.filter(log=OuterRef("pk"))
    return logs.exclude(state=RequestLog.State.IN_FLIGHT).exclude(Exists(kept)).exclude(Exists(rated))


def unneeded(sha256s: Collection[str], seen_to: Iterable[tuple[int, uuid.UUID]]) -> list[str]:
    """Which of these pictures nothing needs any more: no prompt or set, no log that stays, and none that is younger than what
    was seen to in its workspace. `seen_to` are pairs of a workspace's id and the last log that was seen to in it.
    """
    shown = LogImage.objects.filter(image=OuterRef("pk")).order_by()
    past = Q()
    for workspace, upto in seen_to:
        past |= Q(workspace=workspace, log__lte=upto)
    young = shown.exclude(past) if past else shown
    staying = shown.filter(Q(log__kept__isnull=False) | Q(log__feedback__isnull=False) | Q(log__state="in_flight"))
    found = Image.objects.filter(pk__in=sha256s).with_bytes()
    found = found.exclude(Exists(young)).exclude(Exists(PromptPicture.objects.filter(sha256=OuterRef("pk"))))
    return list(found.exclude(Exists(staying)).values_list("pk", flat=True))
