"""The page of a workspace's own prices, and past costs worked out again by them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from gateway.models import Membership, ModelPrice, RequestLog, Workspace
from gateway.models.prices import RATES
from gateway.providers import PROVIDERS
from gateway.recording import own_prices
from logsui.access import may_edit, member

EDITOR = Membership.Role.EDITOR
UNPRICED_OF = 20_000  # the newest logs are looked through for models without a price
TITLES = {
    "input": "Input",
    "output": "Output",
    "cached": "From cache",
    "cache_write": "Written to cache",
    "image_in": "Pictures sent",
    "image_out": "Pictures drawn",
}


@require_GET
@member()
def price_page(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    return _page(request, workspace)


@require_POST
@member(EDITOR)
def set_price(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    rates = {name: request.POST.get(name, "") for name in RATES}
    pattern, provider = request.POST.get("pattern", ""), request.POST.get("provider", "")
    try:
        row = own_prices.set_price(workspace=workspace, pattern=pattern, provider=provider, rates=rates)
    except ValidationError as error:
        return _page(request, workspace, errors=error.messages, given=request.POST.dict(), status=400)
    messages.success(request, f"{row} is priced so for what is recorded from now on.")
    return redirect("prices", slug=workspace.slug)


@require_POST
@member(EDITOR)
def remove_price(request: HttpRequest, workspace: Workspace, price_id: int) -> HttpResponse:
    row = get_object_or_404(ModelPrice.objects.of(workspace), pk=price_id)
    own_prices.remove_price(price=row)
    messages.success(request, f"The price of {row} is gone; the price list counts again.")
    return redirect("prices", slug=workspace.slug)


@require_POST
@member(EDITOR)
def apply_prices(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """Work out the costs of a span of days again."""
    try:
        since, until = (_day(request.POST.get(name, "")) for name in ("since", "until"))
    except ValueError:
        return _page(request, workspace, errors=["A day is written as 2026-11-28."], status=400)
    changed = own_prices.reprice(workspace=workspace, since=since, until=until)
    messages.success(request, f"{changed:,} logs cost something else now.")
    return redirect("prices", slug=workspace.slug)


def _day(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _page(
    request: HttpRequest,
    workspace: Workspace,
    *,
    errors: list[str] | None = None,
    given: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    rows = ModelPrice.objects.of(workspace).narrowest_first()
    context = {
        "workspace": workspace,
        "prices": [(row, [row.rates.get(name, "") for name in RATES]) for row in rows],
        "rates": [(name, TITLES[name], (given or {}).get(name, "")) for name in RATES],
        "providers": [provider for provider in PROVIDERS if not provider.built_in],
        "unpriced": _unpriced(workspace),
        "errors": errors or [],
        "given": given or {},
        "can_edit": may_edit(request),
    }
    return render(request, "logsui/account/prices.html", context, status=status)


def _unpriced(workspace: Workspace) -> list[str]:
    """The models of late that no price is known for."""
    newest = RequestLog.objects.of(workspace).newest_first().values_list("model", "cost", "prompt_tokens")[:UNPRICED_OF]
    return sorted({model for model, cost, tokens in newest if model and cost is None and tokens is not None})
