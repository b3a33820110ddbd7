"""Who may see a page: a decorator that finds the workspace of the address among those of the person, and checks the role.
And what is said of a form that cannot be trusted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import get_script_prefix
from django_htmx.middleware import HtmxDetails

from gateway.models import Membership, replica

log = logging.getLogger(__name__)

YEAR_SECONDS = 365 * 24 * 3600
CHANGED, CHANGED_SECONDS = "loupe_changed", 10
RANK = {Membership.Role.VIEWER: 0, Membership.Role.EDITOR: 1, Membership.Role.OWNER: 2}
View = Callable[..., HttpResponseBase]


class HtmxHttpRequest(HttpRequest):
    htmx: HtmxDetails


class MemberRequest(HttpRequest):
    """As a view for members gets it."""

    membership: Membership


def member(role: Membership.Role = Membership.Role.VIEWER, *, only_looks: bool = False) -> Callable[[View], View]:
    """The view gets the workspace instead of its slug. A stranger gets 404, too low a role 403.

    A view that only looks may be shown what a read replica holds; not to a browser that has just changed something.
    """

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def checked(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
            held = Membership.objects.select_related("workspace").filter(workspace__slug=slug, user=request.user.pk)
            membership = held.first()
            if membership is None:
                raise Http404("There is no such workspace, or you are not a member of it.")
            if RANK[Membership.Role(membership.role)] < RANK[role]:
                raise PermissionDenied(f"This needs the role {role.label.lower()} in {membership.workspace}.")
            cast("MemberRequest", request).membership = membership
            with replica.reading() if only_looks and CHANGED not in request.COOKIES else nullcontext():
                response = view(request, membership.workspace, **kwargs)
            if request.method == "POST" and settings.REPLICA_URL:
                response.set_cookie(
                    CHANGED, "1", max_age=CHANGED_SECONDS, httponly=True, samesite="Lax", secure=settings.BEHIND_TLS
                )
            return response

        return checked

    return decorate


reader, editor = member(), member(Membership.Role.EDITOR)


def may_edit(request: HttpRequest) -> bool:
    """In a view for members."""
    return cast("MemberRequest", request).membership.role in (Membership.Role.EDITOR, Membership.Role.OWNER)


def is_owner(request: HttpRequest) -> bool:
    """In a view for members."""
    return cast("MemberRequest", request).membership.role == Membership.Role.OWNER


def remember(response: HttpResponse, name: str, choice: str) -> None:
    """Keep what somebody chose, for this browser."""
    response.set_cookie(name, choice, max_age=YEAR_SECONDS, samesite="Lax", secure=settings.BEHIND_TLS)


def root_of(request: HttpRequest) -> str:
    """The address of this Loupe, as whoever asks reaches it."""
    return request.build_absolute_uri(get_script_prefix()).rstrip("/")


def below_root(path: str) -> str:
    """A path of the API, as a browser asks for it: behind the base path, where there is one."""
    return get_script_prefix().rstrip("/") + path


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's check against forms from elsewhere (CSRF) failed: what to do about it, for either side of the screen."""
    log.warning("a form at %s was refused: %s", request.path, reason)
    return render(request, "403.html", {"exception": _cure(request)}, status=403)


def _cure(request: HttpRequest) -> str:
    origin, host = request.headers.get("Origin", ""), request.get_host()
    if origin == f"https://{host}" and not request.is_secure():
        return (
            "The form was not taken: it came by https, and Loupe does not know that a proxy ends TLS before it. Whoever "
            "runs Loupe sets LOUPE_HTTPS=on, and has the proxy send X-Forwarded-Proto."
        )
    if origin not in ("", "null", f"{request.scheme}://{host}"):
        return (
            f"The form was not taken: it came from {origin}, but Loupe was asked as {request.scheme}://{host}. Whoever runs "
            "Loupe has the proxy pass on the Host header as it came, with its port."
        )
    if settings.CSRF_COOKIE_NAME not in request.COOKIES:
        return (
            "The form was not taken: the browser sent no cookie. Allow cookies for this address; with LOUPE_HTTPS=on they "
            "are sent by https only."
        )
    return "The form was not taken: it is too old, or from before you logged in. Go back, reload the page and send it again."
