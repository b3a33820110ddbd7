"""Who may see a page: a decorator that finds the workspace of the address among those of the person, and checks the role."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails

from gateway.models import Membership, Workspace

RANK = {Membership.Role.VIEWER: 0, Membership.Role.EDITOR: 1, Membership.Role.OWNER: 2}
View = Callable[..., HttpResponseBase]


class HtmxHttpRequest(HttpRequest):
    htmx: HtmxDetails


def member(role: Membership.Role = Membership.Role.VIEWER) -> Callable[[View], View]:
    """The view gets the workspace instead of its slug. A stranger gets 404, too low a role 403."""

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def checked(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
            workspace = Workspace.objects.for_user(request.user).filter(slug=slug).first()
            if workspace is None:
                raise Http404("There is no such workspace, or you are not a member of it.")
            held = Membership.objects.get(workspace=workspace, user=request.user.pk).role
            if RANK[Membership.Role(held)] < RANK[role]:
                raise PermissionDenied(f"This needs the role {role.label.lower()} in {workspace}.")
            return view(request, workspace, **kwargs)

        return checked

    return decorate


reader, editor = member(), member(Membership.Role.EDITOR)


def may_edit(request: HttpRequest, workspace: Workspace) -> bool:
    return _holds(request, workspace, Membership.Role.EDITOR, Membership.Role.OWNER)


def is_owner(request: HttpRequest, workspace: Workspace) -> bool:
    return _holds(request, workspace, Membership.Role.OWNER)


def _holds(request: HttpRequest, workspace: Workspace, *roles: Membership.Role) -> bool:
    return Membership.objects.filter(workspace=workspace, user=request.user.pk, role__in=roles).exists()
