"""The other end of `decode_child`: starts it, asks it, and starts another when it died or took too long."""

from __future__ import annotations

import json
import logging
import os
import queue
import select
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("decode_child.py")
SECONDS, QUICK_SECONDS, START_SECONDS = 10.0, 2.0, 30.0
JOBS_A_CHILD, BUSY_SECONDS_A_CHILD = 200, 30.0
TOO_LONG, BUSY = "decoder_took_too_long", "decoder_busy"
ANSWER_LIMIT = 8 * 1024 * 1024


class DecodeFailed(Exception):
    """The picture was not decoded; the text is a fixed code such as `image_undecodable`, never the library's words."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture is, in stored pixels, and its thumbnail (WebP)."""

    width: int
    height: int
    orientation: int | None
    frames: int
    has_alpha: bool
    has_gps: bool = False
    colour_mode: str = ""
    truncated: bool = False
    blank: bool = False
    perceptual_hash: str = ""
    colours: tuple[str, ...] = ()
    thumbnail: bytes = b""


class Decoder:
    """A few children, each with one picture at a time; safe to share between threads."""

    def __init__(self, children: int = 1) -> None:
        self.children = [_Child() for _ in range(children)]
        self._free: queue.LifoQueue[_Child] = queue.LifoQueue()
        for child in self.children:
            self._free.put(child)

    def look(self, data: bytes, *, seconds: float = SECONDS) -> Seen:
        facts, _ = self._ask(b"L", data, seconds)
        return _seen(facts, b"")

    def thumbnail(self, data: bytes, *, seconds: float = SECONDS) -> Seen:
        """Everything that is to be known of a picture, with its thumbnail of 256 pixels."""
        facts, blobs = self._ask(b"T", data, seconds)
        return _seen(facts, blobs[0])

    def large_thumbnail(self, data: bytes, size: int = 1024) -> bytes:
        """Of 1024 or 2048 pixels."""
        return self._ask({1024: b"B", 2048: b"H"}[size], data, SECONDS)[1][0]

    def draw(self, text: str, width: int, height: int) -> bytes:
        """A PNG test picture."""
        asked = json.dumps({"text": text, "width": width, "height": height}).encode()
        return self._ask(b"D", asked, SECONDS)[1][0]

    def close(self) -> None:
        for child in self.children:
            child.end()

    def _ask(self, op: bytes, data: bytes, seconds: float) -> tuple[dict[str, Any], list[bytes]]:
        """Raises DecodeFailed, also when all children were busy for as long as a picture may take."""
        try:
            child = self._free.get(timeout=SECONDS)
        except queue.Empty:
            raise DecodeFailed(BUSY) from None
        try:
            return child.ask(op, data, seconds)
        finally:
            self._free.put(child)


class _Child:
    """One process, started when it is first asked, and anew when it died, took too long or has done enough."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self._jobs, self._busy_seconds = 0, 0.0

    def ask(self, op: bytes, data: bytes, seconds: float) -> tuple[dict[str, Any], list[bytes]]:
        with self._lock:
            began = time.monotonic()
            try:
                return self._exchange(self._started(), op, data, seconds)
            except TimeoutError:
                self._end()
                raise DecodeFailed(TOO_LONG) from None
            except (OSError, EOFError, struct.error, ValueError):
                self._end()
                raise DecodeFailed("decoder_died") from None
            finally:
                self._busy_seconds += time.monotonic() - began

    def end(self) -> None:
        with self._lock:
            self._end()

    def _exchange(
        self, process: subprocess.Popen[bytes], op: bytes, data: bytes, seconds: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        deadline = time.monotonic() + seconds
        assert process.stdin is not None
        _write(process.stdin.fileno(), struct.pack("<cI", op, len(data)) + data, deadline)
        (length,) = struct.unpack("<I", self._read(process, 4, deadline))
        facts = json.loads(self._read(process, length, deadline))
        blobs = [self._read(process, size, deadline) for size in facts.pop("blobs")]
        if error := facts.get("error"):
            raise DecodeFailed(str(error))
        return facts, blobs

    def _read(self, process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
        assert process.stdout is not None
        if count > ANSWER_LIMIT:
            raise ValueError("answer too large")
        data = b""
        while len(data) < count:
            _wait_for(process.stdout.fileno(), select.POLLIN, deadline)
            piece = os.read(process.stdout.fileno(), count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _started(self) -> subprocess.Popen[bytes]:
        self._jobs += 1
        has_done_enough = self._jobs > JOBS_A_CHILD or self._busy_seconds > BUSY_SECONDS_A_CHILD
        if self.process is not None and (has_done_enough or self.process.poll() is not None):
            self._end()
        if self.process is None:
            self._jobs, self._busy_seconds = 0, 0.0
            self.process = _STARTER.submit(_start).result()
            self._note_confinement(self.process)
        return self.process

    def _note_confinement(self, process: subprocess.Popen[bytes]) -> None:
        """The child's first line says what it is confined by."""
        deadline, line = time.monotonic() + START_SECONDS, b""
        while not line.endswith(b"\n"):
            line += self._read(process, 1, deadline)
        log.debug("pictures are decoded with: %s", ", ".join(json.loads(line)))

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


# Linux ends a child with the thread that started it, and those that ask live no longer than a request.
_STARTER = ThreadPoolExecutor(1, "decode-children")


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - our own file, no shell
        [sys.executable, "-I", str(CHILD), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        close_fds=True,
        process_group=0,
        bufsize=0,
    )
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    return process


def _write(descriptor: int, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        _wait_for(descriptor, select.POLLOUT, deadline)
        view = view[os.write(descriptor, view) :]


def _wait_for(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _seen(facts: dict[str, Any], thumbnail: bytes) -> Seen:
    return Seen(
        width=int(facts["width"]),
        height=int(facts["height"]),
        orientation=facts["orientation"],
        frames=int(facts["frames"]),
        has_alpha=bool(facts["has_alpha"]),
        has_gps=bool(facts.get("has_gps")),
        colour_mode=facts.get("colour_mode", ""),
        truncated=bool(facts.get("truncated")),
        blank=bool(facts.get("blank")),
        perceptual_hash=facts.get("perceptual_hash", ""),
        colours=tuple(facts.get("colours", ())),
        thumbnail=thumbnail,
    )
