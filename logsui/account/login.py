"""Login by one-time link or password, the account's own settings, and the way to one's workspace."""

from __future__ import annotations

import threading
import time

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gateway.keys.people import use_login_link
from gateway.models import Membership, Workspace
from logsui.access import remember
from logsui.account.tries import Tries

BY_LINK = "logged_in_by_link_at"
BY_LINK_SECONDS = 15 * 60
HASHES = threading.BoundedSemaphore(2)  # one takes 100 MiB, and whoever is not known may ask for one
THEMES = ("system", "light", "dark")


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    workspace = Workspace.objects.for_user(request.user).order_by("id").first()
    if workspace is None:
        return render(request, "logsui/account/no_workspace.html", status=403)
    return redirect("logs", slug=workspace.slug)


@require_GET
def login_link(request: HttpRequest, token: str) -> HttpResponse:
    user = use_login_link(token=token)
    if user is None:
        return shown(request, status=403, spent=True)
    let_in(request, user)
    request.session[BY_LINK] = time.time()
    return redirect("home")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def login_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and not settings.PASSWORDS:
        return shown(request, status=403, problem="Passwords are switched off here (LOUPE_PASSWORDS).")
    tries = Tries(request.META.get("REMOTE_ADDR", ""), request.POST.get("username", ""))
    if request.method == "POST" and not tries.begin():
        return shown(request, AuthenticationForm(request), status=429, throttled=True)
    form = AuthenticationForm(request, data=request.POST or None)
    if request.method == "POST" and _is_right(form):
        tries.succeeded()
        let_in(request, form.get_user())
        return redirect(next_page(request))
    return shown(request, form)


def let_in(request: HttpRequest, user: User, seconds: int | None = None) -> None:
    """For so long; None is Django's two weeks, whatever was said of the session before."""
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.set_expiry(seconds)


def shown(
    request: HttpRequest, form: AuthenticationForm | None = None, *, status: int = 200, **context: object
) -> HttpResponse:
    """The page, with the ways to log in that there are."""
    ways = {
        "form": form if settings.PASSWORDS else None,
        "passwords": settings.PASSWORDS,
        "single_sign_on": settings.OIDC_ISSUER and settings.OIDC_NAME,
    }
    return render(request, "logsui/account/login.html", ways | context, status=status)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@login_required
def account_page(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    form = _password_form(request, user)
    if request.method == "POST" and form.is_valid():
        form.save()
        update_session_auth_hash(request, user)
        messages.success(request, f"Password set. You can log in as {user.get_username()} now.")
        return redirect("account")
    memberships = list(Membership.objects.filter(user=user).select_related("workspace").order_by("workspace"))
    context = {
        "form": form,
        "workspace": memberships[0].workspace if memberships else None,
        "memberships": memberships,
        "may_create": any(one.role == Membership.Role.OWNER for one in memberships),
        "themes": THEMES,
    }
    return render(request, "logsui/account/account.html", context)


def _is_right(form: AuthenticationForm) -> bool:
    with HASHES:
        return form.is_valid()


def _password_form(request: HttpRequest, user: User) -> SetPasswordForm[User]:
    """Asks for the old password, but of whoever has none yet, or just came by a link that only the server's people make."""
    came_by_link = time.time() - request.session.get(BY_LINK, 0.0) < BY_LINK_SECONDS
    is_known = user.has_usable_password() and not came_by_link
    return (PasswordChangeForm if is_known else SetPasswordForm)(user, data=request.POST or None)


@require_POST
@login_required
def set_theme(request: HttpRequest) -> HttpResponse:
    response = redirect("account")
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        remember(response, "loupe_theme", theme)
    return response


def next_page(request: HttpRequest) -> str:
    target = request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else settings.LOGIN_REDIRECT_URL
