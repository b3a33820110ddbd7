"""Where each vendor's calls go, and how they show a key: Azure, Google, Amazon, Anthropic."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from gateway import dialects
from gateway.proxy.call_options import read_call_options
from gateway.proxy.routing import route
from tests.fake_upstream import Received
from tests.gateway.conftest import CONVERSE, GEMINI, HELLO, MESSAGE, Gate
from tests.patience import soon
from tests.pictures import data_url, picture

SECRET = "secret-of-the-vendor"
PICTURE = data_url(picture())
DEPLOYMENTS = "eyes=gpt-4o-eu, mini=gpt-4o-mini-us@2025-01-01-preview, next=gpt-5-sweden@v1"


def azure(gate: Gate) -> Any:
    return gate.key("az", "azure-openai", SECRET, deployments=DEPLOYMENTS, api_version="2024-10-21")


def body_for(model: str) -> str:
    part = f'{{"type":"image_url",  "image_url": {{"url":"{PICTURE}","detail":"low"}} }}'
    return f'{{ "messages":[{{"role":"user","content":[{part}]}}],\n "model" : "{model}", "odd": 1.50 }}'


def credentials_in(request: Received) -> dict[str, str]:
    names = ("authorization", "api-key", "x-api-key", "x-goog-api-key", "x-portkey-api-key")
    return {name: value for name, value in request.headers if name in names}


# Azure


@pytest.mark.parametrize(
    ("alias", "deployment", "path"),
    [
        ("eyes", "gpt-4o-eu", "/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21"),
        (
            "mini",
            "gpt-4o-mini-us",
            "/openai/deployments/gpt-4o-mini-us/chat/completions?api-version=2025-01-01-preview",
        ),
        ("next", "gpt-5-sweden", "/openai/v1/chat/completions"),
        ("unlisted", "unlisted", "/openai/deployments/unlisted/chat/completions?api-version=2024-10-21"),
    ],
)
def test_azure_is_called_at_the_deployment_behind_the_alias_and_the_picture_stays_as_it_is(
    gate: Gate, alias: str, deployment: str, path: str
) -> None:
    case = azure(gate)
    status, _, answer = gate.post("/v1/chat/completions", body_for(f"@az/{alias}").encode())
    assert status == 200, answer
    gate.post("/v1/chat/completions", body_for(alias).encode(), x_portkey_provider="@az")
    for request in case.requests:
        assert request.path == path
        assert credentials_in(request) == {"api-key": SECRET}
        assert request.body.decode() == body_for(deployment)
    assert len(case.requests) == 2


def test_azures_responses_have_no_deployment_in_the_path_so_the_body_names_it(gate: Gate) -> None:
    case = azure(gate)
    gate.post("/v1/responses", {"model": "@az/eyes", "input": "hello"})
    assert case.requests[0].path == "/openai/responses?api-version=2024-10-21"
    assert case.requests[0].json == {"model": "gpt-4o-eu", "input": "hello"}


def test_azures_pictures_are_made_at_a_deployment_too(gate: Gate) -> None:
    case = azure(gate)
    gate.post("/v1/images/generations", {"model": "@az/eyes", "prompt": "a cat"})
    assert case.requests[0].path == "/openai/deployments/gpt-4o-eu/images/generations?api-version=2024-10-21"


@pytest.mark.parametrize("model", ["../../secrets", "a?b=c", "a#b", "a/../../b"])
def test_no_model_name_leads_out_of_azures_deployments(gate: Gate, model: str) -> None:
    case = azure(gate)
    gate.ask(f"@az/{model}")
    named = quote(model, safe="@.-_~")
    assert case.requests[0].path == f"/openai/deployments/{named}/chat/completions?api-version=2024-10-21"


def test_an_entra_token_of_the_virtual_key_goes_as_a_bearer(gate: Gate) -> None:
    case = gate.key("az-token", "azure-openai", SECRET, deployment_id="eyes", auth_mode="token")
    gate.ask("@az-token/gpt-4o")
    assert case.requests[0].path == "/openai/v1/chat/completions"
    assert case.requests[0].json["model"] == "eyes"
    assert credentials_in(case.requests[0]) == {"authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("headers", "path", "credential"),
    [
        (
            {"authorization": "Bearer own-key", "x_portkey_azure_api_version": "2024-10-21"},
            "/openai/deployments/dep-1/chat/completions?api-version=2024-10-21",
            {"api-key": "own-key"},
        ),
        ({"api_key": "own-key", "x_portkey_azure_api_version": "v1"}, "/openai/v1/chat/completions", {"api-key": "own-key"}),
        ({"x_portkey_azure_ad_token": "own-token"}, "/openai/v1/chat/completions", {"authorization": "Bearer own-token"}),
        (
            {"authorization": "Bearer own-token", "x_portkey_azure_auth_mode": "token"},
            "/openai/v1/chat/completions",
            {"authorization": "Bearer own-token"},
        ),
        (
            {"authorization": "Bearer own-key", "x_portkey_azure_auth_mode": "default"},
            "/openai/v1/chat/completions",
            {"api-key": "own-key"},
        ),
    ],
)  # fmt: skip
def test_azure_is_reached_with_headers_alone(
    gate: Gate, headers: dict[str, str], path: str, credential: dict[str, str]
) -> None:
    case = gate.case("az-own")
    answer = gate.own(
        "azure-openai", "az-own", x_portkey_azure_deployment_id="dep-1", x_portkey_azure_resource_name="res", **headers
    )
    assert answer[0] == 200, answer
    assert case.requests[0].path == path
    assert credentials_in(case.requests[0]) == credential


@pytest.mark.parametrize("mode", ["managed", "workload"])
def test_azure_with_an_identity_of_the_machine_is_refused_in_plain_words(gate: Gate, mode: str) -> None:
    case = gate.case("az-own")
    answer = gate.own("azure-openai", "az-own", authorization="Bearer k", x_portkey_azure_auth_mode=mode)
    assert gate.refusal(answer) == (400, "unsupported_auth_mode")
    assert not case.requests


@pytest.mark.parametrize(
    ("settings", "version"), [({}, "2024-05-01-preview"), ({"api_version": "2025-04-01"}, "2025-04-01")]
)
def test_foundry_has_one_path_for_all_models(gate: Gate, settings: dict[str, str], version: str) -> None:
    slug = f"foundry{len(settings)}"
    case = gate.key(slug, "azure-ai", SECRET, **settings)
    gate.post("/v1/chat/completions", body_for(f"@{slug}/grok-4").encode())
    assert case.requests[0].path == f"/models/chat/completions?api-version={version}"
    assert credentials_in(case.requests[0]) == {"api-key": SECRET}
    assert case.requests[0].body.decode() == body_for("grok-4")


# Google


def test_gemini_gets_its_key_in_a_header_and_the_model_in_the_path(gate: Gate) -> None:
    case = gate.key("gem", "google", SECRET, path="/v1beta", answer=GEMINI)
    for body in ({}, {"stream": True}):
        assert gate.ask("@gem/gemini-2.5-flash", body)[0] == 200
    assert [request.path for request in case.requests] == [
        "/v1beta/models/gemini-2.5-flash:generateContent",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    ]
    for request in case.requests:
        assert credentials_in(request) == {"x-goog-api-key": SECRET}
        assert not {"model", "stream"} & set(request.json)


@pytest.mark.parametrize("name", ["@gem/gemini-2.5-flash", "%40gem%2Fgemini-2.5-flash"])
@pytest.mark.parametrize(
    ("method", "query", "sent"),
    [
        ("generateContent", "?key=KEY", ""),
        ("generateContent", "?key=KEY&$fields=candidates", "?$fields=candidates"),
        ("streamGenerateContent", "?alt=sse&key=KEY", "?alt=sse"),
    ],
)
def test_googles_own_path_takes_the_gateway_key_from_the_query_and_does_not_pass_it_on(
    gate: Gate, name: str, method: str, query: str, sent: str
) -> None:
    case = gate.key("gem", "google", SECRET, path="/v1beta", answer=GEMINI)
    body = b'{ "contents": [{"parts":[{"text":"hi"}]}] }'
    path = f"/v1beta/models/{name}:{method}{query.replace('KEY', gate.loupe.key)}"
    status, _, answer = gate.post(path, body, x_portkey_api_key="")
    assert status == 200, answer
    request = case.requests[0]
    assert request.path == f"/v1beta/models/gemini-2.5-flash:{method}{sent}"
    assert credentials_in(request) == {"x-goog-api-key": SECRET}
    assert request.body == body


def test_the_gateway_key_in_a_query_goes_to_no_vendor(gate: Gate) -> None:
    case = gate.key("plain", "openai", SECRET, path="/v1")
    body = {"model": "@plain/m", **HELLO}
    status, _, _ = gate.post(f"/v1/chat/completions?x=1&key={gate.loupe.key}", body, x_portkey_api_key="")
    assert status == 200
    assert case.requests[0].path == "/v1/chat/completions?x=1"


def test_the_callers_own_google_key_is_passed_on_in_the_header(gate: Gate) -> None:
    case = gate.case("gem-own", GEMINI)
    assert gate.own("google", "gem-own", "gemini-2.5-flash", x_goog_api_key="own")[0] == 200
    assert gate.own("google", "gem-own", "gemini-2.5-flash", authorization="Bearer own")[0] == 200
    assert [credentials_in(request) for request in case.requests] == [{"x-goog-api-key": "own"}] * 2


@pytest.mark.parametrize(
    ("model", "answer", "path"),
    [
        ("gemini-2.5-pro", GEMINI, "google/models/gemini-2.5-pro:generateContent"),
        ("claude-sonnet-4-5@20250929", MESSAGE, "anthropic/models/claude-sonnet-4-5@20250929:rawPredict"),
    ],
)
def test_vertex_has_a_path_for_each_publisher(gate: Gate, model: str, answer: Any, path: str) -> None:
    case = gate.key("vx", "vertex-ai", "ya29.plain", answer=answer, project_id="proj-1", region="us-east5")
    status, _, said = gate.ask(f"@vx/{model}", {"max_tokens": 50})
    assert status == 200, said
    request = case.requests[0]
    assert request.path == f"/v1/projects/proj-1/locations/us-east5/publishers/{path}"
    assert credentials_in(request) == {"authorization": "Bearer ya29.plain"}
    assert "model" not in request.json
    assert request.json.get("anthropic_version") == ("vertex-2023-10-16" if "claude" in model else None)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize(
    "call", ["google/models/{}gemini-3-pro:generateContent", "anthropic/models/{}claude-5:rawPredict"]
)
def test_vertexs_own_path_names_the_project_itself(gate: Gate, version: str, call: str) -> None:
    case = gate.key("vx", "vertex-ai", "ya29.plain", answer=GEMINI, project_id="proj-1", region="us-east5")
    body, path = b'{ "contents": [], "messages": [] }', "/projects/theirs/locations/global/publishers/"
    status, _, answer = gate.post(f"/{version}{path}{call.format('@vx/')}", body)
    assert status == 200, answer
    assert case.requests[0].path == f"/{version}{path}{call.format('')}"
    assert case.requests[0].body == body
    assert credentials_in(case.requests[0]) == {"authorization": "Bearer ya29.plain"}


def test_vertex_without_a_region_is_global(gate: Gate) -> None:
    case = gate.key("vx-global", "vertex-ai", "ya29.plain", answer=GEMINI, project_id="proj-1")
    gate.ask("@vx-global/gemini-2.5-pro")
    assert case.requests[0].path.startswith("/v1/projects/proj-1/locations/global/publishers/google/")


# Amazon


@pytest.mark.parametrize(
    "model",
    [
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude:0",
        "../../guardrails",
    ],
)
def test_a_bedrock_model_is_one_escaped_step_of_the_path(gate: Gate, model: str) -> None:
    case = gate.key("br-key", "bedrock", SECRET, answer=CONVERSE, region="us-west-2")
    assert gate.ask(f"@br-key/{model}")[0] == 200
    assert case.requests[0].path == f"/model/{quote(model, safe='')}/converse"
    assert "model" not in case.requests[0].json


def test_a_model_that_is_a_dot_segment_is_refused(gate: Gate) -> None:
    case = gate.key("br-key", "bedrock", SECRET, answer=CONVERSE, region="us-west-2")
    for model in (".", ".."):
        assert gate.refusal(gate.ask(f"@br-key/{model}")) == (400, "invalid_model")
    assert not case.requests


def test_amazons_own_path_names_the_model_as_it_is_escaped(gate: Gate) -> None:
    case = gate.key("br-key", "bedrock", SECRET, answer=CONVERSE, region="us-west-2")
    body = b'{ "messages": [{"role":"user","content":[{"text":"hi"}]}] }'
    for name in ("%40br-key%2Fus.amazon.nova-lite-v1%3A0", "@br-key/us.amazon.nova-lite-v1:0"):
        status, _, answer = gate.post(f"/v1/model/{name}/converse", body)
        assert status == 200, answer
        assert case.requests[-1].path == "/model/us.amazon.nova-lite-v1%3A0/converse"
        assert case.requests[-1].body == body


def test_a_long_path_that_is_nearly_a_vendors_own_holds_nobody_up() -> None:
    with soon():
        for path in ("/models/" * 7000 + "1", "/models/a" * 7000 + ":1", "/models/" * 7000 + ":generateContent"):
            dialects.for_endpoint(path)


def test_a_bedrock_api_key_is_shown_as_a_bearer(gate: Gate) -> None:
    case = gate.key("br-key", "bedrock", SECRET, answer=CONVERSE, region="us-west-2")
    gate.ask("@br-key/amazon.nova-lite-v1:0")
    assert credentials_in(case.requests[0]) == {"authorization": f"Bearer {SECRET}"}
    case = gate.case("br-own", CONVERSE)
    gate.own("bedrock", "br-own", "amazon.nova-lite-v1:0", authorization="Bearer own", x_portkey_aws_region="us-west-2")
    assert credentials_in(case.requests[0]) == {"authorization": "Bearer own"}


# Anthropic


@pytest.mark.parametrize(
    ("headers", "version", "beta"),
    [
        ({}, "2023-06-01", None),
        ({"anthropic_version": "2099-01-01", "anthropic_beta": "files"}, "2099-01-01", "files"),
        ({"x_portkey_anthropic_version": "2099-01-02", "x_portkey_anthropic_beta": "b"}, "2099-01-02", "b"),
    ],
)
def test_anthropic_gets_its_version_and_the_callers_own_is_kept(
    gate: Gate, headers: dict[str, str], version: str, beta: str | None
) -> None:
    case = gate.key("an", "anthropic", SECRET, path="/v1", answer=MESSAGE)
    native = b'{ "model":"@an/claude-opus-5", "max_tokens": 5, "messages": [{"role":"user","content":"hi"}] }'
    assert gate.ask("@an/claude-opus-5", **headers)[0] == 200
    assert gate.post("/v1/messages", native, **headers)[0] == 200
    assert case.requests[1].body == native.replace(b"@an/", b"")
    for request in case.requests:
        assert request.path == "/v1/messages"
        assert [value for name, value in request.headers if name == "anthropic-version"] == [version]
        assert request.header("anthropic-beta") == beta
        assert credentials_in(request) == {"x-api-key": SECRET}


def test_the_callers_own_anthropic_key_goes_where_anthropic_reads_it(gate: Gate) -> None:
    case = gate.case("an-own", MESSAGE)
    for headers in ({"x_api_key": "own"}, {"authorization": "Bearer own"}):
        assert gate.own("anthropic", "an-own", "claude-opus-5", **headers)[0] == 200
    assert [credentials_in(request) for request in case.requests] == [{"x-api-key": "own"}] * 2


# The vendors' real addresses, which a test must not call


@pytest.mark.parametrize(
    ("provider", "model", "headers", "address"),
    [
        ("azure-openai", "gpt-4o", {"azure-resource-name": "res", "azure-api-version": "2024-10-21", "azure-deployment-id": "d"},
         "https://res.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"),
        ("azure-openai", "gpt-4o", {"azure-resource-name": "res"}, "https://res.openai.azure.com/openai/v1/chat/completions"),
        ("azure-ai", "grok-4", {"azure-resource-name": "res"},
         "https://res.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview"),
        ("google", "gemini-3-pro", {}, "https://generativelanguage.googleapis.com/v1beta/models/gemini-3-pro:generateContent"),
        ("vertex-ai", "gemini-3-pro", {"vertex-project-id": "p"},
         "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/gemini-3-pro:generateContent"),
        ("vertex-ai", "claude-opus-5", {"vertex-project-id": "p", "vertex-region": "us-east5"},
         "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5:rawPredict"),
        ("bedrock", "amazon.nova-lite-v1:0", {"aws-region": "eu-west-1"},
         "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse"),
        ("anthropic", "claude-opus-5", {}, "https://api.anthropic.com/v1/messages"),
    ],
)  # fmt: skip
def test_without_a_host_of_its_own_a_call_goes_to_the_vendor(
    provider: str, model: str, headers: dict[str, str], address: str
) -> None:
    named = {f"x-portkey-{name}": value for name, value in headers.items()}
    options = read_call_options(
        {"x-portkey-api-key": "lp_k", "x-portkey-provider": provider, "authorization": "own"} | named
    )
    assert route(options, model, {}, ()).wire_url("/chat/completions", stream=False) == address


def test_a_setting_that_the_path_needs_is_asked_for_by_its_header(gate: Gate) -> None:
    status, _, body = gate.own("vertex-ai", "vx-own", "gemini-3-pro", authorization="Bearer t")
    assert status == 400
    assert "x-portkey-vertex-project-id" in json.loads(body)["error"]["message"]


# Adding a virtual key


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--provider", "azure-openai"], "Azure OpenAI needs Resource"),
        (["--provider", "vertex-ai", "--base-url", "https://example.com"], "Vertex AI needs Project"),
        (["--provider", "bedrock"], "Amazon Bedrock needs Region"),
        (["--provider", "bedrock", "--set", "regoin=x"], "has no setting regoin. It has region, access_key_id"),
        (["--provider", "bedrock", "--set", "session_token=x"], "secrets are given as the secret"),
        (["--provider", "openai", "--set", "region=x"], "OpenAI has no setting region"),
        (["--provider", "azure-ai", "--set", "resource_name=r", "--set", "auth_mode=magic"], "one of key, token, entra"),
        (["--provider", "azure-openai", "--set", "resource_name=evil.example/x"], "is not a plain name"),
        (["--provider", "vertex-ai", "--base-url", "https://example.com", "--set", "project_id=../x"], "is not a plain name"),
        (["--provider", "azure-openai", "--set", "resource_name=r", "--set", "authority=ftp://x"], "must look like https"),
        (["--provider", "openai", "--base-url", "http://169.254.169.254/v1"], "a machine's own services"),
    ],
)  # fmt: skip
def test_a_virtual_key_that_cannot_work_is_not_made_and_the_reason_is_said(
    gate: Gate, words: list[str], complaint: str
) -> None:
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        gate.loupe.manage("virtualkey", "add", "never", "--secret-stdin", *words, stdin="secret")


def test_a_virtual_key_without_its_secret_says_what_the_secret_is(gate: Gate) -> None:
    with pytest.raises(AssertionError, match="needs a secret: Service account JSON, or an access token"):
        gate.loupe.manage("virtualkey", "add", "never", "--provider", "vertex-ai", "--set", "project_id=p")
