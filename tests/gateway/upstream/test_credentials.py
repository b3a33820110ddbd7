"""Credentials that are bought or signed, and where no secret may go."""

from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fake_upstream import Case, Received, response
from tests.gateway.conftest import CONVERSE, GEMINI, Gate, quoting

GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = RSA_KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def service_account(token_uri: str) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "proj-1",
            "private_key_id": uuid.uuid4().hex,
            "private_key": PEM,
            "client_email": "loupe@proj-1.iam.gserviceaccount.com",
            "token_uri": token_uri,
        }
    )


def token(text: str, **more: Any) -> Any:
    return response(body={"access_token": text, "token_type": "Bearer", "expires_in": 3600, **more})


def bearers(case: Case) -> list[str | None]:
    return [request.header("authorization") for request in case.requests]


# Entra


def test_an_entra_token_is_bought_once_with_the_clients_secret_and_then_reused(gate: Gate) -> None:
    seller = gate.case("entra", token("entra-token"))
    settings = {"auth_mode": "entra", "tenant_id": "tenant-1", "client_id": "client-1", "authority": gate.host("entra")}
    case = gate.key("az-entra", "azure-openai", "client~secret", **settings)
    for _ in range(3):
        assert gate.ask("@az-entra/gpt-4o")[0] == 200
    assert bearers(case) == ["Bearer entra-token"] * 3
    assert [request.path for request in seller.requests] == ["/tenant-1/oauth2/v2.0/token"]
    assert parse_qs(seller.requests[0].body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["client-1"],
        "client_secret": ["client~secret"],
        "scope": ["https://cognitiveservices.azure.com/.default"],
    }


def test_calls_that_come_together_wait_for_one_token(gate: Gate) -> None:
    go = threading.Event()

    def slowly(connection: Any, request: Received) -> None:
        assert go.wait(30)
        token("shared")(connection, request)

    seller = gate.case("entra-slow", slowly)
    settings = {"auth_mode": "entra", "tenant_id": "t", "client_id": "c", "authority": gate.host("entra-slow")}
    case = gate.key("az-slow", "azure-openai", "slow secret", **settings)
    traces = [f"slow-{uuid.uuid4()}" for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(gate.ask, "@az-slow/m", x_portkey_trace_id=trace) for trace in traces]
        for trace in traces:
            gate.loupe.log(trace, finished=False)  # it has come and waits
        go.set()
        assert [call.result()[0] for call in calls] == [200] * 4
    assert bearers(case) == ["Bearer shared"] * 4
    assert len(seller.requests) == 1


def test_the_same_secret_of_another_client_or_for_another_scope_gets_a_token_of_its_own(gate: Gate) -> None:
    gate.case("entra-two").will(token("token-one"), token("token-two"))
    cases = []
    for name, scope in (("one", ""), ("two", "https://cognitiveservices.azure.us/.default")):
        settings = {"auth_mode": "entra", "tenant_id": "t", "client_id": name, "authority": gate.host("entra-two")}
        if scope:
            settings["scope"] = scope
        cases.append(gate.key(f"az-entra-{name}", "azure-openai", "one secret", **settings))
        gate.ask(f"@az-entra-{name}/gpt-4o")
    assert [bearers(case) for case in cases] == [["Bearer token-one"], ["Bearer token-two"]]
    sold = [parse_qs(request.body.decode()) for request in gate.upstream.on("entra-two").requests]
    assert [(form["client_id"][0], form["scope"][0].rpartition(".azure.")[2]) for form in sold] == [
        ("one", "com/.default"),
        ("two", "us/.default"),
    ]


def test_entras_refusal_is_told_without_the_secret_it_quotes(gate: Gate) -> None:
    secret = f"refused{uuid.uuid4().hex}"
    gate.case("entra-no").will(
        response(401, {"error": "invalid_client", "error_description": f"AADSTS7000215: {secret} is no secret"})
    )
    settings = {"auth_mode": "entra", "tenant_id": "t", "client_id": "c", "authority": gate.host("entra-no")}
    case = gate.key("az-entra-no", "azure-openai", secret, **settings)
    status, _, body = gate.ask("@az-entra-no/gpt-4o", x_portkey_trace_id="entra-no")
    assert status == 401
    assert b"AADSTS7000215" in body
    assert secret.encode() not in body
    assert secret not in json.dumps(gate.loupe.log("entra-no"))
    assert not case.requests


