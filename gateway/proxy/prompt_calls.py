"""POST /v1/prompts/{id}/completions and /render: a stored prompt and its variables become an ordinary chat call.

`id` is a slug or an id, alone for the published version, or with `@3`, `@latest` or `@label`. What else stands in the body
beats the saved parameters. The shapes are those of Portkey's SDKs (reference/portkey.md, A5).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway.content.json_text import parse
from gateway.content.plain_text import clean_text
from gateway.errors import BadRequest, NotFound, TooLarge
from gateway.keys.in_memory import KeysInMemory
from prompts.language.budget import QUICK_CHARACTERS, Budget, TooMuch
from prompts.language.rendering import Pictures, PromptProblem, render_messages
from prompts.library.lookup import Library, NoSuchPrompt, Served

PATH = re.compile(r"/prompts/(?P<id>[^/]+)/(?P<verb>completions|render)")
ENDPOINT = "/chat/completions"
OWN_FIELDS = frozenset({"variables", "prompt_id", "promptID", "promptId"})
LONGEST_KEPT = 20_000
THREADS = 4


@dataclass(frozen=True, slots=True)
class PromptCall:
    """What the path says."""

    reference: str
    verb: str

    @classmethod
    def of(cls, path: str) -> PromptCall | None:
        match = PATH.fullmatch(path)
        return cls(unquote(match["id"]), match["verb"]) if match else None


@dataclass(frozen=True, slots=True)
class Made:
    """The chat call's body, and what the log says of the prompt behind it."""

    document: dict[str, Any]
    about: dict[str, Any]


class NeedsThread(Exception):
    """Something is not in memory, or takes long: it is to be done again in a thread."""


@dataclass(slots=True)
class PromptCalls:
    """One a process. `fetch` gets a version from the database, `picture` a kept picture of a workspace as a data URL."""

    keys: KeysInMemory
    fetch: Callable[[str, int], Served]
    picture: Callable[[int, str], str]
    body_bytes: int
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "prompts"))

    async def make(self, call: PromptCall, body: bytes, workspace: int, look: Callable[[], Awaitable[None]]) -> Made:
        """The chat call. A prompt that is not known waits for the next look into the database.

        Raises:
            NotFound: no such prompt, version or label. BadRequest: it cannot be rendered with these variables.
        """
        given, is_quick = read_body(body), len(body) <= QUICK_CHARACTERS
        try:
            try:
                made = await self._made(call, given, workspace, is_quick=is_quick)
            except NoSuchPrompt:
                await look()
                made = await self._made(call, given, workspace, is_quick=is_quick)
        except NoSuchPrompt as error:
            raise NotFound(str(error), code="prompt_not_found") from None
        except PromptProblem as error:
            raise BadRequest(str(error), code="prompt_not_rendered", param=error.place or None) from None
        return made

    def from_memory(self, call: PromptCall, given: dict[str, Any], workspace: int) -> Made:
        """What needs neither database nor disk nor long, which is nearly every call.

        Raises:
            NeedsThread: it does. NoSuchPrompt, PromptProblem: it cannot be made.
        """
        library = self.keys.library_of(workspace)
        try:
            return _render(library, call, given, _nothing_fetched, _no_picture, Budget.quick())
        except TooMuch:
            raise NeedsThread from None

    async def _made(self, call: PromptCall, given: dict[str, Any], workspace: int, *, is_quick: bool) -> Made:
        try:
            if not is_quick:  # so many variables take long whatever the template does with them
                raise NeedsThread
            return self.from_memory(call, given, workspace)
        except NeedsThread:
            library = self.keys.library_of(workspace)
            picture = lambda sha256: self.picture(workspace, sha256)  # noqa: E731 - one name less to read
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.threads, _render, library, call, given, self.fetch, picture)

    def encoded(self, made: Made) -> bytes:
        """Raises TooLarge: with its pictures in it, it is more than a call may hold."""
        body = msgspec.json.encode(made.document)
        if len(body) > self.body_bytes:
            raise TooLarge(
                f"The rendered prompt is larger than {self.body_bytes >> 20} MiB, the limit of this gateway."
            )
        return body


def read_body(body: bytes) -> dict[str, Any]:
    try:
        given = parse(body or b"{}")
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.", code="invalid_json") from None
    if not isinstance(given, dict):
        raise BadRequest('The body must be a JSON object such as {"variables": {}}.', code="invalid_body")
    if not isinstance(given.get("variables") or {}, dict):
        raise BadRequest("variables must be an object of names and values.", code="invalid_body", param="variables")
    return given


def _render(
    library: Library,
    call: PromptCall,
    given: dict[str, Any],
    fetch: Callable[[str, int], Served],
    pictures: Pictures,
    budget: Budget | None = None,
) -> Made:
    reference = call.reference
    if reference == "undefined":  # Node code after Portkey's own examples, which name the argument wrongly
        reference = str(given.get("prompt_id") or given.get("promptId") or reference)
    shelf, number, label = library.find(reference)
    served = shelf.versions.get(number) or fetch(shelf.prompt, number)
    variables = given.get("variables") or {}
    overrides = {name: value for name, value in given.items() if name not in OWN_FIELDS and value is not None}
    messages = overrides.pop("messages", None) or render_messages(
        served.template, variables, partials=library.partial_texts(fetch), pictures=pictures, budget=budget
    )
    document = {"model": served.model, "messages": messages, **served.parameters, **overrides}
    if not document["model"]:
        raise PromptProblem(f"{served.slug}@{number} names no model. Save one with it, or send `model` with the call.")
    about = {
        "id": served.prompt,
        "slug": served.slug,
        "version": number,
        "label": label,
        "variables": _kept(variables, dict(_addresses(messages))),
    }
    return Made(document, about)


def _nothing_fetched(prompt: str, number: int) -> Served:
    raise NeedsThread


def _no_picture(sha256: str) -> str:
    raise NeedsThread


def _addresses(messages: Any) -> Iterator[tuple[str, str]]:
    """Where each picture of the messages stands, by its address."""
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        parts = message.get("content") if isinstance(message, dict) else None
        for at, part in enumerate(parts if isinstance(parts, list) else ()):
            link = part.get("image_url") if isinstance(part, dict) else None
            url = link.get("url") if isinstance(link, dict) else link
            if isinstance(url, str):
                end = ".url" if isinstance(link, dict) else ""
                yield url, f"messages[{index}].content[{at}].image_url{end}"
                yield url.partition(";base64,")[2] or url, f"messages[{index}].content[{at}].image_url{end}"


def _kept(value: Any, addresses: dict[str, str]) -> Any:
    """Variables as the log keeps them: a picture by where it stands in the messages, which have it already."""
    if isinstance(value, str):
        if value in addresses:
            return {"picture": addresses[value]}
        cut = f"... ({len(value):,} characters)" if len(value) > LONGEST_KEPT else ""
        return clean_text(value, LONGEST_KEPT) + cut
    if isinstance(value, list):
        return [_kept(one, addresses) for one in value]
    if isinstance(value, dict):
        return {clean_text(str(key), 200): _kept(one, addresses) for key, one in value.items()}
    return value
