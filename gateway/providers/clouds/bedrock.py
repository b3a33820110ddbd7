"""Amazon Bedrock through Converse, signed with an access key or shown a Bedrock API key."""

from __future__ import annotations

from gateway.providers.base import Limits, Probe, Provider, Setting, Settings, Wire

CONVERSE = Wire(
    "converse",
    "/model/{model}/converse",
    "/model/{model}/converse-stream",
    opens=frozenset({"s3"}),
    limits=Limits(images=20, image_bytes=3_932_160, side=8000),
    names_model=False,
)


def base_url(settings: Settings) -> str:
    return f"https://bedrock-runtime.{settings.get('region') or 'us-east-1'}.amazonaws.com"


BEDROCK = Provider(
    name="bedrock",
    title="Amazon Bedrock",
    base_url=base_url,
    auth="aws",
    wires=(("", CONVERSE),),
    speaks=frozenset(),
    probe=Probe(model="amazon.nova-micro-v1:0", body={"messages": []}, proves=frozenset({400})),
    settings=(
        Setting("region", "Region", "aws-region", "such as us-east-1", required=True),
        Setting("access_key_id", "Access key id", "aws-access-key-id", "empty when the secret is a Bedrock API key"),
        Setting("secret_access_key", "Secret access key", "aws-secret-access-key", secret=True),
        Setting("role_arn", "Role", "aws-role-arn", "the ARN of a role to assume with the access key"),
        Setting("external_id", "External id", "aws-external-id", "if the role asks for one"),
        Setting("sts_address", "STS address", help="empty is sts.<region>.amazonaws.com", address=True),
        Setting("session_token", "Session token", "aws-session-token", "of temporary credentials", secret=True),
    ),
    aliases=("aws-bedrock",),
    prices="aws",
    key_title="Secret access key, or a Bedrock API key",
)
