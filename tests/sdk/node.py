"""The Node SDKs, driven from here: see sdks.mjs for what a call is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Result:
    """What became of one call: the value or the chunks of its stream, or the error that the SDK threw."""

    ok: bool
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""
    status: int = 0
    code: str = ""
    message: str = ""
    chunks: list[Any] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        if not self.chunks:
            return [self.value["choices"][0]["message"]["content"]]
        deltas = [chunk["choices"][0]["delta"] for chunk in self.chunks if chunk["choices"]]
        return [delta["content"] for delta in deltas if delta.get("content")]


Call = dict[str, Any]
Node = Callable[[list[Call]], list[Result]]


def make(command: list[str], calls: list[Call]) -> list[Result]:
    """The calls made in order, in one Node process."""
    sent = json.dumps(calls)
    done = subprocess.run(command, input=sent, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    results: list[Result] = []
    chunks: list[Any] = []
    for line in map(json.loads, done.stdout.splitlines()):
        if "chunk" in line:
            chunks.append(line["chunk"])
        else:
            given = {name: value for name, value in line.items() if value is not None}
            results.append(Result(**given, chunks=chunks))
            chunks = []
    assert len(results) == len(calls), done.stderr
    return results
