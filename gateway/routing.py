"""From what a request claims to where it goes. Pure: claims and the directory of keys in, a route out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.claims import PLACEHOLDER_MODEL, Claims
from gateway.errors import BadRequest, Forbidden, NotFound, Unauthorized
from gateway.providers import PROVIDERS, by_name
from gateway.providers.base import Headers, Provider


@dataclass(frozen=True, slots=True)
class Target:
    """A virtual key as the gateway remembers it. `secret` is opened already; `problem` says why it could not be."""

    id: int
    slug: str
    provider: Provider
    base_url: str
    secret: str = field(default="", repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where one call goes. `model` is the provider's name for it, without our slug."""

    provider: Provider
    base_url: str
    model: str
    auth: Headers = field(repr=False)
    virtual_key: int | None = None
    secret: str = field(default="", repr=False)

    def url(self, endpoint: str, query: str) -> str:
        return f"{self.base_url}{endpoint}" + (f"?{query}" if query else "")


def route(claims: Claims, model: str, targets: dict[str, Target], custom_hosts: Collection[str]) -> Route:
    """Choose the provider: its header first, then the virtual key's, then the model's `@slug/` (portkey.md A8).

    Raises:
        BadRequest, Unauthorized, Forbidden, NotFound: with the cause and the cure.
    """
    slug, bare_model = _slug_and_model(claims, model)
    if slug:
        return _through(targets, slug, bare_model, claims, custom_hosts)
    if claims.provider:
        return _direct(claims, bare_model, custom_hosts)
    raise BadRequest(
        "The request does not say which provider to use. Name a virtual key with model='@slug/model' or the header "
        "x-portkey-virtual-key, or a provider with x-portkey-provider and its own key in Authorization. "
        f"Virtual keys of this workspace: {_known(targets)}.",
        code="missing_provider",
    )


def check_model(model: str | None, endpoint: str) -> str:
    """The model a request must name.

    Raises:
        BadRequest: none, or only the SDK's placeholder for none.
    """
    if not model or model == PLACEHOLDER_MODEL:
        raise BadRequest(
            f"POST /v1{endpoint} needs a model, for example model='@sandbox/vision'.",
            code="missing_model",
            param="model",
        )
    return model


def _slug_and_model(claims: Claims, model: str) -> tuple[str, str]:
    prefix, _, rest = model[1:].partition("/") if model.startswith("@") else ("", "", "")
    bare = rest if prefix else model
    if claims.provider:
        return claims.provider.removeprefix("@") if claims.provider.startswith("@") else "", bare
    return claims.virtual_key.removeprefix("@") or prefix, bare


def _through(targets: dict[str, Target], slug: str, model: str, claims: Claims, custom_hosts: Collection[str]) -> Route:
    target = targets.get(slug)
    if target is None:
        raise NotFound(
            f"There is no virtual key @{slug} in this workspace. It has {_known(targets)}; "
            "new ones are made under Settings or with `manage.py virtualkey add`.",
            code="unknown_virtual_key",
        )
    if target.problem:
        raise Forbidden(f"The secret of @{slug} cannot be used: {target.problem}.", code="credential_unreadable")
    if claims.custom_host and _origin(claims.custom_host) != _origin(target.base_url):
        raise Forbidden(
            f"x-portkey-custom-host names another address than the one the secret of @{slug} was stored for. "
            "Make a virtual key with that base URL instead.",
            code="credential_origin_changed",
        )
    base_url = _custom(claims.custom_host, custom_hosts) if claims.custom_host else target.base_url
    return Route(
        target.provider,
        base_url,
        model,
        target.provider.auth_headers(target.secret),
        target.id,
        target.secret,
    )


def _direct(claims: Claims, model: str, custom_hosts: Collection[str]) -> Route:
    provider = by_name(claims.provider)
    if provider is None:
        names = ", ".join(p.name for p in PROVIDERS)
        raise BadRequest(
            f"Unknown provider {claims.provider!r} in x-portkey-provider. Known: {names}; "
            "a virtual key is written with an @, as in '@my-slug'.",
            code="unknown_provider",
        )
    if provider.needs_secret and not claims.provider_key:
        raise Unauthorized(
            f"The provider {provider.name} needs its own key in Authorization: Bearer, beside the gateway key in "
            "x-portkey-api-key. To keep the provider's key in Loupe, name a virtual key instead.",
            code="missing_provider_key",
        )
    base_url = _custom(claims.custom_host, custom_hosts) if claims.custom_host else provider.base_url
    if not base_url and not provider.built_in:
        raise BadRequest(
            f"The provider {provider.name} has no address of its own. Send x-portkey-custom-host, or make a virtual "
            "key with a base URL.",
            code="missing_host",
        )
    key = claims.provider_key
    return Route(provider, base_url, model, provider.auth_headers(key), None, key)


def _custom(url: str, allowed: Collection[str]) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise BadRequest(
            f"x-portkey-custom-host must look like https://host/v1, not {url[:200]!r}.",
            code="invalid_custom_host",
        )
    if _origin(url) not in {_origin(one) for one in allowed}:
        raise Forbidden(
            "x-portkey-custom-host is not open for this address. Whoever runs Loupe can list it in LOUPE_CUSTOM_HOSTS, "
            "or make a virtual key with that base URL.",
            code="custom_host_not_allowed",
        )
    return url.rstrip("/")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        raise BadRequest(
            f"x-portkey-custom-host is not an address: {url[:200]!r}.", code="invalid_custom_host"
        ) from None
    return parts.scheme, parts.hostname, port


def _known(targets: dict[str, Target]) -> str:
    return ", ".join(f"@{slug}" for slug in sorted(targets)) or "none yet"
