"""Builds what one server process runs, and keeps its small chores: following the keys, measuring the journal."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, close_old_connections

from gateway import metrics
from gateway.errors import NotRecorded
from gateway.faults import Away
from gateway.keys import people
from gateway.keys.in_memory import POLL_SECONDS, KeysInMemory
from gateway.network.http_client import Pool
from gateway.pictures import prompt_pictures
from gateway.pictures.decoder import Decoder
from gateway.processes.bell import ASKED, ring
from gateway.proxy.front_gate import Asgi, FrontGate
from gateway.proxy.prompt_calls import PromptCalls
from gateway.proxy.proxy import Limits, Proxy
from gateway.recording import kept_turns
from gateway.recording.journal import MEASURE_SECONDS, Journal
from gateway.upstream.call import Message, Receive, Send
from gateway.upstream.credentials import Credentials
from gateway.upstream.outbound import Fetching, Outbound
from gateway.upstream.sandbox import Sandbox
from gateway.upstream.turn_memory import TurnMemory
from prompts.library import loading

log = logging.getLogger(__name__)

SLOW_BODY_SECONDS = 0.5
PARENT_SECONDS = 0.5
ORPHAN_SECONDS = 40
# glibc's mallopt(3): give memory back to the system only above this much, and take bodies from the heap, not by mmap.
M_TRIM_THRESHOLD, KEPT_BYTES = -1, 256 * 1024 * 1024
M_MMAP_THRESHOLD, MAPPED_FROM_BYTES = -3, 32 * 1024 * 1024


P = ParamSpec("P")
T = TypeVar("T")


class Server:
    """The ASGI application. Everything that needs the event loop is made when lifespan starts, and ended when it stops."""

    def __init__(self, django: Asgi) -> None:
        self.django = django
        self.gate: FrontGate | None = None
        self.chores: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert self.gate is not None
            await self.gate(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        self.keys = KeysInMemory()
        await self.keys.follow()
        self.journal = Journal(
            settings.JOURNAL_ROOT,
            limit_bytes=settings.JOURNAL_LIMIT_BYTES,
            reserve_bytes=settings.DISK_RESERVE_BYTES,
        )
        self.pool = Pool(
            connect_seconds=settings.CONNECT_SECONDS,
            idle_seconds=settings.UPSTREAM_IDLE_SECONDS,
            guard=settings.PROVIDER_GUARD,
        )
        self.decoder = Decoder(2)
        proxy = self._proxy()
        self.gate = self._gate(proxy)
        _allow_many_connections()
        _calm_garbage_collector()
        _keep_freed_memory()
        self.chores = [
            asyncio.create_task(_every(POLL_SECONDS, proxy.look)),
            asyncio.create_task(_every(MEASURE_SECONDS, partial(self._measure, proxy))),
            asyncio.create_task(_every(SLOW_BODY_SECONDS, proxy.stop_slow_bodies)),
            asyncio.create_task(_end_with_parent()),
        ]

    def _proxy(self) -> Proxy:
        return Proxy(
            keys=self.keys,
            journal=self.journal,
            pool=self.pool,
            sandbox=Sandbox(self.decoder),
            outbound=Outbound(
                Fetching(
                    settings.FETCH_MAX_BYTES,
                    settings.FETCH_SECONDS,
                    settings.FETCH_GUARD,
                    settings.MAX_BODY_BYTES,
                ),
                Credentials(settings.CUSTOM_HOSTS, settings.PROVIDER_GUARD),
                TurnMemory(_in_thread("turns", _from_database(kept_turns.find))),
            ),
            prompts=PromptCalls(
                self.keys,
                _from_database(loading.fetch),
                _from_database(prompt_pictures.data_url),
                settings.MAX_BODY_BYTES,
            ),
            limits=Limits(
                body_bytes=settings.MAX_BODY_BYTES,
                bytes_in_flight=settings.BYTES_IN_FLIGHT,
                calls_in_flight=settings.CALLS_IN_FLIGHT,
                body_idle_seconds=settings.BODY_IDLE_SECONDS,
                custom_hosts=settings.CUSTOM_HOSTS,
                recording_required=settings.JOURNAL_FULL == "refuse",
                pass_redirects=settings.PASS_REDIRECTS,
            ),
        )

    def _gate(self, proxy: Proxy) -> FrontGate:
        hosts = [host.lower() for host in settings.ALLOWED_HOSTS]
        return FrontGate(
            proxy,
            _ringing(self.django),
            hosts,
            settings.PROXIES,
            _in_thread("sessions", _from_database(people.session_of)),
            idle_seconds=settings.BODY_IDLE_SECONDS,
            picture_bytes=settings.FETCH_MAX_BYTES,
            import_bytes=settings.MAX_BODY_BYTES,
            origins=settings.CORS_ORIGINS,
            base_path=settings.BASE_PATH,
        )

    async def _stop(self) -> None:
        for chore in self.chores:
            chore.cancel()
        await self.pool.close()
        self.decoder.close()
        await asyncio.to_thread(self.journal.close)

    async def _measure(self, proxy: Proxy) -> None:
        metrics.IN_FLIGHT.labels("calls").set(proxy.calls.used)
        metrics.IN_FLIGHT.labels("bytes").set(proxy.bytes.used)
        await asyncio.to_thread(metrics.write, settings.METRICS_ROOT)
        before = self.journal.full
        await asyncio.to_thread(self.journal.measure)
        self.journal.settle()
        if self.journal.full != before:
            log.warning("journal: %s", self.journal.full or "has room again")


def _from_database(read: Callable[P, T]) -> Callable[P, T]:
    """`read` in a thread of its own, with a connection that is given back."""

    def reading(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except Error as error:
            raise NotRecorded(
                "The database does not answer, and this prompt is not in memory.", code="no_database"
            ) from error
        except Away as error:
            raise NotRecorded(f"A picture of this prompt cannot be read: {error}.", code="no_store") from error
        finally:
            close_old_connections()

    return reading


def _in_thread(name: str, read: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """In a thread of its own, so that nothing else that threads do can hold it up."""
    thread, loop = ThreadPoolExecutor(1, name), asyncio.get_running_loop()
    return lambda *args, **kwargs: loop.run_in_executor(thread, partial(read, *args, **kwargs))


async def _every(seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
    """Do a chore again and again; one that fails is told of and tried again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await chore()
        except Exception:
            log.exception("a chore of the server failed")


