"""Keys made on the page work; the form of a virtual key follows its provider, and its test says what is wrong."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest

from gateway.providers import PROVIDERS
from gateway.providers.base import Provider
from tests.conftest import Stage
from tests.fake_upstream import FakeUpstream, response
from tests.logsui.browser import Browser
from tests.loupe import Loupe, free_port, until

KEYS = "/w/default/keys"
CREATE = "/w/default/virtual-keys/create"


@pytest.mark.parametrize("provider", [one for one in PROVIDERS if not one.built_in], ids=lambda one: one.name)
def test_the_form_shows_just_the_fields_of_the_provider(browser: Browser, provider: Provider) -> None:
    page = browser.get(f"/w/default/virtual-keys/fields?provider={provider.name}")
    shown = set(re.findall(r'name="set-(\w+)"', page.text))
    assert page.status == 200
    assert shown == {one.name for one in provider.settings if not one.secret}
    assert provider.key_title in page.text


def test_without_javascript_the_page_itself_has_the_fields(browser: Browser) -> None:
    assert 'name="set-resource_name"' in browser.get(f"{KEYS}?provider=azure-openai").text


def test_an_azure_key_is_made_and_called_through_its_deployments(browser: Browser, stage: Stage) -> None:
    slug = f"azure-{uuid.uuid4().hex[:8]}"
    root = stage.base_url.removesuffix("/v1")
    made = browser.post(
        CREATE, KEYS, provider="azure-openai", slug=slug, secret="azure-secret", base_url=root,
        **{"set-deployments": "eye=gpt4o-eu", "set-api_version": "2024-10-21"},
    )  # fmt: skip
    assert f"@{slug} is ready" in made.text
    assert stage.chat({"model": f"@{slug}/eye"})[0] == 200
    sent = stage.case.requests[0]
    assert sent.path == "/openai/deployments/gpt4o-eu/chat/completions?api-version=2024-10-21"
    assert sent.header("api-key") == "azure-secret"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"provider": "azure-openai", "secret": "x"}, "Azure OpenAI needs Resource"),
        ({"provider": "vertex-ai", "secret": "x"}, "Vertex AI needs Project"),
        ({"provider": "azure-openai", "secret": "x", "set-resource_name": "evil.example/a"}, "is not a plain name"),
        (
            {"provider": "azure-openai", "secret": "x", "set-resource_name": "a", "set-deployments": "b"},
            "alias=deployment",
        ),
        ({"provider": "anthropic"}, "Anthropic needs a secret"),
    ],
)
def test_a_form_that_cannot_be_used_says_why_and_keeps_what_was_typed(
    browser: Browser, fields: dict[str, str], says: str
) -> None:
    page = browser.post(CREATE, KEYS, slug="typed-slug", **fields)
    assert says in page.text
    assert 'value="typed-slug"' in page.text
    assert f'<option value="{fields["provider"]}" selected>' in page.text
    assert fields.get("set-resource_name", "") in page.text


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, {"object": "list", "data": []}, "OpenAI accepts it"),
        (401, {"error": {"message": "Incorrect API key provided: sk-up"}}, "OpenAI refuses the secret (401)"),
        (404, {"error": {"message": "no such page"}}, "Check the base URL"),
        (429, {"error": {"message": "slow down"}}, "over its limit"),
        (500, b"<html><h1>Oops</h1></html>", "OpenAI answered 500: Oops"),
    ],
)
def test_the_test_of_a_key_explains_what_the_provider_said(
    browser: Browser, stage: Stage, status: int, body: object, says: str
) -> None:
    stage.case.will(response(status, body))
    page = browser.post(button_of(browser, stage.slug), KEYS)
    assert f"@{stage.slug}: " in page.text
    assert says in page.text
    assert stage.case.requests[0].path == "/v1/models"
    assert stage.case.requests[0].header("authorization") == f"Bearer {stage.secret}"
    assert stage.secret not in page.text


def test_a_host_that_is_not_there_is_said_to_be_not_reached(browser: Browser, loupe: Loupe) -> None:
    slug = f"gone-{uuid.uuid4().hex[:8]}"
    loupe.add_virtual_key(slug, f"http://127.0.0.1:{free_port()}/v1")
    assert "127.0.0.1 was not reached" in browser.post(button_of(browser, slug), KEYS).text


def test_a_gemini_key_is_tried_in_geminis_way(browser: Browser, loupe: Loupe, upstream: FakeUpstream) -> None:
    slug = f"gem-{uuid.uuid4().hex[:8]}"
    case = upstream.on(slug).will(
        response(400, {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}})
    )
    loupe.add_virtual_key(slug, f"http://127.0.0.1:{upstream.port}/{slug}/v1beta", "AIza-secret-of-mine", "google")
    page = browser.post(button_of(browser, slug), KEYS)
    assert "Gemini (AI Studio) refuses the secret (400): API key not valid." in page.text
    assert (case.requests[0].path, case.requests[0].header("x-goog-api-key")) == (
        "/v1beta/models",
        "AIza-secret-of-mine",
    )


def button_of(browser: Browser, slug: str) -> str:
    """Where the *Test* button of a virtual key leads."""
    row = browser.get(KEYS).text.partition(f"@{slug}</td>")[2]
    found = re.search(r'action="([^"]+/test)"', row)
    assert found, slug
    return found[1]


def test_a_key_made_on_the_page_works_and_revoked_there_stops(loupe: Loupe, browser: Browser) -> None:
    name = f"page-{uuid.uuid4().hex[:6]}"
    page = browser.post("/w/default/keys/create", page="/w/default/keys", name=name)
    key = re.findall(r'id="new-key">(lp_[\w-]+)<', page.text)[0]
    until(lambda: loupe.call("/v1/models", headers={"x-portkey-api-key": key})[0] == 200, "the key works")
    row = re.search(
        rf'<tr><td class="key-name">{name}</td>.*?/keys/(\d+)/revoke', browser.get("/w/default/keys").text, re.S
    )
    assert row is not None
    assert key not in browser.get("/w/default/keys").text
    browser.post(f"/w/default/keys/{row[1]}/revoke", page="/w/default/keys")
    until(lambda: loupe.call("/v1/models", headers={"x-portkey-api-key": key})[0] == 401, "the key is refused")


def test_a_virtual_key_made_on_the_page_works_and_mistakes_are_explained(stage: Stage, browser: Browser) -> None:
    slug = f"vk-{uuid.uuid4().hex[:6]}"
    add: Callable[..., str] = lambda **f: (
        browser.post("/w/default/virtual-keys/create", page="/w/default/keys", **f).text
    )
    assert "OpenAI needs a secret: API key" in add(slug=slug, provider="openai", base_url="", secret="")
    assert "must look like https://host/v1" in add(slug=slug, provider="openai", base_url="ftp://x", secret="s")
    assert f"@{slug} is ready" in add(slug=slug, provider="openai", base_url=stage.base_url, secret="sk-from-the-page")
    assert "is taken" in add(slug=slug, provider="openai", base_url=stage.base_url, secret="x")
    assert "sk-from-the-page" not in browser.get("/w/default/keys").text
    until(lambda: stage.chat({"model": f"@{slug}/m"})[0] == 200, "the virtual key works")
    assert stage.case.requests[-1].header("authorization") == "Bearer sk-from-the-page"


def test_a_key_may_what_was_ticked_until_its_day_and_says_who_made_it(browser: Browser, stage: Stage) -> None:
    name = f"reader {uuid.uuid4().hex[:8]}"
    page = browser.post(f"{KEYS}/create", KEYS, name=name, scope="logs.read", life="30 days")
    found = re.search(r'id="new-key">(\w+)<', page.text)
    assert found
    key = {"x-portkey-api-key": found[1]}
    assert stage.loupe.call("/v1/logs", headers=key)[0] == 200
    assert until(lambda: stage.chat(x_portkey_api_key=found[1])[0] == 403 or None, "it calls no models")
    row = re.search(rf'<tr>\s*<td class="key-name">{name}</td>.*?</tr>', page.text, re.DOTALL)
    assert row
    for words in ("read logs and their pictures", "by admin", "until 20"):
        assert words in row[0]
    assert f"API key made: <code>{name}: logs.read</code>" in browser.get("/w/default/audit").text
