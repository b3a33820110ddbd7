"""The prices that a workspace set for models: kept, used for what is recorded from then on, and for past logs when asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.core.exceptions import ValidationError
from django.db import transaction

from gateway.content.openai_fields import Usage
from gateway.index import blocks
from gateway.models import ModelPrice, RequestLog, Workspace
from gateway.models.prices import RATES
from gateway.providers import by_name
from gateway.recording import pricing
from gateway.recording.pricing import OwnPrice

KNOWN_SECONDS = 1.0
DEAREST = Decimal(1_000_000)
STEP = 500
_known: dict[int, tuple[float, list[OwnPrice]]] = {}


def of(workspace: int) -> list[OwnPrice]:
    """The narrowest first. What was read is used for a second: ingest asks for every log."""
    read_at, found = _known.get(workspace, (0.0, []))
    if not read_at or time.monotonic() - read_at > KNOWN_SECONDS:
        rows = ModelPrice.objects.filter(workspace=workspace).narrowest_first()
        found = [OwnPrice(row.pattern, row.provider, row.decimals) for row in rows]
        _known[workspace] = time.monotonic(), found
    return found


def set_price(*, workspace: Workspace, pattern: str, provider: str, rates: Mapping[str, str]) -> ModelPrice:
    """Raises ValidationError that names the rate and what it must be."""
    pattern = pattern.strip()
    if not pattern or len(pattern) > 200:
        raise ValidationError("Name the model, as it stands in the log; * stands for any characters.")
    if provider and by_name(provider) is None:
        raise ValidationError(f"There is no provider {provider!r}.")
    given = {name: _rate(name, text) for name, text in rates.items() if text.strip()}
    if not {"input", "output"} & set(given):
        raise ValidationError("A price needs at least a rate for input or for output.")
    row, _ = ModelPrice.objects.update_or_create(
        workspace=workspace, pattern=pattern, provider=provider, defaults={"rates": given}
    )
    _known.pop(workspace.pk, None)
    return row


def remove_price(*, price: ModelPrice) -> None:
    price.delete()
    _known.pop(price.workspace_id, None)


def _rate(name: str, text: str) -> str:
    if name not in RATES:
        raise ValidationError(f"There is no rate {name!r}; there are {', '.join(RATES)}.")
    try:
        rate = Decimal(text.strip().lstrip("$"))
    except InvalidOperation:
        rate = Decimal(-1)
    if not rate.is_finite() or not 0 <= rate < DEAREST:
        raise ValidationError(f"{name} must be US dollars per million tokens, such as 2.50, not {text[:40]!r}.")
    return str(rate)


def reprice(*, workspace: Workspace, since: datetime | None = None, until: datetime | None = None) -> int:
    """Work out the cost of past logs again, by the prices of now; answers how many changed. In steps, each whole."""
    logs = RequestLog.objects.filter(workspace=workspace).exclude(state=RequestLog.State.IN_FLIGHT)
    logs = logs.filter(started_at__gte=since) if since else logs
    logs = logs.filter(started_at__lt=until) if until else logs
    changed, last = 0, None
    while step := list((logs.filter(pk__gt=last) if last else logs).order_by("pk")[:STEP]):
        changed += _reprice(step)
        last = step[-1].pk
    return changed


def _reprice(logs: Iterable[RequestLog]) -> int:
    changed = [log for log in logs if note_cost(log, usage_of(log))]
    with transaction.atomic():
        RequestLog.objects.bulk_update(changed, ["cost", "cost_source", "priced_as"])
        blocks.queue((log.pk, log.workspace_id) for log in changed)
    return len(changed)


def usage_of(log: RequestLog) -> Usage:
    """What the row knows of the tokens."""
    stated = None if log.provider_cost is None else float(log.provider_cost)
    return Usage(log.prompt_tokens, log.completion_tokens, **log.token_kinds, cost=stated, tier=log.service_tier)


def note_cost(log: RequestLog, usage: Usage) -> bool:
    """By the prices of now for the time of the call. Whether that changed anything."""
    before = log.cost, log.cost_source, log.priced_as
    found = pricing.price(
        usage,
        provider=by_name(log.provider),
        models=(log.answer_model, log.model),
        at=log.started_at,
        own=of(log.workspace_id),
    )
    log.cost, log.cost_source, log.priced_as = found.amount, found.source, found.model
    return before != (log.cost, log.cost_source, log.priced_as)
