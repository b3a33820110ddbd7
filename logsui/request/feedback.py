"""What people think of an answer, given on the page of its request."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from gateway.models import Feedback, Membership, Workspace
from gateway.recording import feedback
from logsui.access import HtmxHttpRequest, member
from logsui.request.detail import find_log

EDITOR = Membership.Role.EDITOR


@require_POST
@member(EDITOR)
def give_feedback(request: HtmxHttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    log = find_log(workspace, log_id)
    value = request.POST.get("value", "")
    try:
        feedback.give(
            workspace=workspace,
            trace_id=log.trace_id,
            log=log,
            value=int(value) if value.removeprefix("-").isdigit() else None,
            note=request.POST.get("note", ""),
            user_id=request.user.pk,
        )
    except ValidationError as error:
        messages.warning(request, error.messages[0])
    if request.htmx:
        context = {"workspace": workspace, "log": log, "feedback": feedback_of(log_id), "can_edit": True}
        return render(request, "logsui/request/_feedback.html", context)
    return redirect("log", slug=workspace.slug, log_id=log_id)


def feedback_of(log_id: uuid.UUID) -> list[Feedback]:
    return list(Feedback.objects.filter(log=log_id).select_related("user", "api_key"))
