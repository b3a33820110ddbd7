"""Login by link and by password."""

from __future__ import annotations

import http.client
import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.utils import timezone

from gateway.models import LoginTries
from logsui.account.tries import Tries
from tests.gateway.processes.test_durability import processes
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
    person = Browser(loupe, loupe.add_person(name, "editor"))
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


def person_with_password(loupe: Loupe, password: str) -> tuple[str, Browser]:
    name = f"ada-{uuid.uuid4().hex[:6]}"
    person = Browser(loupe, loupe.add_person(name, "editor"))
    person.post("/account", new_password1=password, new_password2=password)
    return name, person


def test_good_logins_are_not_counted(loupe: Loupe) -> None:
    name, _ = person_with_password(loupe, "correct horse battery")
    for _ in range(14):
        assert Browser(loupe, "").post("/login", username=name, password="correct horse battery").url.endswith("/logs")
    again = Browser(loupe, "")
    statuses = [again.post("/login", username=name, password=f"wrong {n}").status for n in range(11)]
    assert statuses == [200] * 10 + [429]


def test_a_new_password_asks_for_the_old_one(loupe: Loupe) -> None:
    old, new = "correct horse battery", "another fine password"
    name, _ = person_with_password(loupe, old)
    person = Browser(loupe, "")
    person.post("/login", username=name, password=old)
    assert "Old password" in person.get("/account").text
    assert "Password set" not in person.post("/account", new_password1=new, new_password2=new).text
    wrong = person.post("/account", old_password="no", new_password1=new, new_password2=new)
    assert "Password set" not in wrong.text
    assert "Password set" in person.post("/account", old_password=old, new_password1=new, new_password2=new).text


def test_a_login_link_is_the_way_back_when_the_old_password_is_lost(loupe: Loupe) -> None:
    name, _ = person_with_password(loupe, "correct horse battery")
    person = Browser(loupe, loupe.manage("loginlink", name, "--base", loupe.root))
    assert "Old password" not in person.get("/account").text


@pytest.mark.django_db
def test_an_address_that_is_wrong_too_often_keeps_others_of_it_out_of_nothing() -> None:
    address = uuid.uuid4().hex
    assert all(Tries(address, f"name {n}").begin() for n in range(200))
    assert [Tries(address, "name 0").begin() for _ in range(4)] == [True, True, False, False]
    good = Tries(address, "ada")
    assert good.begin()
    good.succeeded()
    assert [good.begin() for _ in range(4)] == [True, True, True, False]


def test_passwords_are_hashed_with_argon2() -> None:
    assert make_password("x").startswith("argon2$argon2id$")


def test_pages_are_kept_by_nobody_and_stand_in_no_frame(loupe: Loupe) -> None:
    browser = Browser(loupe)
    for path in ("/login", "/account", "/w/default/logs", "/w/default/keys"):
        headers = browser.get(path).headers
        assert (headers["cache-control"], headers["x-frame-options"]) == ("no-store", "DENY"), path


def test_under_https_the_cookies_are_this_hosts_alone(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(LOUPE_HTTPS="on")
    path = loupe.link.removeprefix(loupe.root)
    status, headers, _ = loupe.call("/login", headers={"x-forwarded-proto": "https"})
    assert status == 200
    assert headers["set-cookie"].startswith("__Host-loupe_csrf=")
    with closing(http.client.HTTPConnection("127.0.0.1", loupe.port)) as connection:
        connection.request("GET", path, headers={"x-forwarded-proto": "https"})
        cookies = connection.getresponse().headers.get_all("set-cookie") or []
    session = next(one for one in cookies if "loupe_session" in one)
    assert session.startswith("__Host-loupe_session=")
    assert "Secure" in session
    assert "Path=/" in session


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database")
def test_all_processes_of_all_machines_count_together() -> None:
    tries = Tries(uuid.uuid4().hex, "ada")
    for _ in range(10):
        cache.clear()  # as in a process that has seen none of them
        assert tries.begin()
    cache.clear()
    assert not tries.begin()
    LoginTries.objects.update(ends_at=timezone.now())
    cache.clear()
    assert tries.begin(), "a quarter of an hour later"


@pytest.mark.django_db
def test_an_address_has_an_end_of_tries_whatever_the_names() -> None:
    address = uuid.uuid4().hex
    assert all(Tries(address, f"name {n}").begin() for n in range(1000))
    assert not Tries(address, "one more").begin()


@pytest.mark.django_db
def test_a_count_that_was_forgotten_breaks_no_login() -> None:
    tries = Tries(uuid.uuid4().hex, "ada")
    tries.begin()
    cache.clear()
    tries.succeeded()
    assert tries.begin()


def test_many_wrong_passwords_at_once_take_the_memory_of_a_few(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    browsers = [Browser(loupe, "") for _ in range(24)]

    def wrong(browser: Browser) -> int:
        return browser.post("/login", username=uuid.uuid4().hex, password="wrong").status

    with ThreadPoolExecutor(24) as threads:
        statuses = set(threads.map(wrong, browsers))
        assert loupe.call("/healthz")[0] == 200
    assert statuses <= {200, 429}
    peaks = [
        int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
        for pid in processes(loupe, "serve")
    ]
    assert max(peaks) < 700 * 1024