@pytest.mark.parametrize("said", [{"expires_in": "3599"}, {"expires_in": None}, {"expires_in": "soon"}])
def test_a_token_whose_life_is_oddly_told_is_used_all_the_same(gate: Gate, said: dict[str, Any]) -> None:
    gate.case("entra-odd", token("odd", **said))
    slug = f"az-odd-{said['expires_in']}".lower()
    settings = {"auth_mode": "entra", "tenant_id": "t", "client_id": slug, "authority": gate.host("entra-odd")}
    case = gate.key(slug, "azure-openai", "odd secret", **settings)
    assert gate.ask(f"@{slug}/gpt-4o")[0] == 200
    assert bearers(case) == ["Bearer odd"]


# Google's service accounts


def test_a_service_account_is_exchanged_once_for_a_token_that_all_calls_carry(gate: Gate) -> None:
    seller = gate.case("google-tokens", token("ya29.bought"))
    token_uri = gate.host("google-tokens") + "/token"
    case = gate.key("vx-sa", "vertex-ai", service_account(token_uri), answer=GEMINI, project_id="proj-1")
    for _ in range(3):
        assert gate.ask("@vx-sa/gemini-3-pro")[0] == 200
    assert bearers(case) == ["Bearer ya29.bought"] * 3
    assert len(seller.requests) == 1
    form = parse_qs(seller.requests[0].body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    signed, _, signature = form["assertion"][0].rpartition(".")
    RSA_KEY.public_key().verify(_unpadded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    options = json.loads(_unpadded(signed.partition(".")[2]))
    assert (options["iss"], options["aud"]) == ("loupe@proj-1.iam.gserviceaccount.com", GOOGLE_AUDIENCE)
    assert options["scope"] == "https://www.googleapis.com/auth/cloud-platform"


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("authorization", ["", "Bearer a-dummy-of-the-sdk"])
def test_a_service_account_in_its_header_wins_over_whatever_the_sdk_put_in_authorization(
    gate: Gate, authorization: str
) -> None:
    gate.case("google-own", token("ya29.own"))
    case = gate.case("vx-own", GEMINI)
    headers = {
        "x_portkey_vertex_service_account_json": service_account(gate.host("google-own") + "/token"),
        "x_portkey_vertex_project_id": "proj-1",
        "x_portkey_vertex_region": "europe-west4",
        "authorization": authorization,
    }
    status, _, body = gate.own("vertex-ai", "vx-own", "gemini-3-pro", **headers)
    assert status == 200, body
    assert bearers(case) == ["Bearer ya29.own"]
    assert case.requests[0].path.startswith("/v1/projects/proj-1/locations/europe-west4/publishers/google/")


@pytest.mark.parametrize(
    "token_uri",
    [
        "http://localhost:{port}/trap/token",
        "http://127.0.0.1:{port}@localhost:{port}/trap/token",
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com.localhost/token",
        "",
    ],
)
def test_a_service_account_cannot_send_the_gateway_to_a_host_of_the_callers_choice(gate: Gate, token_uri: str) -> None:
    trap, case = gate.case("trap"), gate.case("vx-own", GEMINI)
    account = service_account(token_uri.format(port=gate.upstream.port))
    answer = gate.own(
        "vertex-ai",
        "vx-own",
        "gemini-3-pro",
        x_portkey_vertex_service_account_json=account,
        x_portkey_vertex_project_id="p",
    )
    assert gate.refusal(answer) == (400, "invalid_credential")
    assert not trap.requests
    assert not case.requests


@pytest.mark.parametrize("account", ["{", '{"token_uri": 5}', '{"type": "authorized_user"}', '{"private_key": "x"}'])
def test_a_service_account_that_is_none_is_refused_in_plain_words(gate: Gate, account: str) -> None:
    answer = gate.own(
        "vertex-ai", "vx-own", x_portkey_vertex_service_account_json=account, x_portkey_vertex_project_id="p"
    )
    assert gate.refusal(answer) == (400, "invalid_credential")  # fmt: skip


# Amazon's signature


def signature_as_amazon_computes_it(request: Received, slug: str, keys: Credentials, region: str) -> str:
    signed = re.search(r"SignedHeaders=([^,]+)", request.header("authorization") or "")
    assert signed
    names = [name for name in signed[1].split(";") if name != "host"]
    url = f"http://{request.header('host')}/{slug}{request.path}"
    again = AWSRequest(request.method, url, {name: request.header(name) for name in names}, request.body)
    again.context["timestamp"] = request.header("x-amz-date")
    auth = SigV4Auth(keys, "bedrock", region)
    text = auth.string_to_sign(again, auth.canonical_request(again))
    return str(auth.signature(text, again))


def check_signature(request: Received, slug: str, keys: Credentials, region: str) -> None:
    sent = request.header("authorization") or ""
    assert sent.startswith(f"AWS4-HMAC-SHA256 Credential={keys.access_key}/")
    assert f"/{region}/bedrock/aws4_request" in sent
    assert {"host", "x-amz-date"} <= set(sent.partition("SignedHeaders=")[2].partition(",")[0].split(";"))
    assert sent.rpartition("Signature=")[2] == signature_as_amazon_computes_it(request, slug, keys, region)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", {}),
        ("arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude:0", {}),
        ("odd name~(1)@x+y", {}),
        ("amazon.nova-lite-v1:0", {"stream": True}),
    ],
)
def test_a_call_is_signed_as_amazon_checks_it(gate: Gate, model: str, body: dict[str, Any]) -> None:
    secret = "wJalr/XUtnFEMI+K7MDENG"
    case = gate.key("br", "bedrock", secret, answer=CONVERSE, region="us-west-2", access_key_id="AKIDEXAMPLE")
    assert gate.ask(f"@br/{model}", body)[0] == 200
    check_signature(case.requests[0], "br", Credentials("AKIDEXAMPLE", secret), "us-west-2")
    assert case.requests[0].header("x-amz-security-token") is None


