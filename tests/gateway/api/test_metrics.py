"""GET /metrics: what all processes count, added up, for whoever has the token."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics
from tests.fake_upstream import FakeUpstream, response
from tests.loupe import ROOT, Loupe, until

TOKEN = "of-the-scraper"


@pytest.fixture
def loupe(own_loupe: Callable[..., Loupe], upstream: FakeUpstream) -> Iterator[Loupe]:
    loupe = own_loupe(LOUPE_METRICS_TOKEN=TOKEN)
    upstream.on("metered").will(response())
    loupe.add_virtual_key("metered", upstream.url("metered"))
    return loupe


def scraped(loupe: Loupe) -> dict[tuple[str, str], float]:
    """By name and labels, as Prometheus reads them."""
    request = Request(f"{loupe.root}/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    with urlopen(request, timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=")
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_calls_recording_and_queues_are_counted_over_all_processes(loupe: Loupe) -> None:
    for n in range(5):
        body = {"model": "@metered/gpt-4o", "messages": [{"role": "user", "content": f"hello {n}"}]}
        assert loupe.call("/v1/chat/completions", body)[0] == 200
    call = ("loupe_calls_total", "model=gpt-4o,outcome=ok,provider=openai")
    written = ("loupe_recorded_total", "state=ok")
    until(lambda: scraped(loupe).get(call) == scraped(loupe).get(written) == 5 or None, "all are counted")
    found = scraped(loupe)
    assert found[("loupe_call_seconds_count", "provider=openai")] == 5
    assert found[("loupe_added_seconds_bucket", "le=+Inf,provider=openai")] == 5
    assert found[("loupe_in_flight", "what=calls")] == 0
    assert found[("loupe_database_up", "")] == 1
    assert found[("loupe_journal_bytes", "")] > 0
    assert {name for name, _ in found} >= {"loupe_waiting", "loupe_disk_free_bytes", "loupe_journal_age_seconds"}


def test_nobody_without_the_token_reads_them(loupe: Loupe, own_loupe: Callable[..., Loupe]) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {loupe.key}"}):
        assert loupe.call("/metrics", headers={"x-portkey-api-key": "", **headers})[0] == 401
    closed = own_loupe()
    assert closed.call("/metrics", headers={"x-portkey-api-key": "", "authorization": f"Bearer {TOKEN}"})[0] == 404


def test_what_dead_processes_wrote_is_removed(tmp_path: Path) -> None:
    metrics.write(tmp_path)
    (tmp_path / "999999999.prom").write_text('# TYPE loupe_calls counter\nloupe_calls_total{model="m"} 7\n')
    assert "loupe_calls" not in {
        one.name for one in metrics.added_up(tmp_path) if one.samples and one.samples[0].value == 7
    }
    assert not (tmp_path / "999999999.prom").exists()


def test_callers_cannot_make_series_without_end() -> None:
    names = {metrics._bounded(f"model-{n}") for n in range(metrics.MOST_MODELS + 50)}
    assert "other" in names
    assert len(names) <= metrics.MOST_MODELS + 1
    metrics._models.clear()


def test_the_dashboard_asks_for_nothing_that_is_not_told(loupe: Loupe) -> None:
    dashboard = json.loads((ROOT / "docs" / "grafana.json").read_text())
    asked = set(re.findall(r"loupe_\w+", json.dumps(dashboard)))
    body = {"model": "@metered/gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    loupe.call("/v1/chat/completions", body)
    told = {
        "loupe_thumbnails_total",
        "loupe_job_failures_total",
        "loupe_removed_bytes_total",
        "loupe_first_byte_seconds_bucket",
    }
    until(lambda: asked <= {name for name, _ in scraped(loupe)} | told or None, f"{asked} are told")
