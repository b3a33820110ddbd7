"""Notes who did what where it matters. An entry outlives the person, the key and what it is about."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from gateway.models import ApiKey, AuditEntry, Workspace


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a key, or whoever may run commands on the machine."""

    who: str
    user_id: int | None = None
    api_key_id: int | None = None

    @classmethod
    def person(cls, user: AbstractBaseUser | AnonymousUser) -> Actor:
        return cls(user.get_username(), user_id=user.pk)

    @classmethod
    def key(cls, key: ApiKey) -> Actor:
        return cls(f"API key {key.name} (…{key.last_four})", api_key_id=key.pk)


COMMAND = Actor("manage.py")


def note(*, workspace: Workspace, actor: Actor, action: str, what: str = "", count: int | None = None) -> None:
    AuditEntry.objects.create(workspace=workspace, who=actor.who[:200], action=action, what=what[:3000], count=count)
