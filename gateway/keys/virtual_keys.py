"""Writes to virtual keys, their secrets sealed. Each moves the revision that the gateway's memory polls."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction
from django.utils import timezone

from gateway.errors import BadRequest
from gateway.keys import audit, vault
from gateway.keys.audit import COMMAND, Actor
from gateway.keys.target import check_plain
from gateway.models import Revision, VirtualKey, Workspace
from gateway.network.addresses import is_link_local
from gateway.providers import by_name
from gateway.providers.base import COMMON, Provider


@transaction.atomic
def create_virtual_key(
    *,
    workspace: Workspace,
    slug: str,
    provider: str,
    secret: str = "",
    base_url: str = "",
    settings: dict[str, str] | None = None,
    actor: Actor = COMMAND,
) -> VirtualKey:
    """A virtual key, its secret sealed to the row and to the origin of its address.

    Raises:
        ValidationError: a slug, provider or address that cannot be used, said in plain words.
    """
    vendor = by_name(provider)
    if vendor is None:
        raise ValidationError(f"Unknown provider {provider!r}.")
    validate_slug(slug)
    settings = _checked_settings(vendor, settings or {}, has_base_url=bool(base_url))
    base_url = _checked_base_url(base_url or vendor.address(settings), needed=not vendor.built_in)
    secret = secret.strip()
    if not secret.replace("\n", "").replace("\r", "").isprintable():
        raise ValidationError("The secret holds control characters; paste it again.")
    if vendor.needs_secret and not secret:
        raise ValidationError(f"{vendor.title} needs a secret: {vendor.key_title}.")
    if VirtualKey.objects.of(workspace).live().filter(slug=slug).exists():
        raise ValidationError(f"The slug {slug!r} is taken; revoke that virtual key first or choose another slug.")
    row = VirtualKey.objects.create(
        workspace=workspace, slug=slug, provider=vendor.name, base_url=base_url, settings=settings
    )
    if secret:
        row.sealed_secret = vault.seal(secret, row=str(row.pk), origin=vault.origin(base_url))
        row.last_four = secret[-4:] if 12 < len(secret) < 500 else ""
        row.save(update_fields=["sealed_secret", "last_four"])
    what = f"@{row.slug}: {row.provider} {row.base_url}".strip()
    audit.note(workspace=workspace, actor=actor, action="virtual key made", what=what)
    Revision.objects.bump()
    return row


@transaction.atomic
def revoke_virtual_key(*, virtual_key: VirtualKey, actor: Actor = COMMAND) -> None:
    """The row stays for its logs; the secret goes at once."""
    VirtualKey.objects.filter(pk=virtual_key.pk).update(revoked_at=timezone.now(), sealed_secret="")
    audit.note(workspace=virtual_key.workspace, actor=actor, action="virtual key revoked", what=f"@{virtual_key.slug}")
    Revision.objects.bump()


def reseal_virtual_keys() -> tuple[int, list[VirtualKey]]:
    """Seal every secret with the first encryption key. Restartable: a row at a time, done rows are passed over.

    Returns:
        How many rows were sealed anew, and those that no key opens.
    """
    done, unreadable = 0, []
    for row in VirtualKey.objects.live().exclude(sealed_secret="").iterator():
        if vault.sealed_with_first_key(row.sealed_secret):
            continue
        bound = {"row": str(row.pk), "origin": vault.origin(row.base_url)}
        try:
            secret = vault.unseal(row.sealed_secret, **bound)
        except vault.SecretUnreadable:
            unreadable.append(row)
            continue
        VirtualKey.objects.filter(pk=row.pk).update(sealed_secret=vault.seal(secret, **bound))
        done += 1
    Revision.objects.bump()
    return done, unreadable


def _checked_settings(vendor: Provider, settings: dict[str, str], *, has_base_url: bool) -> dict[str, str]:
    known = {one.name: one for one in (*vendor.settings, *COMMON) if not one.secret}
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValidationError(
            f"{vendor.title} has no setting {', '.join(unknown)}. It has {', '.join(known) or 'none'}; "
            "secrets are given as the secret, never as a setting."
        )
    given = {name: value.strip() for name, value in settings.items() if value.strip()}
    for name, value in given.items():
        if known[name].choices and value not in known[name].choices:
            raise ValidationError(f"{known[name].title} is one of {', '.join(known[name].choices)}, not {value!r}.")
        if known[name].address:
            given[name] = _checked_base_url(value, needed=True)
    entries = given.get("deployments", "").replace("\n", ",").split(",")
    if any(entry.strip() and "=" not in entry for entry in entries):
        raise ValidationError("Deployments are written alias=deployment, separated by commas.")
    in_paths = "".join(wire.path for _, wire in vendor.wires)
    missing = [
        one.title
        for one in vendor.settings
        if one.required and not given.get(one.name) and (not has_base_url or f"{{{one.name}}}" in in_paths)
    ]
    if missing:
        raise ValidationError(f"{vendor.title} needs {' and '.join(missing)}.")
    try:
        check_plain(vendor, given)
    except BadRequest as error:
        raise ValidationError(error.message) from None
    return given


def _checked_base_url(url: str, *, needed: bool) -> str:
    if not url and not needed:
        return ""
    try:
        parts = urlsplit(url)
        valid_port = parts.port is None or parts.port > 0
    except ValueError:
        raise ValidationError(f"The base URL {url!r} is not an address.") from None
    if is_link_local(parts.hostname or ""):
        raise ValidationError("Addresses of 169.254.0.0/16 and fe80::/10 are a machine's own services, not providers.")
    if (
        not valid_port
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.password
        or parts.query
    ):
        raise ValidationError(
            f"The base URL {url!r} must look like https://host/v1: http or https, no user name, no query."
        )
    return url.rstrip("/")
