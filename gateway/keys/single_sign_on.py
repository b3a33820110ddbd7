"""Who may come in by single sign-on, as whom, and as what. How they prove who they are is the page's to ask."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from gateway.keys.audit import Actor
from gateway.keys.people import join, set_role
from gateway.models import Identity, Membership, Workspace

log = logging.getLogger(__name__)

Role = Membership.Role
HIGHEST_FIRST = (Role.OWNER, Role.EDITOR, Role.VIEWER)
ANYBODY = "*"
LONGEST_NAME = 140


class NotAdmitted(Exception):
    """They proved who they are, and may not come in; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which workspace a first login joins (none, when empty), and as what.

    With `roles`, the values of `role_claim` decide, at each login. Without, a first login is a `first_role`, and the
    page People says what comes after. With `domains`, an address that the provider has verified must be of one of them.
    """

    workspace: str = "default"
    first_role: Role = Role.VIEWER
    role_claim: str = "groups"
    roles: tuple[tuple[Role, str], ...] = ()
    domains: tuple[str, ...] = ()

    def role(self, claims: Mapping[str, Any]) -> Role:
        """Raises NotAdmitted."""
        self._check_domain(claims)
        if not self.roles:
            return self.first_role
        held = _values(claims, self.role_claim)
        granted = {role for role, value in self.roles if value == ANYBODY or value in held}
        found = next((role for role in HIGHEST_FIRST if role in granted), None)
        if found is None:
            raise NotAdmitted(
                f"None of your {self.role_claim} gives a role here. Ask whoever runs Loupe: LOUPE_OIDC_ROLES names those "
                "that do."
            )
        return found

    def _check_domain(self, claims: Mapping[str, Any]) -> None:
        domain = str(claims.get("email", "")).rpartition("@")[2].lower()
        if self.domains and (
            domain not in {one.lower() for one in self.domains} or claims.get("email_verified") is not True
        ):
            raise NotAdmitted(f"Only verified addresses of {', '.join(self.domains)} come in here.")


def admit(*, rules: Rules, issuer: str, claims: Mapping[str, Any]) -> User:
    """The account of whom the provider vouches for, made at the first login. Raises NotAdmitted.

    An account is found by issuer and subject alone: names and addresses can be given to somebody else.
    """
    try:
        return _admit(rules, issuer, claims)
    except IntegrityError:
        # They came in twice at the same moment, or somebody of the same name did: now there is who was not.
        return _admit(rules, issuer, claims)


@transaction.atomic
def _admit(rules: Rules, issuer: str, claims: Mapping[str, Any]) -> User:
    role, subject = rules.role(claims), str(claims.get("sub", ""))
    if not subject or len(subject) > 255:
        raise NotAdmitted("The provider does not say who you are (sub).")
    known = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    user = known.user if known else _new_account(claims, issuer, subject)
    if not user.is_active:
        raise NotAdmitted("This account is switched off.")
    _give_role(rules, user, role)
    return user


def _give_role(rules: Rules, user: User, role: Role) -> None:
    workspace = Workspace.objects.filter(slug=rules.workspace).first()
    if workspace is None:
        if rules.workspace:
            log.warning("LOUPE_OIDC_WORKSPACE names %s, which does not exist: nobody joins it", rules.workspace)
        return
    actor = Actor(f"single sign-on of {user.get_username()}", user_id=user.pk)
    held = Membership.objects.filter(workspace=workspace, user=user).first()
    if held is None and (rules.roles or not user.last_login):  # whom an owner removed does not come back by themselves
        join(workspace=workspace, user=user, role=role, actor=actor)
    elif held is not None and rules.roles and held.role != role:
        try:
            set_role(membership=held, role=role, actor=actor)
        except ValidationError as error:
            log.warning("%s stays %s of %s: %s", user, held.role, workspace, " ".join(error.messages))


def _new_account(claims: Mapping[str, Any], issuer: str, subject: str) -> User:
    wanted = str(claims.get("preferred_username") or claims.get("email") or claims.get("name") or subject)
    name = _free_name("".join(c for c in wanted if c.isalnum() or c in "@.+-_")[:LONGEST_NAME] or "person")
    user = User(username=name, email=str(claims.get("email", ""))[:254])
    user.set_unusable_password()
    user.save()
    Identity.objects.create(user=user, issuer=issuer, subject=subject)
    return user


def _free_name(name: str) -> str:
    """An account of the same name that was made here is somebody else's until they say otherwise."""
    taken = set(User.objects.filter(username__startswith=name).values_list("username", flat=True))
    return next(one for one in (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)


def _values(claims: Mapping[str, Any], path: str) -> set[str]:
    """Of a claim, which may lie inside of others, as in `realm_access.roles`; a name with dots in it is taken whole first."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    return {str(one) for one in found} if isinstance(found, list) else {str(found)} if found is not None else set()
