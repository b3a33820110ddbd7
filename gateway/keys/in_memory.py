"""Keys, virtual keys and prompts in memory, so that no call waits for the database. Follows their revisions within a second."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import Error, connection
from django.utils import timezone

from gateway.errors import Forbidden, NotRecorded, Unauthorized
from gateway.keys import vault
from gateway.keys.allowance import Allowance
from gateway.keys.target import Target
from gateway.models import ApiKey, Revision, VirtualKey
from gateway.providers import by_name
from prompts.library import loading
from prompts.library.lookup import Library

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whose gateway key it is and what it may do."""

    id: int
    workspace: int
    scopes: frozenset[str]
    expires_at: datetime | None
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """All keys at one revision, all prompts at one. Replaced as a whole, so that nothing of an older one is mixed in."""

    revision: int = -1
    prompt_revision: int = -1
    libraries: dict[int, Library] = field(default_factory=dict)
    keys: dict[str, KeyHolder] = field(default_factory=dict)
    targets: dict[int, dict[str, Target]] = field(default_factory=dict)
    met: dict[str, KeyHolder] = field(default_factory=dict, repr=False)

    def holder(self, key: str) -> KeyHolder | None:
        """Who holds a gateway key. Remembered once it was met, for hashing is dear on the fast path."""
        holder = self.met.get(key) or self.keys.get(vault.digest(key))
        if holder is not None:
            self.met[key] = holder
        return holder


@dataclass(slots=True)
class KeysInMemory:
    """What the gateway knows by heart. `follow` reads the database, in a thread that keeps its connection."""

    known: Known = field(default_factory=Known)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "keys"), repr=False)

    @property
    def ready(self) -> bool:
        return self.known.revision >= 0

    def authenticate(self, key: str, scope: str) -> KeyHolder:
        """The holder of a gateway key.

        Raises:
            Unauthorized: no key, or not a live one. Forbidden: the key lacks the scope.
        """
        if not self.ready:
            raise NotRecorded("Loupe is starting: its keys are not loaded yet.", code="not_ready")
        if not key:
            raise Unauthorized(
                "No gateway key. Send it as x-portkey-api-key or as Authorization: Bearer; "
                "keys are made on the page Keys or with `manage.py apikey create NAME`.",
                code="missing_api_key",
            )
        holder = self.known.holder(key)
        if holder is None:
            raise Unauthorized("The gateway key is not known here, or it was revoked. Make one on the page Keys.")
        if holder.expires_at and holder.expires_at <= timezone.now():
            raise Unauthorized("The gateway key has expired. Make a new one on the page Keys.", code="expired_api_key")
        if scope not in holder.scopes:
            raise Forbidden(f"The gateway key lacks the scope {scope}.", code="missing_scope")
        return holder

    @property
    def workspaces(self) -> set[int]:
        """Those that have a key of either kind."""
        return {holder.workspace for holder in self.known.keys.values()} | set(self.known.targets)

    def allowance_of(self, api_key: int) -> Allowance:
        """What a key may call; everything, when nothing is forbidden."""
        found = next((one.allowance for one in self.known.keys.values() if one.id == api_key), None)
        return found or Allowance()

    def targets_of(self, workspace: int) -> dict[str, Target]:
        return self.known.targets.get(workspace, {})

    def library_of(self, workspace: int) -> Library:
        return self.known.libraries.get(workspace) or Library()

    async def follow(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self.thread, self.refresh)

    def refresh(self) -> None:
        """Reload what moved; on a dead database keep what is known."""
        try:
            number = Revision.objects.values_list("number", flat=True).first()
            if number is not None and number != self.known.revision:
                self.known = replace(self.known, revision=number, keys=_load_keys(), targets=_load_targets(), met={})
            changed = loading.revision()
            if changed != self.known.prompt_revision:
                self.known = replace(self.known, prompt_revision=changed, libraries=loading.libraries())
        except Error as error:
            log.warning("keys and prompts were not reloaded, the database does not answer: %s", error)
            connection.close()


def _load_keys() -> dict[str, KeyHolder]:
    return {
        row.digest: KeyHolder(
            row.pk,
            row.workspace_id,
            frozenset(row.scopes),
            row.expires_at,
            Allowance.of(row.allowed_models, row.allowed_virtual_keys),
        )
        for row in ApiKey.objects.live()
    }


def _load_targets() -> dict[int, dict[str, Target]]:
    targets: dict[int, dict[str, Target]] = {}
    for row in VirtualKey.objects.live():
        target = target_of(row)
        if target is not None:
            targets.setdefault(row.workspace_id, {})[row.slug] = target
    return targets


def target_of(row: VirtualKey) -> Target | None:
    """A stored virtual key, opened; None when its provider is not known to this version."""
    provider = by_name(row.provider)
    if provider is None:
        log.warning("virtual key @%s names the provider %r, which this version does not know", row.slug, row.provider)
        return None
    secret = problem = ""
    if row.sealed_secret:
        try:
            secret = vault.unseal(row.sealed_secret, row=str(row.pk), origin=vault.origin(row.base_url))
        except vault.SecretUnreadable as error:
            problem = str(error)
            log.error("the secret of virtual key @%s cannot be read: %s", row.slug, problem)
    return Target(row.pk, row.slug, provider, row.base_url, secret, problem, row.settings)
