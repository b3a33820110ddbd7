from __future__ import annotations

import signal
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.pictures.thumbnails import CHILDREN
from gateway.processes.setup import prepare
from gateway.processes.supervisor import ASK_NO_MORE, end_with_parent
from gateway.processes.worker import JOBS, AlreadyWorking, Worker, give_way
from gateway.recording import journal
from gateway.recording.ingest import Ingest


class Command(BaseCommand):
    help = "Run the worker half: takes the journal into the database, makes thumbnails, keeps copies of linked images, runs picture sets."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="take in what is there, then end")
        parser.add_argument(
            "--adopt",
            type=Path,
            metavar="FOLDER",
            help="take in what the journal of a machine that is gone still holds: its data folder, or a copy of it; then end",
        )
        parser.add_argument("--supervised", action="store_true", help="stop when stdin closes (used by `up`)")
        parser.add_argument(
            "--jobs",
            nargs="+",
            choices=JOBS,
            default=JOBS,
            metavar="JOB",
            help="what this process does: %(choices)s; default all",
        )
        add_sharing(parser)
        parser.add_argument(
            "--gateway",
            default="http://127.0.0.1:8787",
            help="where the server half listens, for runs of picture sets; default %(default)s",
        )

    def handle(
        self,
        *args: Any,
        once: bool,
        supervised: bool,
        gateway: str,
        jobs: list[str],
        ingest: int,
        thumbnails: int,
        adopt: Path | None,
        **options: Any,
    ) -> None:
        if not supervised:
            prepare()  # `up` has done it already
        if adopt is not None:
            self.stdout.write(f"{_adopted(adopt):,} journals were taken in; {adopt} may go.")
            return
        give_way(jobs)
        try:
            worker = Worker(gateway.rstrip("/"), jobs, readers=ingest, thumbnails=thumbnails)
        except AlreadyWorking as error:
            raise CommandError(str(error)) from None
        if once:
            worker.drain()
            worker.close()
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        if supervised:
            signal.signal(ASK_NO_MORE, lambda *_: worker.ask_no_more())
            end_with_parent(worker.stop)
        worker.run()


def _adopted(folder: Path) -> int:
    """How many processes' journals there were. Raises CommandError where there are none, or they are still being written."""
    root = folder / "journal" if (folder / "journal").is_dir() else folder
    there = journal.folders(root)
    if not there:
        raise CommandError(f"There is no journal in {folder}: name the data folder of the machine that is gone.")
    alive = [path.name for path in there if not journal.writer_is_dead(path)]
    if alive:
        raise CommandError(f"The process that writes {alive[0]} is still alive; its own worker takes that in.")
    ingest = Ingest(root)
    while ingest.step():
        pass
    return len(there)


def add_sharing(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--ingest",
        type=at_least_one,
        default=1,
        metavar="N",
        help="processes that take in the journals of the server's processes, each its share; default %(default)s",
    )
    parser.add_argument(
        "--thumbnails",
        type=at_least_one,
        default=CHILDREN,
        metavar="N",
        help="pictures that are decoded at once; default %(default)s",
    )


def at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is no number of processes: give 1 or more")
    return int(text)
