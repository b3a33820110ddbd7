"""Who may see a page: a decorator that finds the workspace of the address among those of the person, and checks the role."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails

from gateway.models import Membership

RANK = {Membership.Role.VIEWER: 0, Membership.Role.EDITOR: 1, Membership.Role.OWNER: 2}
View = Callable[..., HttpResponseBase]


class HtmxHttpRequest(HttpRequest):
    htmx: HtmxDetails


class MemberRequest(HttpRequest):
    """As a view for members gets it."""

    membership: Membership


def member(role: Membership.Role = Membership.Role.VIEWER) -> Callable[[View], View]:
    """The view gets the workspace instead of its slug. A stranger gets 404, too low a role 403."""

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
            return view(request, membership.workspace, **kwargs)

        return checked

    return decorate


reader, editor = member(), member(Membership.Role.EDITOR)


def may_edit(request: HttpRequest) -> bool:
    """In a view for members."""
    return cast("MemberRequest", request).membership.role in (Membership.Role.EDITOR, Membership.Role.OWNER)


def is_owner(request: HttpRequest) -> bool:
    """In a view for members."""
    return cast("MemberRequest", request).membership.role == Membership.Role.OWNER
