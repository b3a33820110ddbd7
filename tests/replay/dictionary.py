"""`python -m tests.replay.dictionary`: train the dictionary by which bodies are stored small, from the recorded traffic.

A dictionary that was ever released must stay, for the bodies that were stored by it: add the new one beside it
(`gateway.recording.bodies.DICTIONARIES`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from gateway.content.cutting import cut
from tests.conftest import SHARED
from tests.replay.recorded import Recording

TARGET = Path(__file__).parents[2] / "gateway/recording/bodies-1.zdict"
SIZE, LONGEST = 64 * 1024, 60_000


def texts(recording: Recording) -> list[bytes]:
    """Both bodies as they are stored, without pictures."""
    asked: Any = recording.asked
    bodies = [json.dumps(asked, separators=(",", ":")).encode()] if asked is not None else []
    bodies.append(recording.body)
    return [text for body in bodies if (text := cut(body, recording.content_type).text[:LONGEST])]


if __name__ == "__main__":
    files = sorted((SHARED / "recordings").glob("*/*.json"))
    found = [Recording(file.name, file.parent.name, json.loads(file.read_text())) for file in files]
    samples = [text for recording in found for text in texts(recording)]
    TARGET.write_bytes(zstd.train_dict(samples, SIZE).dict_content)
    print(f"{TARGET.name}: from {len(samples)} bodies")
