"""A workspace of its own on each database, and logs of any age in it, written as ingest writes them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from gateway import ids
from gateway.bounded_cache import BoundedCache
from gateway.index import blocks
from gateway.index.search import Search, Window
from gateway.index.search_language import parse
from gateway.keys.people import create_workspace
from gateway.models import RequestLog, Workspace
from gateway.pictures import blobs
from gateway.recording import recorder
from gateway.recording.flow import Flow
from tests.pictures import data_url


@dataclass
class Logs:
    """Writes logs into one workspace, and looks what is left of them."""

    workspace: Workspace

    def write(
        self, said: str = "hello", *pictures: bytes, days: float = 0, answer: str = "yes", **meta: Any
    ) -> RequestLog:
        parts = [{"type": "text", "text": said}]
        parts += [{"type": "image_url", "image_url": {"url": data_url(one)}} for one in pictures]
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}).encode()
        known = {
            "workspace": self.workspace.pk, "api_key": None, "virtual_key": None, "provider": "openai", "model": "m",
            "method": "POST", "endpoint": "/chat/completions", "path": "/v1/chat/completions", "url": "",
            "content_type": "application/json", "headers": {}, "edits": [], "stream": False, "bytes": len(body),
            "keep_bodies": True, "trace_id": "t", "span_id": "", "span_name": "", "parent_span_id": "", "metadata": {}, "sdk": "",
        }  # fmt: skip
        told = {"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]}
        end = {"state": "ok", "status": 200, "headers": {"content-type": "application/json"}}
        first = ids.first_of(timezone.now() - timedelta(days=days)).int
        id = uuid.UUID(int=first | (ids.uuid7().int & (1 << 80) - 1))
        flow = Flow(id.bytes, msgspec.json.encode(known | meta), body)
        flow.parts, flow.end = [json.dumps(told).encode()], msgspec.json.encode(end)
        recorder.record([flow])
        return RequestLog.objects.get(pk=id)

    def index(self) -> None:
        blocks.index_all(self.workspace)

    def found(self, query: str) -> set[uuid.UUID]:
        return set(Search(self.workspace, parse(query), Window()).page(None, 100).ids)

    def count(self, query: str = "") -> int:
        return Search(self.workspace, parse(query), Window()).count()

    def has_bytes(self, sha256: str) -> bool:
        return bool(blobs.exist([sha256]))


@pytest.fixture
def logs(tmp_path: Path, settings: Any, database: None, monkeypatch: pytest.MonkeyPatch) -> Logs:
    monkeypatch.setattr(blocks, "cache", BoundedCache(1 << 28))  # each database numbers its blocks from 1
    settings.BLOB_ROOT, settings.QUARANTINE_ROOT = tmp_path / "blobs", tmp_path / "quarantine"
    settings.JOURNAL_ROOT = tmp_path / "journal"
    return Logs(create_workspace(slug="default", name="Default"))
