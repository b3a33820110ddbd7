"""Login by link and by password."""

from __future__ import annotations

import uuid

from tests.logsui.browser import Browser
from tests.loupe import Loupe


def test_a_login_link_works_once(loupe: Loupe) -> None:
    link = loupe.manage("loginlink", "--base", loupe.root)
    first, second = Browser(loupe, link), Browser(loupe, link)
    assert first.get("/").url.endswith("/w/default/logs")
    assert second.get("/").url.startswith(f"{loupe.root}/login")
    assert second.get(link.removeprefix(loupe.root)).status == 403


def test_a_password_can_be_set_and_then_logs_in(loupe: Loupe) -> None:
    name, password = f"ada-{uuid.uuid4().hex[:6]}", "correct horse battery"
    person = Browser(loupe, loupe.manage("loginlink", name, "--base", loupe.root))
    assert person.post("/account", new_password1="short", new_password2="short").status == 200
    assert "Password set" in person.post("/account", new_password1=password, new_password2=password).text
    again = Browser(loupe, "")
    assert again.post("/login", username=name, password="wrong").url.endswith("/login")
    assert again.post("/login", username=name, password=password).url.endswith("/w/default/logs")


def test_guessing_passwords_is_slowed(loupe: Loupe) -> None:
    guesser = Browser(loupe, "")
    name = f"nobody-{uuid.uuid4().hex[:6]}"
    statuses = [guesser.post("/login", username=name, password=str(n)).status for n in range(12)]
    assert (statuses[:10], statuses[10:]) == ([200] * 10, [429] * 2)
