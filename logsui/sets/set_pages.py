"""Picture sets: their list, and the page of one with its cases. What is run on them is in `set_runs`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from gateway.keys import audit
from gateway.keys.audit import Actor
from gateway.models import Workspace
from logsui.access import editor, may_edit, reader
from logsui.archive import sent
from logsui.sets import set_files
from logsui.sets.paging import Pages, page_number
from logsui.sets.run_columns import ColumnForm, references
from prompts.language.rendering import PICTURE
from prompts.models import Case, PictureSet, Prompt, SetRun
from prompts.sets import checks, picture_sets
from prompts.sets.cases import OWN, CaseText

CASES_A_PAGE = 100
RECENT_RUNS = 20


@require_GET
@reader
def set_list(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    found = PictureSet.objects.of(workspace).annotate(count=_count(Case), ran=_count(SetRun))
    context = {
        "workspace": workspace,
        "sets": list(found.order_by("name")),
        "runs": list(
            SetRun.objects.of(workspace).newest_first().defer("rows").select_related("set", "author")[:RECENT_RUNS]
        ),
        "prompts": list(Prompt.objects.of(workspace).filter(kind=Prompt.Kind.PROMPT).order_by("name")),
        "can_edit": may_edit(request),
    }
    return render(request, "logsui/sets/set_list.html", context)


@require_POST
@editor
def create_set(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """A set, for a prompt where one is named."""
    prompt = Prompt.objects.of(workspace).filter(kind=Prompt.Kind.PROMPT).named(request.POST.get("prompt", "")).first()
    try:
        made = picture_sets.create_set(workspace=workspace, name=request.POST.get("name", ""), prompt=prompt)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect("sets", slug=workspace.slug)
    return redirect("set", slug=workspace.slug, id=made.pk)


@require_GET
@reader
def set_page(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    """The cases, what to run on them, and the runs so far. The columns are those of `?run=`, or of the latest run."""
    found, query = _find(workspace, id), request.GET.dict()
    latest = found.runs.newest_first().defer("rows").first()
    if latest is not None:
        query.setdefault("run", str(latest.pk))
    elif found.prompt is not None:
        query.setdefault("prompt", found.prompt.slug)
    return page_of(request, workspace, found, ColumnForm.of_query(workspace, query))


def page_of(request: HttpRequest, workspace: Workspace, picture_set: PictureSet, form: ColumnForm) -> HttpResponse:
    start = (page_number(request) - 1) * CASES_A_PAGE
    count = picture_set.cases.count()
    kinds = picture_sets.kinds_of(picture_set.prompt) if picture_set.prompt else {}
    context = {
        "workspace": workspace,
        "set": picture_set,
        "cases": [_row(picture_set, case, kinds) for case in picture_set.cases.all()[start : start + CASES_A_PAGE]],
        "count": count,
        "picture_column": next((name for name in picture_set.columns if kinds.get(name) == "image"), ""),
        "pages": Pages.of(request, count, CASES_A_PAGE),
        "runs": list(picture_set.runs.newest_first().defer("rows").select_related("author")[:RECENT_RUNS]),
        "form": form,
        "references": references(workspace),
        "checks": Case.Check.choices,
        "can_edit": may_edit(request),
    }
    return render(request, "logsui/sets/set_page.html", context)


@require_POST
@editor
def rename_set(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    found, name = _find(workspace, id), request.POST.get("name", "")
    return _after(request, found, lambda: picture_sets.rename_set(picture_set=found, name=name), "Renamed.")


@require_POST
@editor
def delete_set(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    found = _find(workspace, id)
    picture_sets.delete_set(picture_set=found)
    messages.success(request, f"{found.name} is deleted.")
    return redirect("sets", slug=workspace.slug)


@require_POST
@editor
def change_columns(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    found, name = _find(workspace, id), request.POST.get("name", "")
    if "take" in request.POST:
        taken = request.POST["take"]
        return _after(
            request,
            found,
            lambda: picture_sets.remove_column(picture_set=found, name=taken),
            f"{taken} is removed. Its values are kept.",
        )
    return _after(
        request, found, lambda: picture_sets.add_column(picture_set=found, name=name), f"{name} is a column now."
    )


@require_POST
@editor
def add_case(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    found = _find(workspace, id)
    case = CaseText(f"case {found.cases.count() + 1}")
    return _after(request, found, lambda: picture_sets.add_cases(picture_set=found, cases=[case]), "")


@require_POST
@editor
def edit_case(request: HttpRequest, workspace: Workspace, id: uuid.UUID, case_id: int) -> HttpResponse:
    """For htmx what is wrong, to stand beside it: the fields stay as they are, for somebody is typing in them."""
    found = _find(workspace, id)
    case = get_object_or_404(found.cases, pk=case_id)
    form = request.POST.dict()
    values = values_of(form)
    name, check, expected = (form.get(name, "").replace("\r\n", "\n") for name in OWN)

    def write() -> str:
        return picture_sets.edit_case(case=case, name=name, values=values, check=check, expected=expected)

    if not request.headers.get("hx-request"):
        return _after(request, found, write, f"{name} is saved.")
    try:
        problem = write()
    except ValidationError as error:
        problem = error.messages[0]
    return render(request, "logsui/sets/_case_problem.html", {"case": case, "problem": problem, "oob": True})


@require_POST
@editor
def remove_case(request: HttpRequest, workspace: Workspace, id: uuid.UUID, case_id: int) -> HttpResponse:
    found = _find(workspace, id)
    case = get_object_or_404(found.cases, pk=case_id)
    return _after(request, found, lambda: picture_sets.remove_case(case=case), f"{case.name} is removed.")


@require_POST
@editor
def import_cases(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    found = _find(workspace, id)
    try:
        made = set_files.read(workspace, request.FILES.getlist("files"), column=request.POST.get("column", ""))
        if not made.cases:
            raise ValidationError("There is no case in it. Choose pictures, a CSV or JSON Lines, or a ZIP of these.")
        picture_sets.add_cases(picture_set=found, cases=made.cases, columns=made.columns)
        messages.success(request, set_files.summary(made))
    except ValidationError as error:
        messages.error(request, f"Nothing was imported. {error.messages[0]}")
    return redirect("set", slug=workspace.slug, id=found.pk)


@require_GET
@reader
def export_set(request: HttpRequest, workspace: Workspace, id: uuid.UUID, kind: str) -> HttpResponseBase:
    found = _find(workspace, id)
    if kind not in ("csv", "jsonl"):
        raise Http404("A set is exported with its cases as csv or as jsonl.")
    actor = Actor.person(request.user)
    audit.note(workspace=workspace, actor=actor, action="picture set exported", what=f"{kind}: {found.name}")
    return sent(set_files.written(found, kind), filename=f"picture-set-{kind}.zip", content_type="application/zip")


def _count(model: type[Case | SetRun]) -> Coalesce:
    """How many of them a set has, as a query of its own: joined, one would multiply the other."""
    counted = model._default_manager.filter(set=OuterRef("pk")).order_by().values("set").annotate(n=Count("pk"))
    return Coalesce(Subquery(counted.values("n")), 0)


def _find(workspace: Workspace, id: uuid.UUID) -> PictureSet:
    return get_object_or_404(PictureSet.objects.of(workspace), pk=id)


def _row(picture_set: PictureSet, case: Case, kinds: Mapping[str, str]) -> dict[str, Any]:
    """`takes_picture` is no for what the prompt of the set has as a text."""
    values = shown_values({name: case.values.get(name, "") for name in picture_set.columns})
    shown = [one | {"takes_picture": kinds.get(one["name"], "image") == "image"} for one in values]
    return {"case": case, "values": shown, "problem": checks.problem_of(case.check_kind, case.expected)}


def values_of(form: Mapping[str, str]) -> dict[str, str]:
    """The values of variables in a form, whose fields are named `v-` and the variable."""
    return {name[2:]: value.replace("\r\n", "\n") for name, value in form.items() if name.startswith("v-")}


def shown_values(values: dict[str, str]) -> list[dict[str, Any]]:
    """Each with the hash of the kept picture that it names, if it does."""
    found = ((name, text, PICTURE.fullmatch(text.strip())) for name, text in values.items())
    return [{"name": name, "text": text, "picture": match[1] if match else ""} for name, text, match in found]


def _after(request: HttpRequest, picture_set: PictureSet, write: Callable[[], object], said: str) -> HttpResponse:
    """Do it and say so, or say why not; either way back to the set."""
    try:
        write()
        if said:
            messages.success(request, said)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    return redirect("set", slug=picture_set.workspace.slug, id=picture_set.pk)
