"""What a process counts for Prometheus. Each writes it down every few seconds, and whoever is asked adds them up.

Not by the client's own multiprocess mode: it maps files into memory, and a full disk would end the process that counts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

MOST_MODELS = 200
ANSWER_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160)
ADDED_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
OWN = CollectorRegistry()

CALLS = Counter("loupe_calls", "Calls that ended", ["outcome", "provider", "model"], registry=OWN)
CALL_SECONDS = Histogram(
    "loupe_call_seconds", "From the first byte to the last", ["provider"], buckets=ANSWER_SECONDS, registry=OWN
)
FIRST_BYTE_SECONDS = Histogram(
    "loupe_first_byte_seconds", "Until the first byte of an answer", ["provider"], buckets=ANSWER_SECONDS, registry=OWN
)
ADDED = Histogram(
    "loupe_added_seconds", "What the gateway took of it", ["provider"], buckets=ADDED_SECONDS, registry=OWN
)
IN_FLIGHT = Gauge("loupe_in_flight", "Calls, and bytes of their bodies, now", ["what"], registry=OWN)
RECORDED = Counter("loupe_recorded", "Logs that ingest has written", ["state"], registry=OWN)
THUMBNAILS = Counter("loupe_thumbnails", "Pictures that were decoded", ["outcome"], registry=OWN)
SPANS = Counter("loupe_spans", "Spans for OpenTelemetry's collector", ["outcome"], registry=OWN)
FAILURES = Counter(
    "loupe_job_failures", "Steps of the worker that failed, by job and cause", ["job", "cause"], registry=OWN
)
REMOVED = Counter("loupe_removed", "Logs or files that lost a part", ["part", "reason"], registry=OWN)
REMOVED_BYTES = Counter("loupe_removed_bytes", "Bytes of bodies and files that went", ["part", "reason"], registry=OWN)

_models: set[str] = set()


def call_ended(
    outcome: str, provider: str, model: str, *, seconds: float, added: float, first_byte: float | None
) -> None:
    CALLS.labels(outcome, provider, _bounded(model)).inc()
    CALL_SECONDS.labels(provider).observe(seconds)
    ADDED.labels(provider).observe(added)
    if first_byte is not None:
        FIRST_BYTE_SECONDS.labels(provider).observe(first_byte)


def _bounded(model: str) -> str:
    """Callers choose the names of models, and each is a series for ever."""
    if model in _models or len(_models) < MOST_MODELS:
        _models.add(model)
        return model
    return "other"


def write(folder: Path) -> None:
    """Write down what this process has counted. A full disk is no reason to fail."""
    half = folder / f".{os.getpid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        half.write_bytes(generate_latest(OWN))
        half.rename(folder / f"{os.getpid()}.prom")


def added_up(folder: Path) -> Iterator[Metric]:
    """What all living processes have written down; those of the dead are removed."""
    families: dict[str, Metric] = {}
    samples: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for path in sorted(folder.glob("*.prom")):
        if not _is_alive(int(path.stem)):
            path.unlink(missing_ok=True)
            continue
        for family in text_string_to_metric_families(path.read_text()):
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            sums = samples.setdefault(family.name, {})
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    key = sample.name, tuple(sorted(sample.labels.items()))
                    sums[key] = sums.get(key, 0.0) + sample.value
    for name, family in families.items():
        for (sample_name, labels), value in samples[name].items():
            family.add_sample(sample_name, dict(labels), value)
        yield family


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
