"""A path that names its model, as Google's and Amazon's own do."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from gateway import dialects


@dataclass(frozen=True, slots=True)
class ModelPath:
    """A path that names its model, as Google's and Amazon's own do."""

    head: str
    model: str
    tail: str
    method: str

    @classmethod
    def of(cls, endpoint: str) -> ModelPath | None:
        match = dialects.MODEL_PATH.fullmatch(endpoint)
        if match is None or dialects.for_endpoint(endpoint) is None:
            return None
        return cls(match["head"], unquote(match["model"]), match["tail"], match["method"])

    def renamed(self, model: str) -> str:
        return self.head + quote(model, safe="@.-_~") + self.tail
