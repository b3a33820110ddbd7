"""What a workspace itself says that a model costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models.functions import Length

from gateway.models.keys import Workspace

RATES = ("input", "output", "cached", "cache_write", "image_in", "image_out")


class ModelPriceQuerySet(models.QuerySet["ModelPrice"]):
    def of(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def narrowest_first(self) -> Self:
        """A name that is spelled out counts before one with a star, one for a provider before one for all."""
        return self.annotate(
            is_open=models.Case(models.When(pattern__contains="*", then=1), default=0),
            length=Length("pattern"),
        ).order_by("is_open", "-length", "-provider", "pk")


class ModelPrice(models.Model):
    """Rates in US dollars per million tokens, for every model whose name fits `pattern`; an empty `provider` is any."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="model_prices")
    pattern = models.CharField(max_length=200)
    provider = models.CharField(max_length=40, blank=True)
    rates = models.JSONField(default=dict)
    changed_at = models.DateTimeField(auto_now=True)

    objects = ModelPriceQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "pattern", "provider"], name="one_price_a_model")]

    def __str__(self) -> str:
        return f"{self.pattern} at {self.provider or 'any provider'}"

    @property
    def decimals(self) -> dict[str, Decimal]:
        return {name: Decimal(text) for name, text in self.rates.items()}
