"""A comparison: up to four columns on the values of one form, side by side. It is a run of one case."""

from __future__ import annotations

import uuid
from contextlib import suppress

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from gateway.models import Workspace
from logsui.access import editor
from logsui.sets.run_columns import ColumnForm, find_run, references
from logsui.sets.set_pages import values_of
from prompts.editor import drafts
from prompts.editor.drafts import Variable
from prompts.library import loading
from prompts.models import PromptVersion
from prompts.sets.cases import CaseText


@require_http_methods(["GET", "POST"])
@editor
def new_comparison(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The form: columns and the values of their variables. Posted by the editor it takes its values over."""
    run = find_run(workspace, request.GET.get("run", ""))
    values = run.rows[0]["values"] if run else _given_values(request)
    if "c0-prompt" in request.POST:
        form = ColumnForm.of_post(workspace, request.POST.dict())
    else:
        form = ColumnForm.of_query(workspace, request.GET.dict() | {"prompt": _asked_prompt(request)})
    return _comparison_page(request, workspace, form, values)


@require_http_methods(["GET", "POST"])
@editor
def start_comparison(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    if request.method == "GET":  # the address of a form that was answered with itself
        return redirect("new-comparison", slug=workspace.slug)
    form, values = ColumnForm.of_post(workspace, request.POST.dict()), _given_values(request)
    run = form.start([CaseText("values", values)], None, request.user)
    return (
        _comparison_page(request, workspace, form, values)
        if run is None
        else redirect("run", slug=workspace.slug, id=run.pk)
    )


def _given_values(request: HttpRequest) -> dict[str, str]:
    return values_of(request.POST.dict())


def _asked_prompt(request: HttpRequest) -> str:
    return request.GET.get("prompt", "") or request.POST.get("prompt", "")


def _comparison_page(
    request: HttpRequest, workspace: Workspace, form: ColumnForm, values: dict[str, str]
) -> HttpResponse:
    context = {
        "workspace": workspace,
        "form": form,
        "references": references(workspace),
        "variables": _variables(form, values),
    }
    return render(request, "logsui/sets/comparison.html", context)


def _variables(form: ColumnForm, values: dict[str, str]) -> list[Variable]:
    """Those of all columns that can be run, with the value given, or the example of a version; and what else was given."""
    with suppress(ValidationError):  # it stands beside its column
        form.read()
    found: dict[str, Variable] = {}
    partials = loading.partials_of(form.workspace.pk)
    for column in form.readable:
        version = PromptVersion.objects.select_related("prompt").get(
            prompt=uuid.UUID(column.prompt), number=column.version
        )
        for one in drafts.variables(drafts.of_version(version), partials):
            if one.kind != "unused":
                found.setdefault(one.name, Variable(one.name, one.kind, values.get(one.name, one.value)))
    others = [Variable(name, "unused", value) for name, value in values.items() if value and name not in found]
    return [*found.values(), *others]
