"""Login by an OpenID Connect provider: the way there, and the way back (authorization code with PKCE, state and nonce)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.django_client import DjangoOAuth2App, OAuth
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET
from joserfc.errors import JoseError

from gateway.keys.single_sign_on import NotAdmitted, Rules, admit
from gateway.models import Membership
from logsui.account.login import let_in, next_page, shown

log = logging.getLogger(__name__)

NEXT = "after_single_sign_on"
AWAY = "The single sign-on provider cannot be reached. Try again in a minute."
WAY_SECONDS = 15 * 60  # to the provider and back
SECONDS = 10  # for each question to the provider


class Failed(Exception):
    """The provider did not vouch for anybody; the text is for whoever wants to log in."""


@require_GET
def begin(request: HttpRequest) -> HttpResponse:
    request.session[NEXT] = next_page(request)
    if not request.user.is_authenticated:
        request.session.set_expiry(WAY_SECONDS)  # strangers make them, too
    try:
        redirected: HttpResponse = _client().authorize_redirect(
            request, request.build_absolute_uri(reverse("oidc-callback"))
        )
    except (requests.RequestException, AuthlibBaseError, ValueError, RuntimeError, KeyError) as error:
        log.warning("single sign-on: %s is not what it should be: %s", settings.OIDC_ISSUER, error)
        return shown(request, status=502, problem=AWAY)
    return redirected


@require_GET
def finish(request: HttpRequest) -> HttpResponse:
    try:
        issuer, claims = _claims(request)
        user = admit(rules=_rules(), issuer=issuer, claims=claims)
    except (Failed, NotAdmitted) as error:
        return shown(request, status=403, problem=str(error))
    target = request.session.pop(NEXT, settings.LOGIN_REDIRECT_URL)
    let_in(request, user, settings.OIDC_HOURS * 3600)
    return redirect(target)


def _claims(request: HttpRequest) -> tuple[str, Mapping[str, Any]]:
    """The issuer, and what it says of whoever came back; what only its userinfo knows, too. Raises Failed."""
    client = _client()
    try:
        token = client.authorize_access_token(request)
        claims = dict(token.get("userinfo") or {})
        if claims and client.load_server_metadata().get("userinfo_endpoint"):
            told = client.userinfo(token=token)
            if told.get("sub") != claims["sub"]:
                raise Failed("The single sign-on provider speaks of two people at once.")
            claims = {**told, **claims}
    except requests.RequestException as error:
        log.warning("single sign-on: %s does not answer: %s", settings.OIDC_ISSUER, error)
        raise Failed(AWAY) from None
    except MismatchingStateError:
        raise Failed("The login took too long, or was begun in another browser. Begin again.") from None
    except (AuthlibBaseError, JoseError, ValueError, RuntimeError, KeyError) as error:
        log.warning("single sign-on failed: %s", error)
        raise Failed(f"Single sign-on failed: {str(error)[:300]}. Begin again.") from None
    if not claims:
        raise Failed("The single sign-on provider sent no identity (id_token); it needs the scope openid.")
    return str(claims["iss"]), claims


@cache
def _rules() -> Rules:
    return Rules(
        workspace=settings.OIDC_WORKSPACE,
        first_role=Membership.Role(settings.OIDC_ROLE),
        role_claim=settings.OIDC_ROLE_CLAIM,
        roles=tuple((Membership.Role(role), group) for role, group in settings.OIDC_ROLES),
        domains=tuple(settings.OIDC_DOMAINS),
    )


@cache
def _client() -> DjangoOAuth2App:
    client: DjangoOAuth2App = OAuth().register(
        "loupe",
        client_id=settings.OIDC_CLIENT_ID,
        client_secret=settings.OIDC_CLIENT_SECRET,
        server_metadata_url=f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": settings.OIDC_SCOPES, "code_challenge_method": "S256", "default_timeout": SECONDS},
    )
    return client