def test_amazons_own_path_is_signed_too(gate: Gate) -> None:
    secret = "wJalr/XUtnFEMI+K7MDENG"
    case = gate.key("br", "bedrock", secret, answer=CONVERSE, region="us-west-2", access_key_id="AKIDEXAMPLE")
    body = b'{"messages":[{"role":"user","content":[{"text":"h\xc3\xa9"}]}]}'
    assert gate.post("/v1/model/%40br%2Fus.amazon.nova-lite-v1%3A0/converse", body)[0] == 200
    check_signature(case.requests[0], "br", Credentials("AKIDEXAMPLE", secret), "us-west-2")


@pytest.mark.parametrize("authorization", ["", "Bearer a-dummy-of-the-sdk"])
def test_temporary_keys_in_headers_sign_and_show_their_session_token(gate: Gate, authorization: str) -> None:
    case = gate.case("br-own", CONVERSE)
    headers = {
        "x_portkey_aws_access_key_id": "ASIAOWN",
        "x_portkey_aws_secret_access_key": "own+secret/1",
        "x_portkey_aws_session_token": "own-session",
        "x_portkey_aws_region": "eu-central-1",
        "authorization": authorization,
    }
    assert gate.own("bedrock", "br-own", "amazon.nova-lite-v1:0", **headers)[0] == 200
    check_signature(case.requests[0], "br-own", Credentials("ASIAOWN", "own+secret/1", "own-session"), "eu-central-1")
    assert case.requests[0].header("x-amz-security-token") == "own-session"


# Where no secret may go


def test_secrets_of_headers_and_bought_tokens_are_in_no_file_and_no_answer(gate: Gate) -> None:
    aws, session, ad, key, bought = (f"{kind}{uuid.uuid4().hex}" for kind in ("aws", "session", "ad", "key", "ya29."))
    account = service_account(gate.host("tokens-quoted") + "/token")
    calls: dict[str, dict[str, str]] = {
        "bedrock": {
            "x_portkey_aws_access_key_id": "ASIAOWN",
            "x_portkey_aws_secret_access_key": aws,
            "x_portkey_aws_session_token": session,
        },
        "vertex-ai": {"x_portkey_vertex_service_account_json": account, "x_portkey_vertex_project_id": "p"},
        "azure-openai": {"x_portkey_azure_ad_token": ad},
        "azure-ai": {"authorization": f"Bearer {key}"},
        "google": {"x_goog_api_key": key},
        "anthropic": {"x_api_key": key},
    }
    gate.case("tokens-quoted", token(bought))
    said = b""
    for script in (quoting(), quoting(500), response(200, b"<html>", {"content-type": "text/html"})):
        case = gate.case("quoted", script)
        for provider, headers in calls.items():
            trace = f"quoted-{provider}-{uuid.uuid4()}"
            status, got, answer = gate.own(provider, "quoted", x_portkey_trace_id=trace, **headers)
            said += answer + json.dumps(got).encode() + json.dumps(gate.loupe.log(trace)).encode()
            assert case.requests, (status, answer)
    kept = b"".join(path.read_bytes() for path in gate.loupe.data.rglob("*") if path.is_file())
    secrets = {"aws": aws, "session": session, "ad": ad, "key": key, "bought": bought, "pem": PEM.split("\n")[3]}
    assert b"cannot use" in kept  # the errors are there
    assert [name for name, secret in secrets.items() if secret.encode() in said] == []
    assert [name for name, secret in secrets.items() if secret.encode() in kept] == []


