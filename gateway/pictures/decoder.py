"""The other end of `decode_child`: starts it, asks it, and starts another when it died or took too long."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("decode_child.py")
SECONDS = 10.0
JOBS_A_CHILD = 200
ANSWER_LIMIT = 8 * 1024 * 1024


class DecodeFailed(Exception):
    """The picture was not decoded; the text is a fixed code such as `image_undecodable`, never the library's words."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture is, in stored pixels, and its thumbnails by size (WebP)."""

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
    thumbnails: tuple[bytes, ...] = ()


class Decoder:
    """One child at a time; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._jobs = 0

    def look(self, data: bytes) -> Seen:
        facts, _ = self._ask(b"L", data)
        return _seen(facts, ())

    def thumbnails(self, data: bytes) -> Seen:
        facts, blobs = self._ask(b"T", data)
        return _seen(facts, tuple(blobs))

    def draw(self, text: str, width: int, height: int) -> bytes:
        """A PNG test picture."""
        return self._ask(b"D", json.dumps({"text": text, "width": width, "height": height}).encode())[1][0]

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, op: bytes, data: bytes) -> tuple[dict[str, Any], list[bytes]]:
        with self._lock:
            child = self._started()
            try:
                return self._exchange(child, op, data)
            except (OSError, EOFError, struct.error, ValueError):
                self._end()
                raise DecodeFailed("decoder_died") from None
            except TimeoutError:
                self._end()
                raise DecodeFailed("decoder_took_too_long") from None

    def _exchange(self, child: subprocess.Popen[bytes], op: bytes, data: bytes) -> tuple[dict[str, Any], list[bytes]]:
        deadline = time.monotonic() + SECONDS
        assert child.stdin is not None
        _write(child.stdin.fileno(), struct.pack("<cI", op, len(data)) + data, deadline)
        (length,) = struct.unpack("<I", self._read(child, 4, deadline))
        facts = json.loads(self._read(child, length, deadline))
        blobs = [self._read(child, size, deadline) for size in facts.pop("blobs")]
        if error := facts.get("error"):
            raise DecodeFailed(str(error))
        return facts, blobs

    def _read(self, child: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
        assert child.stdout is not None
        if count > ANSWER_LIMIT:
            raise ValueError("answer too large")
        data = b""
        while len(data) < count:
            _wait_for(child.stdout.fileno(), select.POLLIN, deadline)
            piece = os.read(child.stdout.fileno(), count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _started(self) -> subprocess.Popen[bytes]:
        self._jobs += 1
        if self._child is not None and (self._jobs > JOBS_A_CHILD or self._child.poll() is not None):
            self._end()
        if self._child is None:
            self._jobs = 0
            self._child = subprocess.Popen(  # noqa: S603 - our own file, no shell
                [sys.executable, "-I", str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                close_fds=True,
                process_group=0,
                bufsize=0,
            )
            assert self._child.stdin is not None
            os.set_blocking(self._child.stdin.fileno(), False)
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


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


def _seen(facts: dict[str, Any], blobs: tuple[bytes, ...]) -> Seen:
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
        thumbnails=blobs,
    )
