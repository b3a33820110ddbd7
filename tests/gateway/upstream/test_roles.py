"""Roles of Amazon's that are assumed with an access key, against a fake STS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from botocore.credentials import Credentials

from tests.fake_upstream import Script, response
from tests.gateway.conftest import CONVERSE, Gate
from tests.gateway.upstream.test_credentials import check_signature

ROLE = "arn:aws:iam::123456789012:role/eyes"


def role() -> Script:
    ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = f"<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role/secret</SecretAccessKey><SessionToken>role-session</SessionToken><Expiration>{ends}</Expiration>"
    body = f'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>{keys}</Credentials></AssumeRoleResult></AssumeRoleResponse>'
    return response(body=body.encode(), headers={"content-type": "text/xml"})


def test_a_role_is_assumed_once_and_its_keys_sign_every_call(gate: Gate) -> None:
    seller = gate.case("sts", role())
    settings = {"region": "us-west-2", "access_key_id": "AKIDOWN", "role_arn": ROLE, "external_id": "ext-1"}
    case = gate.key("br-role", "bedrock", "own/secret", answer=CONVERSE, sts_address=gate.host("sts"), **settings)
    for _ in range(2):
        assert gate.ask("@br-role/amazon.nova-lite-v1:0")[0] == 200
    assert len(seller.requests) == 1
    asked = parse_qs(seller.requests[0].body.decode())
    assert (asked["Action"], asked["RoleArn"], asked["ExternalId"]) == (["AssumeRole"], [ROLE], ["ext-1"])
    assert "Credential=AKIDOWN/" in (seller.requests[0].header("authorization") or "")
    for request in case.requests:
        check_signature(request, "br-role", Credentials("ASIAROLE", "role/secret", "role-session"), "us-west-2")
        assert request.header("x-amz-security-token") == "role-session"


def test_a_role_that_may_not_be_assumed_is_told_without_the_secret(gate: Gate) -> None:
    denied = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not for own/secret-2</Message></Error></ErrorResponse>"
    gate.case("sts-no", response(403, denied, {"content-type": "text/xml"}))
    settings = {"region": "us-west-2", "access_key_id": "AKIDOWN", "role_arn": ROLE, "sts_address": gate.host("sts-no")}
    case = gate.key("br-no", "bedrock", "own/secret-2", answer=CONVERSE, **settings)
    answer = gate.ask("@br-no/amazon.nova-lite-v1:0")
    assert gate.refusal(answer) == (401, "no_token")
    assert b"AccessDenied" in answer[2]
    assert b"own/secret-2" not in answer[2]
    assert not case.requests


def test_a_request_cannot_have_a_stored_key_assume_a_role(gate: Gate) -> None:
    case = gate.key(
        "br", "bedrock", "wJalr/XUtnFEMI+K7MDENG", answer=CONVERSE, region="us-west-2", access_key_id="AKIDEXAMPLE"
    )
    answer = gate.ask("@br/amazon.nova-lite-v1:0", x_portkey_aws_role_arn=ROLE)
    assert gate.refusal(answer) == (403, "credential_origin_changed")
    assert not case.requests
