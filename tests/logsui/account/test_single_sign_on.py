"""Login by a real OpenID Connect provider, there and back, and what is said when it does not vouch for somebody."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.logsui.browser import Browser, Page
from tests.loupe import Loupe, free_port, until

CLIENT = {"LOUPE_OIDC_CLIENT_ID": "loupe", "LOUPE_OIDC_CLIENT_SECRET": "s3cret"}
OwnLoupe = Callable[..., Loupe]


class Provider:
    """`oidc-provider-mock`, in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        program = shutil.which("oidc-provider-mock") or str(Path(sys.executable).parent / "oidc-provider-mock")
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--require-nonce", "true"], stderr=subprocess.DEVNULL
        )
        until(self._answers, "the provider is up")

    def knows(self, sub: str, **claims: object) -> None:
        body = json.dumps(claims).encode()
        asked = urllib.request.Request(
            f"{self.url}/users/{sub}", body, {"content-type": "application/json"}, method="PUT"
        )
        urllib.request.urlopen(asked, timeout=10).close()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/.well-known/openid-configuration", timeout=10).close()
        except OSError:
            return False
        return True


@pytest.fixture
def provider() -> Iterator[Provider]:
    one = Provider()
    yield one
    one.stop()


def there_and_back(browser: Browser, path: str = "/oidc/login", **fields: str) -> Page:
    """Say to the provider who one is; where that ends."""
    asked = browser.get(path).url
    data = urllib.parse.urlencode(fields).encode()
    return browser.send(asked, data)


def test_somebody_comes_in_is_promoted_and_comes_back(own_loupe: OwnLoupe, provider: Provider) -> None:
    loupe = own_loupe(LOUPE_OIDC_ISSUER=provider.url, **CLIENT, LOUPE_OIDC_NAME="Example")
    provider.knows("u1", preferred_username="ann", email="ann@example.com")
    person = Browser(loupe, "")
    page = person.get("/w/default/people")
    assert "Log in with Example" in page.text
    assert "id_password" in page.text
    end = there_and_back(person, "/oidc/login?next=/w/default/people", sub="u1")
    assert (end.status, end.url) == (200, f"{loupe.root}/w/default/people")
    assert "Make a link" not in end.text
    loupe.manage("people", "role", "ann", "--role", "owner")
    other = Browser(loupe, "")
    assert there_and_back(other, sub="u1").url == f"{loupe.root}/w/default/logs"
    assert "single sign-on of ann" in other.get("/w/default/audit").text
    session = next(cookie for cookie in other.jar if cookie.name == "loupe_session")
    assert 11 * 3600 < (session.expires or 0) - time.time() < 12 * 3600 + 1


def test_roles_come_from_a_claim_and_no_password_is_taken(own_loupe: OwnLoupe, provider: Provider) -> None:
    loupe = own_loupe(
        LOUPE_OIDC_ISSUER=provider.url + "/",
        **CLIENT,
        LOUPE_OIDC_ROLES="owner=admins,editor=ml",
        LOUPE_PASSWORDS="off",
    )
    provider.knows("u1", name="Ann", groups=["ml"])
    person = Browser(loupe, "")
    there_and_back(person, sub="u1")
    assert person.post("/w/default/keys/create", "/account", name="mine").status == 200
    provider.knows("u2", name="Eve", groups=["sales"])
    eve = Browser(loupe, "")
    refused = there_and_back(eve, sub="u2")
    assert (refused.status, "None of your groups gives a role here" in refused.text) == (403, True)
    assert eve.get("/").url.endswith("/login?next=/")
    form = eve.get("/login").text
    assert "id_password" not in form
    assert eve.post("/login", "/login", username="admin", password="x").status == 403


def test_what_goes_wrong_is_said_and_nobody_is_let_in(own_loupe: OwnLoupe, provider: Provider) -> None:
    loupe = own_loupe(LOUPE_OIDC_ISSUER=provider.url, **CLIENT)
    person, thief = Browser(loupe, ""), Browser(loupe, "")
    denied = there_and_back(person, sub="u1", action="deny")
    assert (denied.status, "access_denied" in denied.text) == (403, True)
    for query in ("code=x&state=y", "code=x", "state=y", "", "error=a&error_description=<script>"):
        answer = thief.get(f"/oidc/callback?{query}".replace("<", "%3C").replace(">", "%3E"))
        assert (answer.status, "<script>" in answer.text) == (403, False), query
    assert thief.get("/").url.endswith("/login?next=/")
    elsewhere = there_and_back(person, "/oidc/login?next=https://evil.example/", sub="u1")
    assert elsewhere.url == f"{loupe.root}/w/default/logs"
    stranger = Browser(loupe, "")
    stranger.get("/oidc/login")
    begun = next(cookie for cookie in stranger.jar if cookie.name == "loupe_session")
    assert (begun.expires or 0) - time.time() < 15 * 60 + 1  # whoever only begins leaves nothing for long
    asked = person.get("/oidc/login").url
    provider.stop()
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(asked).query)["state"][0]
    answer = person.get(f"/oidc/callback?code=x&state={code}")
    assert (answer.status, "cannot be reached" in answer.text) == (403, True)


def test_a_provider_that_is_away_is_told_of(own_loupe: OwnLoupe) -> None:
    loupe = own_loupe(LOUPE_OIDC_ISSUER=f"http://127.0.0.1:{free_port()}", **CLIENT)
    answer = Browser(loupe, "").get("/oidc/login")
    assert (answer.status, "cannot be reached" in answer.text) == (502, True)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"LOUPE_OIDC_ISSUER": "https://x", "LOUPE_OIDC_CLIENT_ID": "loupe"}, "LOUPE_OIDC_CLIENT_SECRET"),
        ({"LOUPE_PASSWORDS": "off"}, "no way to log in"),
        ({"LOUPE_OIDC_ROLES": "admin=x"}, "owner=group"),
        ({"LOUPE_OIDC_ROLES": "owner"}, "owner=group"),
        ({"LOUPE_OIDC_ROLE": "king"}, "owner, editor, viewer"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_the_start(tmp_path: Path, env: dict[str, str], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        Loupe(tmp_path, **env).manage("apikey", "list")
