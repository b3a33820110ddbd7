"""`python -m tests.bench.taking_in`: in a process of its own, take in the journals of `LOUPE_DATA` and print what that cost.

One JSON object: CPU seconds of ingest, of thumbnails (with their children) and of the index, one after the other, and the
bytes of the database. With `--profile FILE` the profile of ingest is kept for `python -m pstats`.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import resource
from collections.abc import Callable

import django


def cpu() -> float:
    return sum(
        part.ru_utime + part.ru_stime
        for part in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def spent(act: Callable[[], object]) -> float:
    began = cpu()
    act()
    return cpu() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.taking_in", description=__doc__)
    parser.add_argument("--profile", help="keep the profile of ingest in this file")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    django.setup()
    from django.conf import settings

    from gateway.index import blocks
    from gateway.models import Workspace
    from gateway.pictures.thumbnails import Thumbnails
    from gateway.recording.ingest import Ingest

    ingest = Ingest(settings.JOURNAL_ROOT)

    def until_done(step: Callable[[], bool]) -> None:
        while step():
            pass

    def make_thumbnails() -> None:
        thumbnails = Thumbnails()
        until_done(thumbnails.step)
        thumbnails.close()

    profile = cProfile.Profile() if options.profile else None
    if profile:
        profile.enable()
    costs = {"ingest": spent(lambda: until_done(ingest.step))}
    if profile:
        profile.disable()
        profile.dump_stats(options.profile)
    costs["thumbnails"] = spent(make_thumbnails)
    costs["index"] = spent(lambda: [blocks.index_all(workspace) for workspace in Workspace.objects.all()])
    size = sum(file.stat().st_size for file in settings.LOUPE_DATA.glob("loupe.sqlite3*"))
    print(json.dumps(costs | {"database": size}))


if __name__ == "__main__":
    main()
