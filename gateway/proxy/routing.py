"""From what a call asks for to where it goes. Pure: its options and the virtual keys of its workspace in, a route out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from gateway.errors import BadRequest, Forbidden, NotFound, Unauthorized
from gateway.keys.target import Target, check_plain
from gateway.providers import PROVIDERS, by_name
from gateway.providers.base import COMMON, Provider
from gateway.proxy.call_options import PLACEHOLDER_MODEL, CallOptions
from gateway.upstream.route import Route

# How a stored secret is shown, and to whom: for its virtual key to say, not for a request.
CREDENTIAL_SETTINGS = ("auth_mode", "tenant_id", "client_id", "scope", "access_key_id", "role_arn", "external_id")


# By provider, then by header without its `x-portkey-`.
SETTINGS = {
    provider.name: {one.header: one for one in (*provider.settings, *COMMON) if one.header} for provider in PROVIDERS
}


def route(options: CallOptions, model: str, targets: dict[str, Target], custom_hosts: Collection[str]) -> Route:
    """Choose the provider: its header first, then the virtual key's, then the model's `@slug/` (portkey.md A8).

    Raises:
        BadRequest, Unauthorized, Forbidden, NotFound: with the cause and the cure.
    """
    slug, bare_model = _slug_and_model(options, model, targets)
    if slug:
        return _through(targets, slug, bare_model, options, custom_hosts)
    if options.provider:
        return _direct(options, bare_model, custom_hosts)
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


def _slug_and_model(options: CallOptions, model: str, targets: Collection[str]) -> tuple[str, str]:
    """Where a header says who answers, `@` begins a slug only if there is one of that name: Cloudflare's models are `@cf/…`."""
    prefix, _, rest = model[1:].partition("/") if model.startswith("@") else ("", "", "")
    named = (
        options.provider.removeprefix("@")
        if options.provider.startswith("@")
        else options.virtual_key.removeprefix("@")
    )
    elsewhere = options.provider or options.virtual_key
    bare = rest if prefix and (not elsewhere or prefix == named or prefix in targets) else model
    if options.provider:
        return named if options.provider.startswith("@") else "", bare
    return named or prefix, bare


def _through(
    targets: dict[str, Target], slug: str, model: str, options: CallOptions, custom_hosts: Collection[str]
) -> Route:
    target = targets.get(slug)
    if target is None:
        raise NotFound(
            f"There is no virtual key @{slug} in this workspace. It has {_known(targets)}; "
            "new ones are made on the page Keys or with `manage.py virtualkey add`.",
            code="unknown_virtual_key",
            param="model",
        )
    if target.problem:
        raise Forbidden(f"The secret of @{slug} cannot be used: {target.problem}.", code="credential_unreadable")
    base_url, settings = target.base_url, target.settings
    stated = _settings_of_call(target.provider, options, secrets=False)
    if stated:
        settings = {**settings, **stated}
        base_url = _moved(target, settings)
        _check_shown_alike(target, settings)
    if options.custom_host:
        base_url = options.custom_host
    if base_url != target.base_url and _origin(base_url) != _origin(target.base_url):
        raise Forbidden(
            f"The request names another address than the one the secret of @{slug} was stored for. "
            "Make a virtual key for that address instead.",
            code="credential_origin_changed",
        )
    if options.custom_host:
        base_url = _custom(options.custom_host, custom_hosts)
    return Route(target.provider, base_url, model, target.id, target.secret, settings)


def _check_shown_alike(target: Target, settings: Mapping[str, str]) -> None:
    """Another way to sign in would show the secret to another server than the one it was stored for."""
    changed = [name for name in CREDENTIAL_SETTINGS if settings.get(name) != target.settings.get(name)]
    if changed:
        raise Forbidden(
            f"The request changes {' and '.join(changed)} of @{target.slug}, which say how its secret is shown. "
            "Make a virtual key for that instead.",
            code="credential_origin_changed",
        )


def _moved(target: Target, settings: Mapping[str, str]) -> str:
    """The address under the request's own settings, where the stored one came from the stored settings."""
    provider = target.provider
    derived = provider.address(target.settings) == target.base_url
    return provider.address(settings) if derived and target.base_url else target.base_url


def _direct(options: CallOptions, model: str, custom_hosts: Collection[str]) -> Route:
    provider = by_name(options.provider)
    if provider is None:
        names = ", ".join(p.name for p in PROVIDERS)
        raise BadRequest(
            f"Unknown provider {options.provider!r} in x-portkey-provider. Known: {names}; "
            "a virtual key is written with an @, as in '@my-slug'.",
            code="unknown_provider",
        )
    settings = _settings_of_call(provider, options, secrets=True)
    stated = [settings[one.name] for one in provider.settings if one.secret and one.name in settings]
    key = options.provider_key or next(iter(stated), "")
    if provider.needs_secret and not key:
        raise Unauthorized(
            f"The provider {provider.name} needs its own key in Authorization: Bearer, beside the gateway key in "
            "x-portkey-api-key. To keep the provider's key in Loupe, name a virtual key instead.",
            code="missing_provider_key",
        )
    missing = [one for one in provider.settings if one.required and not settings.get(one.name)]
    if options.custom_host:
        base_url = _custom(options.custom_host, custom_hosts)
    elif missing:
        raise BadRequest(
            f"The provider {provider.name} needs {' and '.join('x-portkey-' + one.header for one in missing)}.",
            code="missing_setting",
        )
    else:
        base_url = provider.address(settings)
    if not base_url and not provider.built_in:
        raise BadRequest(
            f"The provider {provider.name} has no address of its own. Send x-portkey-custom-host, or make a virtual "
            "key with a base URL.",
            code="missing_host",
        )
    return Route(provider, base_url, model, None, key, settings)


def _settings_of_call(provider: Provider, options: CallOptions, *, secrets: bool) -> dict[str, str]:
    """The provider's settings among the request's headers."""
    for header, cure in provider.refused_headers.items():
        if options.portkey.get(header):
            raise BadRequest(
                f"x-portkey-{header} is not something that Loupe does. {cure}.", code="unsupported_header", param=header
            )
    known = SETTINGS[provider.name]
    settings = {
        one.name: value
        for header, value in options.portkey.items()
        if value and (one := known.get(header)) is not None and (secrets or not one.secret)
    }
    if settings:
        check_plain(provider, settings)
    return settings


def _custom(url: str, allowed: Collection[str]) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or parts.query:
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
