"""How a call shows its credential: a header for most, a signature for AWS, a bought token for Google and Entra.

Signing and service accounts come from the vendors' own libraries, which are extras: `pip install 'loupe[aws,google]'`.
Tokens are remembered until shortly before they end, under a hash of the credential.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from gateway.content.json_text import parsed_words
from gateway.content.redaction import without_secrets
from gateway.errors import BadRequest, GatewayError, Unauthorized, UpstreamFailed
from gateway.network.guard import Guard, NotReached, Reply, request, resolved
from gateway.network.request_head import HeaderList
from gateway.providers.base import Headers
from gateway.upstream.route import Route

EARLY_SECONDS = 120.0
TOKEN_SECONDS = 10.0
USUAL_LIFE = 3600.0
MOST_TOKENS = 1000
THREADS = 8
# What makes one token another, beside the secrets.
TOKEN_SETTINGS = (
    "authority", "tenant_id", "client_id", "scope", "access_key_id", "role_arn", "external_id", "sts_address", "region",
)  # fmt: skip
GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GOOGLE_TOKEN_HOSTS = frozenset({"oauth2.googleapis.com", "accounts.google.com"})
ENTRA_AUTHORITY = "https://login.microsoftonline.com"
ENTRA_SCOPE = "https://cognitiveservices.azure.com/.default"


def plain_headers(route: Route) -> Headers | None:
    """The headers of a credential that needs no work; None when `Credentials` must do some."""
    auth, secret = route.provider.auth, route.secret
    if auth == "none" or not secret:
        return []
    if auth in ("bearer", "aws", "google"):
        signed = (auth == "aws" and route.setting("access_key_id")) or (auth == "google" and _account(route))
        return None if signed else [("authorization", f"Bearer {secret}")]
    if auth == "azure":
        return _azure_headers(route)
    return [(auth, secret)]


def _account(route: Route) -> str:
    """The service account, if it is one: a header of its own says more than what an SDK puts into Authorization."""
    account = route.setting("service_account_json") or route.secret
    return account if account.startswith("{") else ""


def _azure_headers(route: Route) -> Headers | None:
    mode = route.setting("auth_mode") or ("token" if route.setting("ad_token") else "key")
    if mode == "entra":
        return None
    if mode == "token":
        return [("authorization", f"Bearer {route.setting('ad_token') or route.secret}")]
    if mode in ("key", "default"):
        return [("api-key", route.secret)]
    raise BadRequest(
        f"azure-auth-mode {mode!r} needs an identity of the machine, which Loupe does not use. It knows key, token, entra.",
        code="unsupported_auth_mode",
    )


class Credentials:
    """One a process."""

    def __init__(self, custom_hosts: Collection[str], guard: Guard) -> None:
        self.guard = guard
        self.token_origins = {_origin(host) for host in custom_hosts}
        self.tokens: dict[str, tuple[str, float]] = {}
        self.buying: dict[str, asyncio.Future[tuple[str, float]]] = {}
        # Of its own: a seller of tokens that does not answer must not keep the keys from being followed.
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="credentials")

    async def headers(self, route: Route, method: str, url: str, headers: HeaderList, body: bytes) -> Headers:
        """The headers that make this request acceptable.

        Raises:
            GatewayError: the credential is no good, or the token's seller does not answer.
        """
        if route.provider.auth == "aws":
            role = json.loads(await self._token(route)) if route.setting("role_arn") else None
            work = partial(_signature, route, role, method, url, headers, body)
            return await asyncio.get_running_loop().run_in_executor(self.pool, work)
        return [("authorization", f"Bearer {await self._token(route)}")]

    async def _token(self, route: Route) -> str:
        asked = [route.setting(name) for name in TOKEN_SETTINGS]
        name = hashlib.sha256("\0".join([route.provider.auth, *asked, *route.secrets]).encode()).hexdigest()
        token, ends = self.tokens.get(name, ("", 0.0))
        if time.monotonic() < ends - EARLY_SECONDS:
            return token
        if name not in self.buying:
            buy = {"google": self._google_token, "azure": self._entra_token, "aws": self._assumed_role}[
                route.provider.auth
            ]
            self.buying[name] = asyncio.get_running_loop().run_in_executor(self.pool, buy, route)
            self.buying[name].add_done_callback(lambda _: self.buying.pop(name))
        token, seconds = await asyncio.shield(self.buying[name])  # a caller that leaves does not stop it for the others
        if len(self.tokens) >= MOST_TOKENS:
            self.tokens.clear()
        self.tokens[name] = token, time.monotonic() + seconds
        return token

    def _google_token(self, route: Route) -> tuple[str, float]:
        try:
            from google.auth.exceptions import GoogleAuthError
            from google.oauth2.service_account import Credentials as ServiceAccount
        except ImportError:
            raise missing_extra("google", "a service account") from None
        try:
            info = parsed_words(_account(route))
            self._check_token_address(str(info.get("token_uri", "")))
            account = ServiceAccount.from_service_account_info(info, scopes=[GOOGLE_SCOPE])  # type: ignore[no-untyped-call]
            account.refresh(_transport(self.guard))
        except (ValueError, AttributeError, TypeError) as error:
            raise BadRequest(f"The service account cannot be read: {error}.", code="invalid_credential") from None
        except GoogleAuthError as error:
            reason = without_secrets(str(error), route.secrets)[:300]
            raise Unauthorized(f"Google gave no token: {reason}", code="no_token") from None
        ends = account.expiry.replace(tzinfo=UTC) if account.expiry else None
        return str(account.token), (ends - datetime.now(UTC)).total_seconds() if ends else USUAL_LIFE

    def _entra_token(self, route: Route) -> tuple[str, float]:
        authority = (route.setting("authority") or ENTRA_AUTHORITY).rstrip("/")
        form = {
            "grant_type": "client_credentials",
            "client_id": route.setting("client_id"),
            "client_secret": route.setting("client_secret") or route.secret,
            "scope": route.setting("scope") or ENTRA_SCOPE,
        }
        url = f"{authority}/{quote(route.setting('tenant_id'), safe='')}/oauth2/v2.0/token"
        headers = {"content-type": "application/x-www-form-urlencoded", "accept-encoding": "identity"}
        try:
            answer = request(
                "POST", url, guard=self.guard, headers=headers, body=urlencode(form).encode(), seconds=TOKEN_SECONDS
            )
            found = parsed_words(answer[2])
        except (NotReached, ValueError):
            raise UpstreamFailed("Entra was not reached, or gave no JSON, when asked for a token.") from None
        if not isinstance(found, dict) or "access_token" not in found:
            reason = str(found.get("error_description") or found.get("error")) if isinstance(found, dict) else ""
            raise Unauthorized(f"Entra gave no token: {without_secrets(reason, route.secrets)[:300]}", code="no_token")
        lasts = str(found.get("expires_in"))
        return str(found["access_token"]), float(lasts) if lasts.isdecimal() else USUAL_LIFE

    def _assumed_role(self, route: Route) -> tuple[str, float]:
        """The keys of the role that the access key may assume, as JSON: id, secret and session token (AWS STS, AssumeRole)."""
        try:
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
            from botocore.session import Session
        except ImportError:
            raise missing_extra("aws", "a role") from None
        region = route.setting("region") or "us-east-1"
        own = _own_keys(route)
        asked = {"RoleArn": route.setting("role_arn"), "RoleSessionName": "loupe"}
        if route.setting("external_id"):
            asked["ExternalId"] = route.setting("external_id")
        limits = Config(
            connect_timeout=TOKEN_SECONDS, read_timeout=TOKEN_SECONDS, retries={"total_max_attempts": 1}, proxies={}
        )
        try:
            sts: Any = Session().create_client(
                "sts",
                region_name=region,
                endpoint_url=self._checked(route.setting("sts_address")) or f"https://sts.{region}.amazonaws.com",
                aws_access_key_id=own[0],
                aws_secret_access_key=own[1],
                aws_session_token=own[2] or None,
                config=limits,
            )
            found = sts.assume_role(**asked)["Credentials"]
        except ClientError as error:
            reason = without_secrets(str(error), route.secrets)[:300]
            raise Unauthorized(f"AWS does not let this key assume the role: {reason}", code="no_token") from None
        except BotoCoreError as error:
            raise UpstreamFailed(f"AWS was not reached when asked for the role: {type(error).__name__}.") from None
        seconds = (found["Expiration"] - datetime.now(UTC)).total_seconds()
        return json.dumps([found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]]), seconds

    def _checked(self, address: str) -> str:
        """An address that a library of the vendor's dials: all that can be done is to look before. Raises UpstreamFailed."""
        parts = urlsplit(address)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        if address and not self.guard.allows(parts.hostname or "", port, resolved(parts.hostname or "", port)):
            raise UpstreamFailed("AWS was not reached: the STS address is not a public one.")
        return address

    def _check_token_address(self, url: str) -> None:
        """A caller's service account may not send the gateway to an address of the caller's choice."""
        parts = urlsplit(url)
        if (parts.scheme == "https" and parts.hostname in GOOGLE_TOKEN_HOSTS) or _origin(url) in self.token_origins:
            return
        raise BadRequest(
            f"The service account's token_uri {url[:100]!r} is not Google's. Whoever runs Loupe can list its host in "
            "LOUPE_CUSTOM_HOSTS.",
            code="invalid_credential",
        )