@pytest.mark.parametrize(
    ("provider", "path", "media_type", "cut"),
    [
        ("openai", "/v1/chat/completions", "application/json", 10),
        ("anthropic", "/v1/messages", "application/json", 1),
        ("anthropic", "/v1/messages", "text/event-stream", 30),
    ],
)
def test_a_secret_that_an_error_quotes_in_two_pieces_is_starred_all_the_same(
    gate: Gate, provider: str, path: str, media_type: str, cut: int
) -> None:
    secret, trace = "".join(f"halves-of-{provider}" for _ in range(3)), f"halves-{uuid.uuid4()}"

    def in_halves(connection: Any, _: Received) -> None:
        body = json.dumps({"error": {"message": f"no such key {secret}, sorry", "type": "t"}}).encode()
        connection.sendall(
            f"HTTP/1.1 401 X\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        )
        at = body.index(secret.encode()) + cut
        connection.sendall(body[:at])
        gate.loupe.log(trace, finished=False)  # when this is answered, the first half was read
        connection.sendall(body[at:])

    gate.key(f"halves-{provider}", provider, secret, path="/v1", answer=in_halves)
    body = {"model": f"@halves-{provider}/m", "messages": []}
    status, _, answer = gate.post(path, body, x_portkey_trace_id=trace)
    assert status == 401
    assert json.loads(answer)["error"]["message"] == f"no such key {'*' * len(secret)}, sorry"
    gate.loupe.log(trace)
    kept = b"".join(path.read_bytes() for path in gate.loupe.data.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert secret.encode()[cut:] not in kept


# A stored secret stays with its address


MOVES = [
    ("azure-openai", {"resource_name": "mine"}, {"azure-resource-name": "evil"}),
    ("azure-ai", {"resource_name": "mine"}, {"azure-resource-name": "evil"}),
    ("bedrock", {"region": "us-east-1"}, {"aws-region": "eu-west-1"}),
    ("vertex-ai", {"project_id": "p", "region": "us-east5"}, {"vertex-region": "europe-west4"}),
    ("azure-openai", {"resource_name": "mine"}, {"custom-host": "https://evil.example/openai"}),
    ("azure-openai", {"resource_name": "mine"}, {"azure-auth-mode": "entra", "azure-entra-tenant-id": "evil"}),
    ("bedrock", {"region": "us-east-1"}, {"aws-access-key-id": "AKIDEVIL"}),
]


@pytest.mark.parametrize(("provider", "settings", "headers"), MOVES)
def test_no_header_moves_a_stored_secret_to_another_address(
    gate: Gate, provider: str, settings: dict[str, str], headers: dict[str, str]
) -> None:
    slug = gate.real_key(provider, **settings)
    answer = gate.ask(f"@{slug}/m", **{f"x-portkey-{name}": value for name, value in headers.items()})
    assert gate.refusal(answer) == (403, "credential_origin_changed")


@pytest.mark.parametrize(
    "value", ["evil.example/", "me@evil.example", "..", "../..", "a/../b", "evil.example#", "x?y="]
)
@pytest.mark.parametrize(
    ("provider", "settings", "header"),
    [
        ("azure-openai", {"resource_name": "mine"}, "azure-resource-name"),
        ("azure-openai", {"resource_name": "mine"}, "azure-deployment-id"),
        ("bedrock", {"region": "us-east-1"}, "aws-region"),
        ("vertex-ai", {"project_id": "p", "region": "us-east5"}, "vertex-project-id"),
    ],
)
def test_a_setting_that_is_no_plain_name_is_refused_with_a_stored_secret_or_the_callers_own(
    gate: Gate, provider: str, settings: dict[str, str], header: str, value: str
) -> None:
    slug = gate.real_key(provider, **settings)
    case = gate.case("odd-setting")
    own = {"authorization": "Bearer own", "x-portkey-vertex-project-id": "p", f"x-portkey-{header}": value}
    answers = [
        gate.ask(f"@{slug}/m", **{f"x-portkey-{header}": value}),
        gate.own(provider, "odd-setting", **own),
        gate.ask("m", x_portkey_provider=provider, **own),
    ]
    assert [gate.refusal(answer) for answer in answers] == [(400, "invalid_setting")] * 3
    assert not case.requests
