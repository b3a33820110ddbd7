"""Which models and which virtual keys an API key may call, where it may not call all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Allowance:
    """`models` are names in which `*` stands for anything, bare or as `@slug/name`; empty is all, of either."""

    models: tuple[str, ...] = ()
    virtual_keys: frozenset[str] = frozenset()

    @classmethod
    def of(cls, models: Collection[str], virtual_keys: Collection[str]) -> Allowance | None:
        """None when nothing is forbidden."""
        return cls(tuple(models), frozenset(virtual_keys)) if models or virtual_keys else None

    def check(self, slug: str, models: Iterable[str]) -> None:
        """Of a call through this virtual key (empty: with the provider's own key), with every model that it names.

        Raises:
            Forbidden: what may be called instead.
        """
        if self.virtual_keys and slug not in self.virtual_keys:
            raise Forbidden(
                f"This gateway key may call {', '.join(f'@{one}' for one in sorted(self.virtual_keys))} only"
                f"{f', not @{slug}' if slug else ', with no other key of a provider'}.",
                code="virtual_key_not_allowed",
            )
        refused = next((model for model in models if not self.has_model(slug, model)), None)
        if refused is not None:
            raise Forbidden(
                f"This gateway key may call the models {', '.join(self.models)} only, "
                f"{f'not {refused}' if refused else 'and this call does not name one'}.",
                code="model_not_allowed",
                param="model",
            )

    def has_model(self, slug: str, model: str) -> bool:
        return not self.models or any(
            fnmatchcase(f"@{slug}/{model}" if pattern.startswith("@") else model, pattern) for pattern in self.models
        )

    def shows(self, slug: str, model: str) -> bool:
        return (not self.virtual_keys or slug in self.virtual_keys) and self.has_model(slug, model)