def _own_keys(route: Route) -> tuple[str, str, str]:
    secret = route.setting("secret_access_key") or route.secret
    return route.setting("access_key_id"), secret, route.setting("session_token")


def _signature(
    route: Route, role: Sequence[str] | None, method: str, url: str, headers: HeaderList, body: bytes
) -> Headers:
    """AWS Signature Version 4 (docs.aws.amazon.com, IAM user guide), with the role's keys or else the route's own."""
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials as Keys
    except ImportError:
        raise missing_extra("aws", "an AWS access key") from None
    kept = {name: value for name, value in headers if name in ("content-type",)}
    request = AWSRequest(method=method, url=url, data=body, headers=kept)
    id, secret, session = role or _own_keys(route)
    SigV4Auth(Keys(id, secret, session or None), "bedrock", route.setting("region") or "us-east-1").add_auth(request)
    wanted = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
    return [(name.lower(), value) for name, value in request.headers.items() if name.lower() in wanted]


def missing_extra(extra: str, what: str) -> GatewayError:
    return BadRequest(
        f"To use {what} Loupe needs an extra that is not installed here: pip install 'loupe[{extra}]'.",
        code="missing_extra",
    )


def _transport(guard: Guard) -> Any:
    """Google's library asks for a function like `requests`; this one asks before it dials."""
    from google.auth.transport import Response

    class Answer(Response):
        def __init__(self, answer: Reply) -> None:
            self.answer = answer

        @property
        def status(self) -> int:
            return self.answer[0]

        @property
        def headers(self) -> Mapping[str, str]:
            return self.answer[1]

        @property
        def data(self) -> bytes:
            return self.answer[2]

    def call(url: str, method: str = "GET", body: bytes | None = None, headers: Any = None, **_: Any) -> Answer:
        from google.auth.exceptions import TransportError

        sent = {"accept-encoding": "identity", **(headers or {})}
        try:
            return Answer(request(method, url, guard=guard, headers=sent, body=body or b"", seconds=TOKEN_SECONDS))
        except NotReached as error:
            raise TransportError(f"{error} at {urlsplit(url).hostname}") from None  # type: ignore[no-untyped-call]

    return call


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
