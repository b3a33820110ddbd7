"""A rendering that takes long holds up nobody else."""

from __future__ import annotations

import json
import threading
import time
import uuid

from tests.conftest import Stage
from tests.patience import SOON_SECONDS


def longest_health(stage: Stage, stop: threading.Event) -> float:
    """How long `/healthz` took at most until `stop`."""
    longest = 0.0
    while not stop.is_set():
        began = time.monotonic()
        stage.loupe.call("/healthz")
        longest = max(longest, time.monotonic() - began)
    return longest


def test_very_many_variables_hold_up_nobody(stage: Stage) -> None:
    writer = stage.loupe.manage("apikey", "create", f"w-{uuid.uuid4().hex[:6]}", "--scope", "prompts.write")
    prompt = {"name": "plain", "string": '[{"role": "user", "content": "hello"}]', "model": "@sandbox/vision"}
    slug = json.loads(stage.loupe.call("/v1/prompts", prompt, headers={"x-portkey-api-key": writer})[2])["slug"]
    body = b'{"variables": {"a": [' + b'{"b": 1}, ' * 300_000 + b"0]}}"
    stop, longest = threading.Event(), list[float]()
    watcher = threading.Thread(target=lambda: longest.append(longest_health(stage, stop)))
    watcher.start()
    status = stage.loupe.call(f"/v1/prompts/{slug}/render", body)[0]
    stop.set()
    watcher.join()
    assert status == 200
    assert longest[0] < SOON_SECONDS


def test_a_template_that_would_never_end_is_refused_while_others_are_answered(stage: Stage) -> None:
    writer = stage.loupe.manage("apikey", "create", f"w-{uuid.uuid4().hex[:6]}", "--scope", "prompts.write")
    text = "{{#a}}" * 4 + "{{x}}" + "{{/a}}" * 4
    prompt = {"name": "bomb", "string": json.dumps([{"role": "user", "content": text}]), "model": "@sandbox/vision"}
    made = stage.loupe.call("/v1/prompts", prompt, headers={"x-portkey-api-key": writer})
    slug = json.loads(made[2])["slug"]
    stop, longest = threading.Event(), list[float]()
    watcher = threading.Thread(target=lambda: longest.append(longest_health(stage, stop)))
    watcher.start()
    status, _, body = stage.loupe.call(f"/v1/prompts/{slug}/render", {"variables": {"a": list(range(100)), "x": ""}})
    stop.set()
    watcher.join()
    assert status == 400
    assert "in the section {{#a}}" in json.loads(body)["message"]
    assert longest[0] < SOON_SECONDS
