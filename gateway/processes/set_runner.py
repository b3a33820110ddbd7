"""Runs picture sets: asks the gateway, as any client does, what the prompt of each cell answers to its case.

What is to be asked, and what was answered, stands in the database alone: a run goes on where it was after any end of the
process. A run's requests share a trace, which is the run's id, and carry the case in their metadata.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
from django.conf import settings
from django.db import connection

from gateway.content import framing
from gateway.content.json_text import encoded, items, obj, parsed_or_none, words
from gateway.content.plain_text import clean_text
from gateway.faults import one_by_one
from gateway.keys.api_keys import create_passing_key
from prompts.language.json_text import value_of
from prompts.models import Cell, SetRun
from prompts.sets import runs

log = logging.getLogger(__name__)

AT_ONCE = 8
BEAT_SECONDS = 0.4
CONNECT_SECONDS, PAUSE_SECONDS = 10.0, 2.0
KEY_LIFETIME = timedelta(hours=2)
WHOLE_BYTES = 10_000_000


@dataclass(slots=True)
class Asking:
    """A cell under way for the `tries`th time: the call, and what was answered so far."""

    cell: int
    tries: int
    task: asyncio.Task[runs.Ending] | None = None
    text: str = ""
    told: str = ""


@dataclass(slots=True)
class Key:
    """A key of one run, and when to make another one."""

    secret: str
    until: float


@dataclass(slots=True)
class SetRunner:
    """`gateway` is where the server half listens, such as `http://127.0.0.1:8787`. Nothing is asked after `stopping`."""

    gateway: str
    stopping: threading.Event = field(default_factory=threading.Event)
    asking: dict[int, Asking] = field(default_factory=dict)
    unwritten: list[runs.Ending] = field(default_factory=list)
    keys: dict[uuid.UUID, Key] = field(default_factory=dict)
    pause_until: float = 0.0
    rows: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="set-run-rows"))

    def step(self) -> bool:
        """Ask until no run has anything left, or we are to stop. Cells that an earlier end left half asked come first."""
        self._write()
        if time.monotonic() < self.pause_until or self.stopping.is_set():
            return False
        runs.put_back()
        if not Cell.objects.waiting().exists():
            return False
        try:
            asyncio.run(self._ask_all())
            self._write()
        finally:
            self.asking.clear()
            self.rows.submit(lambda: connection.close()).result()
        return not self.stopping.is_set()

    async def _ask_all(self) -> None:
        """A beat of the database, then of the calls; whatever fails here breaks every call off."""
        # The gateway gives a silent provider up before we give the gateway up.
        timeout = httpx2.Timeout(settings.UPSTREAM_IDLE_SECONDS + 60, connect=CONNECT_SECONDS)
        limits = httpx2.Limits(max_connections=AT_ONCE)
        async with httpx2.AsyncClient(base_url=self.gateway, timeout=timeout, limits=limits, trust_env=False) as client:
            try:
                while await self._beat(client) and not self.stopping.is_set():
                    await asyncio.wait(self._tasks(), timeout=BEAT_SECONDS)
            finally:
                self._collect()
                await _end(self._tasks())

    def _collect(self) -> None:
        """Keep what came of the calls that have ended, until it is written."""
        for one in [one for one in self.asking.values() if one.task is not None and one.task.done()]:
            assert one.task is not None
            self.unwritten.append(one.task.result())
            del self.asking[one.cell]

    def _write(self) -> None:
        one_by_one(
            self.unwritten,
            lambda one: runs.finish([one]),
            lambda one, reason: runs.finish([runs.Ending(one.cell, problem=f"It could not be noted: {reason}.")]),
        )
        self.unwritten.clear()

    def _tasks(self) -> list[asyncio.Task[runs.Ending]]:
        return [one.task for one in self.asking.values() if one.task is not None]

    async def _beat(self, client: httpx2.AsyncClient) -> bool:
        """Tell the database what came, let go what was stopped, take what is next; False when there is nothing to do."""
        loop = asyncio.get_running_loop()
        self._collect()
        told = {one.cell: clean_text(one.text, runs.LONGEST_ANSWER) for one in self.asking.values()}
        news = {cell: text for cell, text in told.items() if text != self.asking[cell].told}
        stopped, calls = await loop.run_in_executor(self.rows, self._exchange, news, set(self.asking))
        await _end([task for cell in stopped if (task := self.asking.pop(cell).task) is not None])
        for cell, headers, body, path in calls:
            asking = self.asking[cell.pk] = Asking(cell.pk, cell.tries)
            asking.task = asyncio.create_task(_ask(client, asking, path, headers, body))
        for number, text in news.items():
            if number in self.asking:
                self.asking[number].told = text
        return bool(self.asking)

    def _exchange(
        self, news: dict[int, str], asking: set[int]
    ) -> tuple[set[int], list[tuple[Cell, dict[str, str], bytes, str]]]:
        if problem := next((one.problem for one in self.unwritten if one.again), ""):
            log.warning("runs of picture sets wait %.0f s: %s", PAUSE_SECONDS, problem)
            self.pause_until = time.monotonic() + PAUSE_SECONDS
        self._write()
        runs.tell(news)
        stopped = runs.stopped(asking)
        runs.break_off(stopped)
        free = AT_ONCE - len(asking) + len(stopped) if time.monotonic() >= self.pause_until else 0
        calls: list[tuple[Cell, dict[str, str], bytes, str]] = []
        one_by_one(
            runs.claim(free) if free > 0 else [],
            lambda cell: calls.append(self._call(cell)),
            lambda cell, reason: self.unwritten.append(
                runs.Ending(cell.pk, problem=f"It could not be asked: {reason}.")
            ),
        )
        return stopped, calls

    def _call(self, cell: Cell) -> tuple[Cell, dict[str, str], bytes, str]:
        """The cell and its call: headers, body and path."""
        run, case, column = cell.run, cell.run.rows[cell.row], cell.run.columns[cell.column]
        variables = {name: value_of(text) for name, text in case["values"].items() if text != ""}
        model = {"model": column["model"]} if column["model"] else {}
        body = {**column["parameters"], **model, "variables": variables, "stream": True}
        metadata = {"case": case["name"], "set": run.set.name if run.set else "comparison"}
        headers = {
            "x-portkey-api-key": self._key(run),
            "x-portkey-trace-id": str(run.pk),
            "x-portkey-metadata": json.dumps({name: text[:128] for name, text in metadata.items()}),
            "host": self._host(),
            "content-type": "application/json",
        }
        return cell, headers, encoded(body), f"/v1/prompts/{column['prompt']}@{column['version']}/completions"

    def _host(self) -> str:
        """A name that the gateway answers to, which its address from here need not be."""
        here = urlsplit(self.gateway)
        known = "*" in settings.ALLOWED_HOSTS or here.hostname in settings.ALLOWED_HOSTS
        return here.netloc if known else settings.ALLOWED_HOSTS[0]

    def _key(self, run: SetRun) -> str:
        now = time.monotonic()
        key = self.keys.get(run.pk)
        if key is None or key.until < now:
            secret = create_passing_key(workspace=run.workspace, name="runs of picture sets", lifetime=KEY_LIFETIME)
            key = self.keys[run.pk] = Key(secret, now + KEY_LIFETIME.total_seconds() / 2)
        return key.secret


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Break calls off, and wait until they are."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(
    client: httpx2.AsyncClient, asking: Asking, path: str, headers: dict[str, str], body: bytes
) -> runs.Ending:
    """What came of it. When the gateway is not there it is to be asked again; when it goes meanwhile, a few times."""
    try:
        async with client.stream("POST", path, headers=headers, content=body) as answer:
            problem = await _read(answer, asking)
            kept = clean_text(asking.text, runs.LONGEST_ANSWER), clean_text(problem, runs.LONGEST_PROBLEM)
            return runs.Ending(asking.cell, *kept, log=_log_of(answer))
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        problem = f"The gateway at {client.base_url} does not answer ({type(error).__name__}). It is asked again."
        return runs.Ending(asking.cell, problem=problem, again=True)
    except httpx2.RequestError as error:
        is_last = asking.tries >= runs.MOST_TRIES
        problem = f"The gateway broke its answer off ({type(error).__name__}), {asking.tries} times."
        return runs.Ending(asking.cell, problem=problem, again=not is_last)
    except Exception as error:
        log.exception("cell %d is put aside", asking.cell)
        return runs.Ending(asking.cell, problem=f"It could not be asked: {type(error).__name__}.")


def _log_of(answer: httpx2.Response) -> uuid.UUID | None:
    try:
        return uuid.UUID(answer.headers.get("x-portkey-request-id", ""))
    except ValueError:
        return None


async def _read(answer: httpx2.Response, asking: Asking) -> str:
    """Take the words of the stream; the answer is what went wrong on the way, if anything did."""
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        document = obj(parsed_or_none((await answer.aread())[:WHOLE_BYTES]))
        asking.text = _words(document, "message")
        is_answer = "choices" in document and answer.status_code < 400
        return _problem(document) or ("" if is_answer else f"Status {answer.status_code}, and no chat completion.")
    rest = b""
    async for piece in answer.aiter_bytes():
        lines, _, rest = (rest + piece).rpartition(b"\n")
        if problem := _take(asking, lines):
            return problem
        if len(rest) > WHOLE_BYTES:
            return "The answer is too long to be read as a stream of words; its log has it whole."
    return _take(asking, rest)


def _take(asking: Asking, lines: bytes) -> str:
    """Add the words of whole lines; the answer is the problem that one of them tells."""
    for event in framing.events(lines):
        document = obj(parsed_or_none(event.data))
        if len(asking.text) < runs.LONGEST_ANSWER:
            asking.text += _words(document, "delta")
        if problem := _problem(document):
            return problem
    return ""


def _words(document: dict[str, Any], where: str) -> str:
    return "".join(words(obj(obj(choice).get(where)).get("content")) for choice in items(document.get("choices")))


def _problem(document: dict[str, Any]) -> str:
    return words(obj(document.get("error")).get("message"))