def _ringing(django: Asgi) -> Asgi:
    """What a page or the API changed may be work for a worker: an upload, a run, a deletion, feedback."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await django(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD"):
            ring(settings.JOURNAL_ROOT, ASKED)

    return answer


async def _end_with_parent() -> None:
    """Stop as if told to when granian's main process is gone: it was killed, and nobody else would end us.

    Who it is was noted at the fork: it may be gone before we look for the first time, and we would hold its port for ever.
    """
    parent = multiprocessing.parent_process()
    while parent is None or os.getppid() == parent.pid:
        await asyncio.sleep(PARENT_SECONDS)
    log.error("the server's main process is gone; stopping")
    deadline = threading.Timer(ORPHAN_SECONDS, os._exit, [1])  # nobody else would end one that hangs
    deadline.daemon = True
    deadline.start()
    while True:  # a signal may come before granian minds it
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(PARENT_SECONDS)


def _allow_many_connections() -> None:
    """Every open call holds two descriptors; many systems start a process with 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _calm_garbage_collector() -> None:
    """Leave what start-up built out of collections, and collect seldom: they took a third of the time of a small call.

    A call must then free its body without the collector's help; a test holds it to that.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 20)


def _keep_freed_memory() -> None:
    """Spare the page faults of fresh memory for every body: they took half the time of a call with a 1 MB picture."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
