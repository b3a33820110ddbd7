"""Writes to gateway keys. Each moves the revision that the gateway's memory polls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from gateway.keys import audit, vault
from gateway.keys.audit import COMMAND, Actor
from gateway.models import ApiKey, Revision, VirtualKey, Workspace

DEFAULT_SCOPES = ("completions.write", "prompts.use", "logs.read")
SCOPES = (*DEFAULT_SCOPES, "prompts.write", "logs.delete")
MOST_MODELS = 100
MODEL_PATTERN = re.compile(r"[^\s,?\[\]]{1,200}")
MAY = {
    "completions.write": "call models",
    "prompts.use": "call prompts",
    "logs.read": "read logs and their pictures",
    "prompts.write": "change prompts, labels and folders",
    "logs.delete": "delete logs",
}


@transaction.atomic
def create_api_key(
    *,
    workspace: Workspace,
    name: str,
    scopes: tuple[str, ...] = DEFAULT_SCOPES,
    allowed_models: Sequence[str] = (),
    allowed_virtual_keys: Sequence[str] = (),
    expires_at: datetime | None = None,
    actor: Actor = COMMAND,
    is_inner: bool = False,
) -> tuple[ApiKey, str]:
    """The row, and the key itself, which is nowhere kept."""
    name = name.strip()
    if not name:
        raise ValidationError("A key needs a name, so that you know it again.")
    unknown = set(scopes) - set(SCOPES)
    if unknown:
        raise ValidationError(f"Unknown scope {', '.join(sorted(unknown))}; known: {', '.join(SCOPES)}.")
    _check_allowed(workspace, allowed_models, allowed_virtual_keys)
    key = vault.new_gateway_key()
    row = ApiKey.objects.create(
        workspace=workspace,
        name=name[:100],
        digest=vault.digest(key),
        last_four=key[-4:],
        scopes=list(scopes),
        allowed_models=list(allowed_models),
        allowed_virtual_keys=list(allowed_virtual_keys),
        expires_at=expires_at,
        made_by=actor.who[:200],
        is_inner=is_inner,
    )
    if not is_inner:
        audit.note(workspace=workspace, actor=actor, action="API key made", what=f"{row.name}: {_allowed(row)}")
    Revision.objects.bump()
    return row, key


def _check_allowed(workspace: Workspace, models: Sequence[str], virtual_keys: Sequence[str]) -> None:
    wrong = next((one for one in models if not MODEL_PATTERN.fullmatch(one)), None)
    if wrong is not None or len(models) > MOST_MODELS:
        raise ValidationError(
            f"At most {MOST_MODELS} names of models, such as gpt-4o, gpt-4* or @slug/*, in which * stands for anything"
            f"{f'; {wrong[:100]!r} is none' if wrong is not None else ''}."
        )
    known = set(VirtualKey.objects.of(workspace).live().values_list("slug", flat=True))
    unknown = sorted(set(virtual_keys) - known)
    if unknown:
        raise ValidationError(
            f"There is no virtual key {', '.join(f'@{one}' for one in unknown)}; known: {', '.join(sorted(known))}."
        )


def _allowed(row: ApiKey) -> str:
    """What a key may do, for the audit."""
    return ", ".join(row.scopes) + (f"; only {row.only}" if row.only else "")


def create_passing_key(*, workspace: Workspace, name: str, lifetime: timedelta) -> str:
    """A key for a moment, alone. Those of the same name whose time is over go."""
    now = timezone.now()
    ApiKey.objects.of(workspace).filter(name=name[:100], expires_at__lt=now).delete()
    return create_api_key(workspace=workspace, name=name, expires_at=now + lifetime, is_inner=True)[1]


@transaction.atomic
def revoke_api_key(*, api_key: ApiKey, actor: Actor = COMMAND) -> None:
    if ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.note(workspace=api_key.workspace, actor=actor, action="API key revoked", what=api_key.name)
    Revision.objects.bump()
