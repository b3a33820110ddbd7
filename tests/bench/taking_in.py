"""`python -m tests.bench.taking_in`: in a process of its own, take in the journals of `LOUPE_DATA` and print what that cost.

One JSON object: CPU seconds of ingest, of thumbnails (with their children) and of the index, one after the other, those of a
yardstick before and after them, and the bytes of the database. What is loaded at first use is loaded before. With
`--profile FILE` the profile of ingest is kept for `python -m pstats`.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import json
import os
import re
import resource
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import django

WORD = re.compile(r"[a-z]+")
DOCUMENT = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "which of these is the largest " * 20}]}]
}


def cpu() -> float:
    return sum(
        part.ru_utime + part.ru_stime
        for part in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def spent(act: Callable[[], object]) -> float:
    began = cpu()
    act()
    return cpu() - began


def yardstick() -> None:
    """A bit of everything that ingest does, by the standard library alone: how fast this machine is just now."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (id TEXT PRIMARY KEY, text TEXT)")
        for round in range(3000):
            text = json.dumps(DOCUMENT)
            words = WORD.findall(json.dumps(json.loads(text)))
            digest = hashlib.sha256(text.encode() * 20).hexdigest()
            packed = zlib.compress(text.encode(), 6)
            database.execute("INSERT INTO t VALUES (?, ?)", (f"{digest}{round}", f"{len(words)} {len(packed)}"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.taking_in", description=__doc__)
    parser.add_argument("--profile", help="keep the profile of ingest in this file")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    django.setup()
    from django.conf import settings

    from gateway.content.openai_fields import Usage
    from gateway.index import blocks
    from gateway.models import Workspace
    from gateway.pictures.thumbnails import Thumbnails
    from gateway.providers import by_name
    from gateway.recording import bodies, pricing
    from gateway.recording.ingest import Ingest

    ingest = Ingest(settings.JOURNAL_ROOT)
    bodies.stored(b"loaded")
    pricing.price(Usage(1, 1), provider=by_name("openai"), models=["gpt-4o-mini"], at=datetime.now(UTC))
    workspaces = list(Workspace.objects.all())

    def until_done(step: Callable[[], bool]) -> None:
        while step():
            pass

    def make_thumbnails() -> None:
        thumbnails = Thumbnails()
        until_done(thumbnails.step)
        thumbnails.close()

    measure = spent(yardstick)
    profile = cProfile.Profile() if options.profile else None
    if profile:
        profile.enable()
    costs = {"ingest": spent(lambda: until_done(ingest.step))}
    if profile:
        profile.disable()
        profile.dump_stats(options.profile)
    costs["thumbnails"] = spent(make_thumbnails)
    costs["index"] = spent(lambda: [blocks.index_all(workspace) for workspace in workspaces])
    costs["yardstick"] = (measure + spent(yardstick)) / 2
    size = sum(file.stat().st_size for file in settings.LOUPE_DATA.glob("loupe.sqlite3*"))
    print(json.dumps(costs | {"database": size}))


if __name__ == "__main__":
    main()
