"""Pictures that were sent more than once, with what sending them again cost; and one picture with all its answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial

from django.db.models import Count, QuerySet, Sum
from django.db.models.aggregates import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gateway import ids
from gateway.content.openai_fields import Usage
from gateway.models import LogImage, RequestLog, Workspace
from gateway.providers import by_name
from gateway.recording import own_prices, pricing
from gateway.recording.pricing import OwnPrice
from logsui.access import member

SPANS = {"24h": ("Last 24 hours", 1), "7d": ("Last 7 days", 7), "30d": ("Last 30 days", 30)}
FIRST_SPAN = "7d"
MOST_SHOWN, MOST_ANSWERS = 100, 100


@dataclass(frozen=True, slots=True)
class Repeated:
    """A picture that was sent `times` times. `tokens` and `cost`, in US dollars, are those of all times but one; None where the
    model's rule or price is not known. `last` is where it stood last.
    """

    last: LogImage
    times: int
    tokens: int | None
    cost: Decimal | None

    @property
    def bytes(self) -> int:
        """That went over the wire again."""
        return (self.times - 1) * (self.last.image.size if self.last.image else 0)


@require_GET
@member(only_looks=True)
def picture_list(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """What was sent again and again, what costs most first."""
    span = asked if (asked := request.GET.get("w", "")) in SPANS else FIRST_SPAN
    since = datetime.now(UTC) - timedelta(SPANS[span][1])
    sent = _sent(workspace).filter(log_id__gte=ids.first_of(since))
    found = read_repeated(sent, own_prices.of(workspace.pk))
    context = {
        "workspace": workspace,
        "spans": [(name, words, name == span) for name, (words, _) in SPANS.items()],
        "counts": sent.aggregate(times=Count("pk"), pictures=Count("image", distinct=True)),
        "found": found,
        "cost": sum((one.cost for one in found if one.cost), Decimal(0)),
        "tokens": sum(one.tokens or 0 for one in found),
        "is_cut": len(found) == MOST_SHOWN,
    }
    return render(request, "logsui/pictures/picture_list.html", context)


@require_GET
@member(only_looks=True)
def picture_answers(request: HttpRequest, workspace: Workspace, sha256: str) -> HttpResponse:
    """One picture: every request that sent it, newest first, and how their answers differ."""
    sent = _sent(workspace).filter(image=sha256)
    last = sent.select_related("image").order_by("-log_id").first()
    if last is None:
        raise Http404("No request of this workspace sent this picture.")
    logs = RequestLog.objects.of(workspace).filter(pk__in=sent.values("log"))
    answered = logs.exclude(answer_preview="")
    context = {
        "workspace": workspace,
        "last": last,
        "logs": logs.newest_first()[:MOST_ANSWERS],
        "counts": logs.aggregate(requests=Count("pk"), cost=Sum("cost")),
        "different": answered.aggregate(answers=Count("answer_preview", distinct=True))["answers"],
        "most": MOST_ANSWERS,
    }
    return render(request, "logsui/pictures/picture_answers.html", context)


def read_repeated(sent: QuerySet[LogImage], own: Sequence[OwnPrice]) -> list[Repeated]:
    """`own` are the workspace's own prices."""
    often = sent.values("image").annotate(times=Count("pk"), tokens=Sum("tokens"), last=Max("pk"))
    rows = list(often.filter(times__gt=1).order_by("-tokens", "-times")[:MOST_SHOWN])
    last = LogImage.objects.select_related("image").in_bulk([row["last"] for row in rows])
    costs = _costs(sent.filter(image__in=[row["image"] for row in rows]), own)
    found = [_repeated(row["times"], row["tokens"], last[row["last"]], costs.get(row["image"])) for row in rows]
    return sorted(found, key=lambda one: (-(one.cost or 0), -(one.tokens or 0), -one.bytes))


def _repeated(times: int, tokens: int | None, last: LogImage, cost: Decimal | None) -> Repeated:
    again = Decimal(times - 1) / times
    return Repeated(
        last, times, None if tokens is None else int(tokens * again), None if cost is None else cost * again
    )


def _sent(workspace: Workspace) -> QuerySet[LogImage]:
    sent = LogImage.objects.filter(workspace=workspace, direction=LogImage.Direction.INPUT)
    return sent.exclude(image=None).order_by()


def _costs(sent: QuerySet[LogImage], own: Sequence[OwnPrice]) -> dict[str, Decimal]:
    """What each picture cost in all, at the prices of today for a token of one."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    by_model = sent.values_list("image", "log__provider", "log__model").annotate(tokens=Sum("tokens"))
    price = cache(partial(_image_token, own=own))
    for image, provider, model, tokens in by_model:
        each = price(provider, model)
        if each is not None and tokens:
            found[image] += each * tokens
    return dict(found)


def _image_token(provider: str, model: str, own: Sequence[OwnPrice]) -> Decimal | None:
    """In US dollars; None where the price is not known."""
    usage = Usage(prompt=1, completion=0)
    bill = pricing.bill(usage, provider=by_name(provider), model=model, at=datetime.now(UTC), own=own)
    return bill.image_token if bill else None
