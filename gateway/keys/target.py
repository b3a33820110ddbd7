"""A virtual key as the gateway remembers it, and what may stand in its settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.errors import BadRequest
from gateway.providers.base import Provider

ADDRESS_SETTINGS = frozenset({"resource_name", "region", "project_id", "deployment_id"})
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Target:
    """`secret` is opened already; `problem` says why it could not be."""

    id: int
    slug: str
    provider: Provider
    base_url: str
    secret: str = field(default="", repr=False)
    problem: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def check_plain(provider: Provider, settings: Mapping[str, str]) -> None:
    """What fills an address must be plain names: a slash or an @ would lead to another host.

    Raises:
        BadRequest: it holds anything else.
    """
    for one in provider.settings:
        value = settings.get(one.name, "")
        if one.name in ADDRESS_SETTINGS and value and not PLAIN_NAME.fullmatch(value):
            raise BadRequest(
                f"{one.title} {value[:60]!r} is not a plain name of letters, digits and hyphens.",
                code="invalid_setting",
                param=one.header,
            )
