"""The page of gateway keys and virtual keys."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from gateway.keys.api_keys import DEFAULT_SCOPES, MAY, SCOPES, create_api_key, revoke_api_key
from gateway.keys.audit import Actor
from gateway.keys.in_memory import target_of
from gateway.keys.virtual_keys import create_virtual_key, revoke_virtual_key
from gateway.models import ApiKey, Membership, VirtualKey, Workspace
from gateway.providers import PROVIDERS
from gateway.providers.base import COMMON, Provider
from gateway.upstream.connection_check import Finding, check
from logsui.access import HtmxHttpRequest, is_owner, may_edit, member

LIVES = {"30 days": timedelta(days=30), "90 days": timedelta(days=90), "a year": timedelta(days=365)}
EDITOR, OWNER = Membership.Role.EDITOR, Membership.Role.OWNER


@require_GET
@member()
def key_page(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    return _page(request, workspace)


@require_POST
@member(EDITOR)
def create_key(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The new key is in this one answer and nowhere else: no redirect, no message store."""
    scopes = tuple(one for one in request.POST.getlist("scope") if one in SCOPES) or DEFAULT_SCOPES
    life = LIVES.get(request.POST.get("life", ""))
    try:
        row, key = create_api_key(
            workspace=workspace,
            name=request.POST.get("name", ""),
            scopes=scopes,
            allowed_models=request.POST.get("models", "").replace(",", " ").split(),
            allowed_virtual_keys=request.POST.getlist("virtual_key"),
            expires_at=timezone.now() + life if life else None,
            actor=Actor.person(request.user),
        )
    except ValidationError as error:
        return _page(request, workspace, key_errors=error.messages)
    return _page(request, workspace, new_key=key, new_key_name=row.name)


@require_POST
@member(EDITOR)
def revoke_key(request: HttpRequest, workspace: Workspace, key_id: int) -> HttpResponse:
    row = get_object_or_404(ApiKey.objects.of(workspace), pk=key_id)
    revoke_api_key(api_key=row, actor=Actor.person(request.user))
    messages.success(request, f"The key {row.name} is revoked. It stops working within two seconds.")
    return redirect("keys", slug=workspace.slug)


@require_GET
@member(OWNER)
def provider_fields(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The part of the form that depends on the provider."""
    return render(request, "logsui/account/_provider_fields.html", {"chosen": _chosen(request.GET.get("provider", ""))})


@sensitive_post_parameters("secret")
@require_POST
@member(OWNER)
def create_virtual(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    given = {name: request.POST.get(name, "").strip() for name in ("slug", "provider", "base_url", "secret")}
    chosen = _chosen(given["provider"])
    settings = {one.name: request.POST.get(f"set-{one.name}", "").strip() for one in (*chosen.settings, *COMMON)}
    try:
        row = create_virtual_key(
            workspace=workspace,
            slug=given["slug"],
            provider=given["provider"],
            base_url=given["base_url"],
            secret=given["secret"],
            settings={name: value for name, value in settings.items() if value},
            actor=Actor.person(request.user),
        )
    except ValidationError as error:
        kept = given | {"secret": ""}
        return _page(request, workspace, virtual_errors=error.messages, given=kept, stated=settings, chosen=chosen)
    messages.success(request, f'@{row.slug} is ready. Call it with model="@{row.slug}/…".')
    return redirect("keys", slug=workspace.slug)


@require_POST
@member(OWNER)
def revoke_virtual(request: HttpRequest, workspace: Workspace, key_id: int) -> HttpResponse:
    row = get_object_or_404(VirtualKey.objects.of(workspace), pk=key_id)
    revoke_virtual_key(virtual_key=row, actor=Actor.person(request.user))
    messages.success(request, f"@{row.slug} is revoked and its secret is deleted.")
    return redirect("keys", slug=workspace.slug)


@require_POST
@member(OWNER)
def test_virtual(request: HtmxHttpRequest, workspace: Workspace, key_id: int) -> HttpResponse:
    """Try a virtual key on its provider; the finding goes into its row, or on top of the page without JavaScript."""
    row = get_object_or_404(VirtualKey.objects.of(workspace).live(), pk=key_id)
    target = target_of(row)
    finding = check(target) if target else Finding("failed", f"This version knows no provider {row.provider}.")
    if request.htmx:
        return render(request, "logsui/account/_finding.html", {"finding": finding})
    messages.add_message(
        request, messages.INFO if finding.verdict == "ok" else messages.WARNING, f"@{row.slug}: {finding.words}"
    )
    return redirect("keys", slug=workspace.slug)


def _chosen(name: str) -> Provider:
    return next((one for one in PROVIDERS if one.name == name and not one.built_in), PROVIDERS[0])


def _page(request: HttpRequest, workspace: Workspace, **extra: object) -> HttpResponse:
    context = {
        "workspace": workspace,
        "api_keys": ApiKey.objects.of(workspace).filter(is_inner=False).order_by("revoked_at", "-created_at"),
        "scopes": [(scope, MAY[scope], scope in DEFAULT_SCOPES) for scope in SCOPES],
        "may": MAY,
        "lives": LIVES,
        "virtual_keys": VirtualKey.objects.of(workspace).live().order_by("slug"),
        "providers": [provider for provider in PROVIDERS if not provider.built_in],
        "chosen": _chosen(request.GET.get("provider", "")),
        "common": COMMON,
        "can_edit": may_edit(request),
        "is_owner": is_owner(request),
    }
    return render(request, "logsui/account/keys.html", context | extra)
