"""People are invited by a link that works once, get and lose roles, and a workspace always has an owner."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.logsui.browser import Browser
from tests.loupe import Loupe

PEOPLE = "/w/default/people"


def invited(browser: Browser, role: str) -> str:
    page = browser.post(f"{PEOPLE}/invite", PEOPLE, role=role).text
    found = re.search(r'id="invitation-link">http://[^/]+(/join/[\w-]+)<', page)
    assert found, page
    return found[1]


def joined(loupe: Loupe, path: str, name: str) -> Browser:
    person = Browser(loupe, "")
    password = f"pass-{uuid.uuid4().hex}"
    page = person.post(path, path, username=name, password1=password, password2=password)
    assert page.url.endswith("/w/default/logs"), page.text
    return person


def row_of(browser: Browser, name: str) -> str:
    page = browser.get(PEOPLE).text
    found = re.search(rf"<tr>\s*<td>{name}</td>.*?</tr>", page, re.DOTALL)
    return found[0] if found else ""


def test_somebody_is_invited_joins_is_promoted_and_removed(browser: Browser, loupe: Loupe) -> None:
    name = f"ann-{uuid.uuid4().hex[:8]}"
    link = invited(browser, "viewer")
    person = joined(loupe, link, name)
    assert "Make a link" not in person.get(PEOPLE).text
    assert person.post("/w/default/keys/create", "/account", name="x").status == 403
    assert "used already" in Browser(loupe, "").get(link).text
    number = re.search(r"people/(\d+)/role", row_of(browser, name))
    assert number
    browser.post(f"{PEOPLE}/{number[1]}/role", PEOPLE, role="editor")
    assert person.post("/w/default/keys/create", "/account", name="hers").status == 200
    browser.post(f"{PEOPLE}/{number[1]}/remove", PEOPLE)
    assert person.get(PEOPLE).status == 404
    entries = browser.get("/w/default/audit").text
    for words in (f"{name} as viewer", f"{name} is editor, was viewer", "person removed"):
        assert words in entries


def test_who_is_a_member_already_is_told_and_uses_up_no_invitation(browser: Browser, loupe: Loupe) -> None:
    link = invited(browser, "viewer")
    for _ in range(2):
        told = browser.post(link, link)
        assert (told.status, "a member of Default already" in told.text) == (400, True)
    joined(loupe, link, f"cat-{uuid.uuid4().hex[:8]}")


def test_an_invitation_is_withdrawn(browser: Browser, loupe: Loupe) -> None:
    link = invited(browser, "owner")
    number = re.search(r"invitations/(\d+)/withdraw", browser.get(PEOPLE).text)
    assert number
    browser.post(f"{PEOPLE}/invitations/{number[1]}/withdraw", PEOPLE)
    assert Browser(loupe, "").get(link).status == 403


def test_the_last_owner_stays(browser: Browser, loupe: Loupe) -> None:
    owners = [line.split("\t") for line in loupe.manage("people", "list").splitlines() if "\towner\t" in line]
    for name, *_ in owners:
        if name != "admin":
            loupe.manage("people", "remove", name)
    number = re.search(r"people/(\d+)/role", row_of(browser, "admin"))
    assert number
    for act in (f"{PEOPLE}/{number[1]}/remove", f"{PEOPLE}/{number[1]}/role"):
        answer = browser.post(act, PEOPLE, role="viewer")
        assert answer.status == 400
        assert "last owner" in answer.text
    with pytest.raises(AssertionError, match="last owner"):
        loupe.manage("people", "remove", "admin")


def test_the_command_adds_people_and_a_login_link_makes_none(loupe: Loupe) -> None:
    name = f"bob-{uuid.uuid4().hex[:8]}"
    with pytest.raises(AssertionError, match="people add"):
        loupe.manage("loginlink", name)
    person = Browser(loupe, loupe.add_person(name, "editor"))
    assert f"{name}\teditor\t20" in loupe.manage("people", "list")
    assert person.get(PEOPLE).status == 200
    with pytest.raises(AssertionError, match="already"):
        loupe.manage("people", "add", name)


def test_an_owner_makes_another_workspace_and_is_its_owner(browser: Browser) -> None:
    name = f"Team {uuid.uuid4().hex[:6]}"
    made = browser.post("/account/workspaces", "/account", name=name)
    slug = name.lower().replace(" ", "-")
    assert made.url.endswith(f"/w/{slug}/connect")
    assert browser.get(f"/w/{slug}/people").status == 200
    assert name in browser.get("/account").text
    assert "already" in browser.post("/account/workspaces", "/account", name=name).text
