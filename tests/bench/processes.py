"""Processes of a gateway: started on one core, measured through /proc, ended by their own id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024
SAMPLE_SECONDS = 0.5
QUIET_SECONDS = 4.0
QUIET_SHARE = 0.1


class Unavailable(Exception):
    """A gateway that cannot be measured here; the text says why and goes into the table."""


@dataclass(frozen=True, slots=True)
class Cores:
    gateway: int
    rig: int
    count: int


def divide_cores() -> Cores:
    """The first core for the gateway, the second for everything else; this process moves to the second."""
    usable = sorted(os.sched_getaffinity(0))
    cores = Cores(gateway=usable[0], rig=usable[min(1, len(usable) - 1)], count=len(usable))
    os.sched_setaffinity(0, {cores.rig})
    return cores


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A started process with its children."""

    def __init__(self, command: Sequence[str], *, core: int, log: Path, env: Mapping[str, str], folder: Path) -> None:
        self.command = list(command)
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=folder,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def last_words(self) -> str:
        return complaint(self.log.read_text(errors="replace"))

    def stop(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sign)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            return


class Bystanders:
    """How much CPU processes other than the bench's took while it ran."""

    def __init__(self) -> None:
        self.begin = time.monotonic()
        self.at_begin = self._seconds()

    def share(self) -> float:
        """As a part of one core, on average."""
        return max(0.0, self._seconds() - self.at_begin) / (time.monotonic() - self.begin)

    @classmethod
    async def leave(cls, limit: float) -> None:
        """Waits until the machine is quiet, but not longer than `limit` seconds."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            look = cls()
            await asyncio.sleep(QUIET_SECONDS)
            if look.share() < QUIET_SHARE:
                return

    @staticmethod
    def _seconds() -> float:
        busy = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:8]))
        idle_and_waiting = busy[3] + busy[4]
        ours = os.times()
        return (sum(busy) - idle_and_waiting) / TICKS - sum(ours[:4])


def complaint(output: str) -> str:
    """The line that says most about a failure, without this machine's paths and addresses."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() and "log of this run" not in line]
    said = (telling or lines or ["it said nothing"])[-1]
    said = re.sub(r"https?://\S+", "(address)", said)
    return re.sub(r"(?:/[\w.@+-]+){3,}/?", "(path)", said)[:200]


def run(command: Sequence[str], *, env: Mapping[str, str], folder: Path, limit: float = 900) -> str:
    """A command that must end well; its standard output."""
    try:
        done = subprocess.run(
            command, env=dict(env), cwd=folder, capture_output=True, text=True, timeout=limit, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"`{Path(command[0]).name}`: {type(error).__name__}") from error
    if done.returncode:
        raise Unavailable(
            f"`{Path(command[0]).name} {command[1]}` ended with {done.returncode}: {complaint(done.stderr or done.stdout)}"
        )
    return done.stdout.strip()


@dataclass(slots=True)
class Usage:
    cpu: float = 0.0
    resident: float = 0.0


def usage(root: int) -> Usage:
    """CPU seconds (also of children that ended) and resident MiB of a process and all its descendants."""
    found = Usage()
    family = {root}
    for pid, fields in _all_processes():
        if pid in family or int(fields[1]) in family:
            family.add(pid)
            found.cpu += sum(map(int, fields[11:15])) / TICKS
            found.resident += int(fields[21]) * PAGE / MIB
    return found


def _all_processes() -> list[tuple[int, list[str]]]:
    """Every process with the fields of its `stat` after the name, parents before their children."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - sampled during the load, so it has to be quick
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123
                found.append((int(name), stat.read().decode("utf-8", "replace").rpartition(")")[2].split()))
    return sorted(found, key=lambda process: (int(process[1][19]), process[0]))


class Watch:
    """Samples the memory of some processes until it is left, and remembers the highest sum."""

    def __init__(self, *processes: Running) -> None:
        self.processes = processes
        self.peak = 0.0
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Watch:
        self.task = asyncio.get_running_loop().create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self._look()

    async def _sample(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(SAMPLE_SECONDS)

    def _look(self) -> None:
        self.peak = max(self.peak, sum(usage(process.pid).resident for process in self.processes))
