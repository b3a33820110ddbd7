"""`python -m tests.bench.scale.ten_million [LOGS]`: what a page's questions cost the search index, by what is asked.

Sample logs are written and indexed; then their block is copied, each time some days earlier, until there are so many. The
copies have no rows behind them, so only the index is measured: milliseconds, the first time and then the least of some.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from array import array
from datetime import timedelta

SAMPLE, TIMES = 28_000, 4
QUESTIONS = ("", "model:gpt-4o", "state:error image:input", "-metadata.team:red cost:>0.001")
BARS = 90


def main(logs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"LOUPE_DATA": folder, "DJANGO_SETTINGS_MODULE": "gateway.settings"}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("demo", logs=SAMPLE)
        fill(logs)
        print(f"| {logs:,} logs, ms | the first time | again |\n| --- | ---: | ---: |")
        for question in QUESTIONS:
            first, *others = (asked(question) for _ in range(TIMES))
            print(f"| {question or 'nothing asked'} | {first:.0f} | {min(others):.0f} |")


def fill(logs: int) -> None:
    from gateway.index import blocks
    from gateway.models import IndexBlock, IndexColumn, Workspace

    workspace = Workspace.objects.get()
    blocks.index_all(workspace)
    for row in list(IndexBlock.objects.of(workspace).order_by("first")):
        columns = list(IndexColumn.objects.filter(block=row))
        span = (row.last.int - row.first.int >> 80) + 60_000
        for copy in range(1, logs // SAMPLE + 1):
            ids = earlier(bytes(row.ids), copy * span)
            ends = {"first": uuid.UUID(bytes=ids[:16]), "last": uuid.UUID(bytes=ids[-16:])}
            made = IndexBlock.objects.create(
                workspace=workspace, size=row.size, version=1, ids=ids, totals=row.totals, **ends
            )
            IndexColumn.objects.bulk_create(
                IndexColumn(block=made, name=one.name, distinct=one.distinct, data=one.data) for one in columns
            )


def earlier(ids: bytes, milliseconds: int) -> bytes:
    heads = array("Q", ids)
    heads.byteswap()
    for at in range(0, len(heads), 2):
        heads[at] -= milliseconds << 16
    heads.byteswap()
    return heads.tobytes()


def asked(question: str) -> float:
    """All that a page asks: the newest, how many, latencies, every facet, and the chart."""
    from gateway.index.search import Search, Window
    from gateway.index.search_language import parse
    from gateway.models import Workspace

    began = time.perf_counter()
    search = Search(Workspace.objects.get(), parse(question), Window())
    if question:  # else the rows are asked
        search.page(None, 50)
    search.count(), search.figures("latency"), search.facets()
    first, last = search.extent() or sys.exit("the sample holds none of these")
    search.chart(first, last + timedelta(seconds=1), BARS, timed=False)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
