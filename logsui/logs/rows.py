"""Rows of the list. A row is rendered once for what stands in it: its HTML is kept under that, so it is never out of date."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.template.loader import get_template
from django.utils.safestring import SafeString

from gateway.bounded_cache import BoundedCache
from gateway.models import LogImage, RequestLog, Workspace
from gateway.models.many_rows import as_stored
from logsui.logs.columns import Column

ROW_IMAGES = 4
KEPT_BYTES = 16 * 1024 * 1024
# All that a row may show: what else a cell asks for is fetched for each row by itself, and not seen to change.
LOG_FIELDS = (
    *("id", "state", "status", "failure_message", "started_at", "endpoint", "method", "path", "stream", "bodies_kept"),
    *("provider", "model", "virtual_key__slug", "api_key__name", "sdk", "metadata", "warnings"),
    *("prompt_preview", "answer_preview", "input_images", "output_images"),
    *("total_tokens", "cost", "total_ms", "first_byte_ms", "request_bytes", "response_bytes"),
)
IMAGE_FIELDS = (
    *("log_id", "direction", "index", "source", "snapshot", "snapshot_reason", "image_id"),
    *(f"image__{name}" for name in ("media_type", "width", "height", "orientation", "blank", "truncated")),
    *("image__thumbnail", "image__thumbnail_problem"),
)


@dataclass(frozen=True)
class Look:
    """How rows are drawn: as lines with these columns or as tiles, and below which address each log has its page."""

    rows: str
    columns: tuple[Column, ...]
    logs_path: str

    @cached_property
    def key(self) -> str:
        return " ".join((self.rows, self.logs_path, *(column.name for column in self.columns)))

    @property
    def template(self) -> str:
        return "logsui/logs/_tile.html" if self.rows == "sheet" else "logsui/logs/_row.html"


@dataclass(frozen=True, slots=True)
class Row:
    id: uuid.UUID
    html: SafeString


kept: BoundedCache[tuple[str, str], SafeString] = BoundedCache(KEPT_BYTES)


def read(workspace: Workspace, ids: Sequence[uuid.UUID], look: Look) -> list[Row]:
    """Newest first. Those that are gone are left out."""
    found = versions(workspace, ids)
    html = {id: kept.get((look.key, version)) for id, version in found.items()}
    for log in _logs(workspace, [id for id, known in html.items() if known is None]):
        html[log.pk] = made = _rendered(log, look, found[log.pk])
        kept.put((look.key, found[log.pk]), made, len(made))
    return [Row(id, text) for id, text in html.items() if text is not None]


def versions(workspace: Workspace, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    """What stands in each row, as a hash of 16 hex digits; newest first."""
    images: dict[Any, list[Sequence[Any]]] = {}
    for image in as_stored(_images().filter(log__in=ids).order_by("log", "direction", "index"), IMAGE_FIELDS):
        images.setdefault(image[0], []).append(image)
    logs = as_stored(RequestLog.objects.of(workspace).filter(pk__in=ids).newest_first(), LOG_FIELDS)
    return {_uuid(log[0]): _hash(repr((log, images.get(log[0])))) for log in logs}


def is_settled(log: RequestLog) -> bool:
    """Whether the row will not change by itself any more."""
    pictures = ((one.snapshot, one.image and one.image.thumbnail) for one in log.images.all())
    return log.state != RequestLog.State.IN_FLIGHT and all("pending" not in one for one in pictures)


def _images() -> QuerySet[LogImage]:
    return LogImage.objects.filter(index__lt=ROW_IMAGES).select_related("image")


def _logs(workspace: Workspace, ids: Sequence[uuid.UUID]) -> list[RequestLog]:
    if not ids:
        return []
    images = Prefetch("images", _images().only(*IMAGE_FIELDS).order_by("direction", "index"))
    found = RequestLog.objects.of(workspace).filter(pk__in=ids).select_related("virtual_key", "api_key")
    return list(found.only(*LOG_FIELDS).prefetch_related(images))


def _uuid(stored: uuid.UUID | str) -> uuid.UUID:
    """PostgreSQL has a type for it, SQLite keeps its digits."""
    return stored if isinstance(stored, uuid.UUID) else uuid.UUID(stored)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _rendered(log: RequestLog, look: Look, version: str) -> SafeString:
    context = {
        "log": log,
        "version": version,
        "is_settled": is_settled(log),
        "columns": look.columns,
        "row_images": ROW_IMAGES,
        "here": f"{look.logs_path}/{log.pk}",
    }
    return SafeString(get_template(look.template).render(context))
