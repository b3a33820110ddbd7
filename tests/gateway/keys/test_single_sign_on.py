"""Who comes in by single sign-on: found by issuer and subject alone, with the role that the rules give."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from gateway.keys.audit import COMMAND
from gateway.keys.people import add_person, create_workspace, forget_old_sessions, remove_person
from gateway.keys.single_sign_on import NotAdmitted, Rules, admit
from gateway.models import Membership, Workspace
from tests.databases import default_database

pytestmark = pytest.mark.django_db

Role = Membership.Role
ANYBODY = Rules()
ISSUER = "https://login.example.com"
GOVERNED = Rules(role_claim="realm.roles", roles=((Role.OWNER, "admins"), (Role.EDITOR, "ml"), (Role.VIEWER, "*")))


@pytest.fixture(autouse=True)
def workspace() -> Workspace:
    return create_workspace(slug="default", name="Default")


def come(rules: Rules = ANYBODY, sub: str = "1", issuer: str = ISSUER, **claims: Any) -> User:
    user = admit(rules=rules, issuer=issuer, claims={"sub": sub, "preferred_username": "ann"} | claims)
    User.objects.filter(pk=user.pk).update(last_login=timezone.now())
    return user


def role(user: User) -> str | None:
    return Membership.objects.filter(user=user).values_list("role", flat=True).first()


def test_a_first_login_makes_a_viewer_and_the_next_finds_the_same_account() -> None:
    first = come()
    assert (first.username, role(first), first.has_usable_password()) == ("ann", "viewer", False)
    assert come(preferred_username="ann.smith").pk == first.pk


def test_an_account_is_never_found_by_its_name_or_address(workspace: Workspace) -> None:
    mine = add_person(workspace=workspace, username="ann", role=Role.OWNER, actor=COMMAND).user
    for number, sub, issuer in ((2, "1", ISSUER), (3, "2", ISSUER), (4, "1", "https://other.example.com")):
        other = come(sub=sub, issuer=issuer, email=mine.email)
        assert (other.username, role(other)) == (f"ann-{number}", "viewer")


def test_roles_follow_the_claim_at_each_login(workspace: Workspace) -> None:
    add_person(workspace=workspace, username="root", role=Role.OWNER, actor=COMMAND)
    for groups, held in ((["ml"], "editor"), (["x", "admins", "ml"], "owner"), ([], "viewer"), ("ml", "editor")):
        assert role(come(GOVERNED, realm={"roles": groups})) == held
    assert role(come(Rules(role_claim="a.b", roles=((Role.EDITOR, "x"),)), **{"a.b": ["x"]})) == "editor"


def test_the_last_owner_stays_one() -> None:
    assert role(come(GOVERNED, realm={"roles": ["admins"]})) == "owner"
    assert role(come(GOVERNED, realm={"roles": ["ml"]})) == "owner"


def test_without_roles_the_people_page_says_what_comes_after_the_first_login() -> None:
    user = come()
    membership = Membership.objects.get(user=user)
    Membership.objects.filter(pk=membership.pk).update(role=Role.EDITOR)
    assert role(come()) == "editor"
    remove_person(membership=membership, actor=COMMAND)
    assert role(come()) is None


@pytest.mark.parametrize(
    ("rules", "claims", "words"),
    [
        (Rules(roles=((Role.OWNER, "admins"),)), {"groups": ["sales"]}, "None of your groups"),
        (Rules(roles=((Role.OWNER, "admins"),)), {}, "None of your groups"),
        (Rules(domains=("example.com",)), {"email": "a@evil.com", "email_verified": True}, "example.com"),
        (Rules(domains=("example.com",)), {"email": "a@example.com"}, "verified"),
        (Rules(domains=("example.com",)), {"email": "a@example.com", "email_verified": False}, "verified"),
        (Rules(domains=("example.com",)), {"email": "a@sub.example.com", "email_verified": True}, "example.com"),
        (Rules(), {"sub": ""}, "who you are"),
    ],
)
def test_who_may_not_come_in_gets_no_account(rules: Rules, claims: dict[str, Any], words: str) -> None:
    with pytest.raises(NotAdmitted, match=words):
        come(rules, **claims)
    assert not User.objects.exists()


def test_an_address_of_the_domain_comes_in_and_an_account_that_is_off_does_not() -> None:
    user = come(Rules(domains=("Example.com",)), email="a@EXAMPLE.com", email_verified=True)
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(NotAdmitted, match="switched off"):
        come()


def test_sessions_whose_time_is_over_are_forgotten_and_others_not() -> None:
    for seconds in (-1, 60):
        session = SessionStore()
        session.set_expiry(seconds)
        session["x"] = seconds
        session.save()
    forget_old_sessions()
    assert [one.get_decoded()["x"] for one in Session.objects.all()] == [60]


def test_who_comes_in_for_the_first_time_in_two_windows_at_once_has_one_account(
    request: pytest.FixtureRequest,
) -> None:
    url, together = request.getfixturevalue("migrated_postgres")(), Barrier(4)

    def come_in(_: int) -> int:
        with default_database(url):
            together.wait()
            return admit(rules=ANYBODY, issuer=ISSUER, claims={"sub": "1", "name": "ann"}).pk

    for _ in range(5):
        with ThreadPoolExecutor(4) as windows:
            assert len(set(windows.map(come_in, range(4)))) == 1
        with default_database(url):
            User.objects.all().delete()
