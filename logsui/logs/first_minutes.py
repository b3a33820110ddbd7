"""A list without logs: a call that can be pasted, with a key of its own, and sample logs to look around in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from gateway.demo import logs as samples
from gateway.demo.first_call import curl_lines
from gateway.keys.api_keys import create_api_key
from gateway.keys.audit import Actor
from gateway.models import Membership, Workspace
from logsui.access import member, root_of

FIRST_NAME, SAMPLES = "first call", 300


@require_POST
@member(Membership.Role.EDITOR)
def first_call(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The new key is in this one answer and nowhere else."""
    _, key = create_api_key(workspace=workspace, name=FIRST_NAME, actor=Actor.person(request.user))
    context = {"workspace": workspace, "curl": "\n".join(curl_lines(root_of(request), key)), "name": FIRST_NAME}
    return render(request, "logsui/logs/first_call.html", context)


@require_POST
@member(Membership.Role.EDITOR)
def sample_logs(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """Write some, or remove all that there are."""
    if request.POST.get("samples") == "remove":
        gone = samples.clear(workspace)
        messages.success(request, f"{gone:,} sample logs are removed.")
    else:
        for _ in samples.write(workspace, SAMPLES):
            pass
        messages.success(request, f"{SAMPLES} sample logs of the last 30 days are written.")
    return redirect("logs", slug=workspace.slug)
