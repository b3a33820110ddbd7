"""The page of a workspace's people, invitations to it, and other workspaces."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gateway.keys import audit, people
from gateway.keys.audit import Actor
from gateway.models import Invitation, Membership, Workspace
from logsui.access import is_owner, member
from logsui.account.login import let_in

Role = Membership.Role
MAY = {
    Role.VIEWER: "looks at everything and changes nothing",
    Role.EDITOR: "edits prompts and picture sets, replays, rates and deletes requests",
    Role.OWNER: "does everything, with people, keys of providers and rules of storage",
}


@require_GET
@member()
def people_page(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    return _page(request, workspace)


@require_POST
@member(Role.OWNER)
def invite(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The link is in this one answer and nowhere else."""
    role = _role(request)
    token = people.invite(workspace=workspace, role=role, actor=Actor.person(request.user))
    link = request.build_absolute_uri(reverse("join", args=[token]))
    return _page(request, workspace, link=link, link_role=role)


@require_POST
@member(Role.OWNER)
def withdraw(request: HttpRequest, workspace: Workspace, invitation_id: int) -> HttpResponse:
    get_object_or_404(Invitation.objects.open(), workspace=workspace, pk=invitation_id).delete()
    audit.note(workspace=workspace, actor=Actor.person(request.user), action="invitation withdrawn")
    messages.success(request, "The invitation is withdrawn.")
    return redirect("people", slug=workspace.slug)


@require_POST
@member(Role.OWNER)
def set_role(request: HttpRequest, workspace: Workspace, member_id: int) -> HttpResponse:
    membership = get_object_or_404(Membership.objects.filter(workspace=workspace), pk=member_id)
    try:
        people.set_role(membership=membership, role=_role(request), actor=Actor.person(request.user))
    except ValidationError as error:
        return _page(request, workspace, errors=error.messages)
    return redirect("people", slug=workspace.slug)


@require_POST
@member(Role.OWNER)
def remove(request: HttpRequest, workspace: Workspace, member_id: int) -> HttpResponse:
    membership = get_object_or_404(Membership.objects.filter(workspace=workspace), pk=member_id)
    try:
        people.remove_person(membership=membership, actor=Actor.person(request.user))
    except ValidationError as error:
        return _page(request, workspace, errors=error.messages)
    messages.success(request, f"{membership.user} is no member of {workspace} any more.")
    if membership.user_id == request.user.pk:
        return redirect("home")
    return redirect("people", slug=workspace.slug)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Whoever is logged in becomes a member; others make an account first."""
    invitation = people.invitation_of(token)
    if invitation is None:
        return render(request, "logsui/account/join.html", {"spent": True}, status=403)
    user = request.user if isinstance(request.user, User) else None
    form: UserCreationForm[User] | None = None if user else UserCreationForm(request.POST or None)
    context = {"invitation": invitation, "form": form, "may_join": form is None or settings.PASSWORDS}
    if request.method == "POST" and (form is None or (settings.PASSWORDS and form.is_valid())):
        try:
            joined = _joined(invitation, user, form)
        except ValidationError as error:
            return render(request, "logsui/account/join.html", context | {"problems": error.messages}, status=400)
        let_in(request, joined)
        return redirect("logs", slug=invitation.workspace.slug)
    return render(request, "logsui/account/join.html", context)


@transaction.atomic
def _joined(invitation: Invitation, user: User | None, form: UserCreationForm[User] | None) -> User:
    """An account that was made for it goes with it when that fails. Raises ValidationError."""
    joining = form.save() if form else user
    assert joining is not None
    people.accept(invitation=invitation, user=joining)
    return joining


@require_POST
@login_required
def create_workspace(request: HttpRequest) -> HttpResponse:
    """Whoever owns one may make another."""
    if not Membership.objects.filter(user=request.user.pk, role=Role.OWNER).exists():
        raise PermissionDenied("Only an owner of a workspace makes another.")
    name = request.POST.get("name", "").strip()[:100]
    slug = slugify(name)[:50]
    if not slug or Workspace.objects.filter(slug=slug).exists():
        messages.error(request, f"There is a workspace called {name} already, or the name has no letters.")
        return redirect("account")
    workspace = people.create_workspace(slug=slug, name=name)
    assert isinstance(request.user, User)
    people.join(workspace=workspace, user=request.user, role=Role.OWNER, actor=Actor.person(request.user))
    return redirect("connect", slug=workspace.slug)


def _role(request: HttpRequest) -> Membership.Role:
    given = request.POST.get("role", "")
    return Role(given) if given in Role.values else Role.VIEWER


def _page(
    request: HttpRequest,
    workspace: Workspace,
    *,
    link: str = "",
    link_role: str = "",
    errors: list[str] | None = None,
) -> HttpResponse:
    context = {
        "workspace": workspace,
        "members": Membership.objects.filter(workspace=workspace).select_related("user").order_by("user__username"),
        "invitations": Invitation.objects.open().filter(workspace=workspace).order_by("-created_at"),
        "roles": [(role, role.label.lower(), MAY[role]) for role in (Role.VIEWER, Role.EDITOR, Role.OWNER)],
        "link": link,
        "link_role": link_role,
        "errors": errors or [],
        "is_owner": is_owner(request),
    }
    return render(request, "logsui/account/people.html", context, status=400 if errors else 200)
