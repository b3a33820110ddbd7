"""Tries a virtual key on its provider, and says in plain words what is wrong when it does not work."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Literal

import httpx2
import msgspec
from django.conf import settings

from gateway.content.json_text import obj, parsed_or_none
from gateway.content.redaction import without_secrets
from gateway.errors import GatewayError
from gateway.keys.target import Target
from gateway.network.http_client import Pool, Reply
from gateway.providers.base import Probe
from gateway.upstream.credentials import Credentials, plain_headers
from gateway.upstream.provider_errors import retold
from gateway.upstream.route import Route

SECONDS = 10.0
READ_BYTES = 100_000
Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and the beginning of the body."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of the try; `unclear` when the provider answered in a way that proves neither."""

    verdict: Literal["ok", "failed", "unclear"]
    words: str


def check(target: Target) -> Finding:
    """Ask the provider for something small that only a good credential gets."""
    if target.provider.built_in:
        return Finding("ok", "Built in: nothing to reach.")
    if target.problem:
        return Finding("failed", f"The secret cannot be used: {target.problem}.")
    probe = target.provider.probe
    route = Route(target.provider, target.base_url, probe.model, target.id, target.secret, target.settings)
    began = time.monotonic()
    try:
        answer = asyncio.run(_ask(route, probe))
    except GatewayError as error:
        return Finding("failed", error.message)
    except (httpx2.TimeoutException, TimeoutError):
        return Finding("failed", f"{_host(route)} did not answer within {SECONDS:.0f} s. Is a firewall in between?")
    except httpx2.InvalidURL:
        return Finding("failed", "The base URL is not an address. Make the virtual key anew.")
    except httpx2.RequestError as error:
        return Finding("failed", f"{_host(route)} was not reached: {_plain(error)}. Check the base URL.")
    return _judged(route, probe, answer, (time.monotonic() - began) * 1000)


async def _ask(route: Route, probe: Probe) -> Answer:
    url = route.wire_url("/chat/completions", stream=False) if probe.body else route.url(probe.path, "")
    body = msgspec.json.encode(probe.body) if probe.body else b""
    method = "POST" if body else "GET"
    headers = [*route.provider.headers.items(), ("content-type", "application/json"), ("user-agent", "loupe/0.1")]
    headers.append(("accept-encoding", "identity"))
    shown = plain_headers(route)
    if shown is None:
        shown = await Credentials(settings.CUSTOM_HOSTS, settings.PROVIDER_GUARD).headers(
            route, method, url, headers, body
        )
    pool = Pool(connect_seconds=SECONDS, idle_seconds=SECONDS, guard=settings.PROVIDER_GUARD)
    try:
        async with asyncio.timeout(SECONDS):
            reply = await pool.send(method, url, [*headers, *shown], body)
            return reply.status, dict(reply.headers), await _first_bytes(reply)
    finally:
        await pool.close()


async def _first_bytes(reply: Reply) -> bytes:
    """Enough to read an error; whoever answers here may send without end."""
    read = b""
    while len(read) <= READ_BYTES and (chunk := await reply.read()):
        read += chunk
    return read


def _judged(route: Route, probe: Probe, answer: Answer, milliseconds: float) -> Finding:
    title, (status, headers, body) = route.provider.title, answer
    if status < 300 or status in probe.proves:
        return Finding("ok", f"{title} accepts it ({milliseconds:.0f} ms).")
    told = retold(status, body, headers, route.provider.name).body
    said = str(obj(parsed_or_none(told)).get("message")).removeprefix(f"{route.provider.name} answered {status}: ")
    reason = without_secrets(said, route.secrets)[:300]
    if status in (401, 403) or (status == 400 and re.search(r"key|credential|token", reason, re.IGNORECASE)):
        return Finding("failed", f"{title} refuses the secret ({status}): {reason}")
    if status == 404:
        return Finding(
            "failed", f"{_host(route)} answers, but has no {probe.path or 'such model'} ({reason}). Check the base URL."
        )
    if status == 429:
        return Finding("unclear", f"{title} knows the secret but is over its limit now: {reason}")
    return Finding("unclear", f"{title} answered {status}: {reason}")


def _host(route: Route) -> str:
    return httpx2.URL(route.base_url).host if route.base_url else route.provider.title


def _plain(error: httpx2.RequestError) -> str:
    text = str(error).rpartition("] ")[2]
    return text or type(error).__name__
