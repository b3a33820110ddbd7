"""The pages: the library, the editor, the versions of one prompt. Plain forms; htmx swaps parts of the same pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import groupby, zip_longest
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Max, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from prompts.access import Workspace, editor, reader
from prompts.diff import words_between
from prompts.editor import drafts
from prompts.editor.drafts import Draft
from prompts.library import editing, labels_and_folders, loading
from prompts.library.editing import Conflict, Content
from prompts.models import Prompt, PromptVersion

ADDERS = (("add-text", "Add text"), ("add-image", "Add picture"))
NUMBER_FIELDS = (
    ("max_tokens", "Max tokens"),
    ("temperature", "Temperature"),
    ("top_p", "Top p"),
    ("seed", "Seed"),
    ("reasoning_effort", "Reasoning"),
)
DOCUMENT_FIELDS = (
    ("response_format", "Answer format, JSON"),
    ("tools", "Tools, JSON"),
    ("stop", "Stop, JSON"),
    ("more", "Other parameters, JSON"),
)


@require_GET
@reader
def prompt_list(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    words = request.GET.get("q", "").strip()
    found = Prompt.objects.of(workspace).select_related("published").annotate(newest=Max("versions__number"))
    if words:
        found = found.filter(Q(name__icontains=words) | Q(slug__icontains=words) | Q(published__text__icontains=words))
    rows = list(found.prefetch_related("labels__version").order_by("kind", "folder", "name"))
    context = {
        "workspace": workspace,
        "words": words,
        "groups": [
            {"title": _group_title(kind, folder), "prompts": list(some)}
            for (kind, folder), some in groupby(rows, lambda one: (one.kind, one.folder))
        ],
        "deleted": list(Prompt.objects.deleted(workspace).order_by("-deleted_at")),
        "kept_days": editing.KEPT_FOR.days,
    }
    return render(request, "prompts/prompt_list.html", context)


def _group_title(kind: str, folder: str) -> str:
    if kind == Prompt.Kind.PARTIAL:
        return f"Partials / {folder}" if folder else "Partials"
    return folder or "Prompts"


@require_GET
@editor
def new_prompt(request: HttpRequest, workspace: Workspace, kind: str = Prompt.Kind.PROMPT) -> HttpResponse:
    draft = Draft() if kind == Prompt.Kind.PARTIAL else drafts.from_content(**_content(drafts.NEW))
    return editor_page(request, workspace, draft, kind=kind)


@require_GET
@reader
def edit_prompt(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    """The newest version, or the one of `?version=`, as a draft."""
    prompt = _find(workspace, id)
    number = request.GET.get("version", "")
    version = (
        get_object_or_404(prompt.versions, number=int(number))
        if number.isdecimal() and len(number) < 10
        else prompt.latest
    )
    return editor_page(request, workspace, drafts.of_version(version), prompt=prompt, version=version)


@require_http_methods(["GET", "POST"])
@editor
def shape(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The form again, after a message or a part was added, moved or taken away; nothing is saved."""
    if request.method == "GET":  # the address of a form that was answered with itself
        return redirect("prompts", slug=workspace.slug)
    draft = drafts.from_form(request.POST.dict())
    drafts.act(draft, request.POST.get("act", ""))
    return editor_page(request, workspace, draft, prompt=_named(request, workspace))


@require_POST
@editor
def variables(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The names that the template uses now, and what is hardly meant so, for the fields where it stands."""
    draft, partials = drafts.from_form(request.POST.dict()), loading.partials_of(workspace.pk)
    context = {
        "workspace": workspace,
        "variables": drafts.variables(draft, partials),
        "slips": drafts.slips(draft, partials),
        "oob": True,
    }
    return render(request, "prompts/_typed.html", context)


@require_http_methods(["GET", "POST"])
@editor
def save(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """A new version, or a new prompt. What cannot be saved comes back with the reason, and nothing of it is lost."""
    if request.method == "GET":
        return redirect("prompts", slug=workspace.slug)
    draft, prompt = drafts.from_form(request.POST.dict()), _named(request, workspace)
    if draft.errors:
        return editor_page(request, workspace, draft, prompt=prompt)
    try:
        saved = _saved(request, workspace, draft, prompt)
    except ValidationError as error:
        draft.errors["form"] = error.messages[0]
        return editor_page(request, workspace, draft, prompt=prompt)
    except Conflict as conflict:
        return editor_page(request, workspace, draft, prompt=prompt, conflict=conflict.newest)
    if "publish" in request.POST:
        editing.publish(prompt=saved.prompt, number=saved.number)
    said = "is published" if "publish" in request.POST else "is saved"
    messages.success(request, f"Version {saved.number} {said}.")
    return redirect("prompt", slug=workspace.slug, id=saved.prompt_id)


def _saved(request: HttpRequest, workspace: Workspace, draft: Draft, prompt: Prompt | None) -> PromptVersion:
    is_partial = _kind(request, prompt) == Prompt.Kind.PARTIAL
    text = request.POST.get("json", "").replace("\r\n", "\n") if is_partial else draft.template.text
    content = Content(text, draft.is_raw, draft.model, draft.parameters, draft.examples)
    note = request.POST.get("note", "")
    if prompt is not None:
        based_on = _number(request.POST.get("based_on", ""))
        return editing.save_version(prompt=prompt, content=content, based_on=based_on, note=note, author=request.user)
    made = editing.create(
        workspace=workspace,
        kind=_kind(request, None),
        name=request.POST.get("name", ""),
        folder=request.POST.get("folder", ""),
        content=content,
        note=note,
        author=request.user,
        slug=request.POST.get("slug", "").strip(),
        is_published=_kind(request, None) == Prompt.Kind.PARTIAL,  # nothing can call it yet
    )
    return made.latest


@require_GET
@reader
def history(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    """All versions, and what differs between two of them: by default the newest two."""
    prompt = _find(workspace, id)
    versions = list(prompt.versions.newest_first().select_related("author").prefetch_related("labels"))
    old, new = (_chosen(request, side, versions, default) for side, default in (("a", 1), ("b", 0)))
    context = {
        "workspace": workspace,
        "prompt": prompt,
        "versions": versions,
        "old": old,
        "new": new,
        "words": words_between(_readable(old), _readable(new)),
        "parameters": list(_changed(old, new)),
        "pictures": [(left, right) for left, right in _pictures(old, new) if left != right],
        "labels": [one.name for one in labels_and_folders.labels(workspace)],
        "folders": labels_and_folders.folders(workspace),
    }
    return render(request, "prompts/prompt_versions.html", context)


@require_POST
@editor
def restore_version(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    """A new version that says what an old one said."""
    prompt, number = _find(workspace, id), request.POST.get("number", "")

    def write() -> None:
        old = editing.find_version(prompt, _number(number))
        note = f"version {number} again"
        editing.save_version(prompt=prompt, content=Content(**old.content()), note=note, author=request.user)

    return _after(request, prompt, write, f"The newest version says again what version {number} said.")


@require_POST
@editor
def publish(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    prompt, number = _find(workspace, id), request.POST.get("number", "")
    return _after(
        request,
        prompt,
        lambda: editing.publish(prompt=prompt, number=_number(number)),
        f"Version {number} is published.",
    )


@require_POST
@editor
def label(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    """Put a label on a version, or remove it."""
    prompt, name = _find(workspace, id), request.POST.get("name", "").strip()
    if "remove" in request.POST:
        return _after(
            request, prompt, lambda: editing.remove_label(prompt=prompt, name=name), f"The label {name} is removed."
        )
    number = request.POST.get("number", "")
    put = lambda: editing.put_label(prompt=prompt, name=name, number=_number(number))  # noqa: E731
    return _after(request, prompt, put, f"{name} is version {number} now.")


@require_POST
@editor
def rename(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    prompt = _find(workspace, id)
    name, folder = request.POST.get("name", ""), request.POST.get("folder", "")
    return _after(request, prompt, lambda: editing.rename(prompt=prompt, name=name, folder=folder), "Renamed.")


@require_POST
@editor
def delete(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    prompt = _find(workspace, id)
    editing.delete(prompt=prompt)
    messages.success(request, f"{prompt.name} is deleted. It can be restored for {editing.KEPT_FOR.days} days, below.")
    return redirect("prompts", slug=workspace.slug)


@require_POST
@editor
def restore(request: HttpRequest, workspace: Workspace, id: uuid.UUID) -> HttpResponse:
    prompt = get_object_or_404(Prompt.objects.deleted(workspace), pk=id)
    try:
        editing.restore(prompt=prompt)
        messages.success(request, f"{prompt.name} is back.")
    except ValidationError as error:
        messages.error(request, error.messages[0])
    return redirect("prompts", slug=workspace.slug)


def editor_page(
    request: HttpRequest,
    workspace: Workspace,
    draft: Draft,
    *,
    kind: str = "",
    prompt: Prompt | None = None,
    version: PromptVersion | None = None,
    conflict: PromptVersion | None = None,
) -> HttpResponse:
    """The page, or for htmx its form alone."""
    kind = kind or _kind(request, prompt)
    partials = loading.partials_of(workspace.pk)
    mine = request.POST.get("json", "") if kind == Prompt.Kind.PARTIAL else draft.json
    based_on = conflict.number if conflict else request.POST.get("based_on") or (prompt and prompt.latest.number)
    context = {
        "workspace": workspace,
        "kind": kind,
        "prompt": prompt,
        "based_on": based_on,
        "standing": _standing(prompt, version, based_on) if prompt else "",
        "shows_json": draft.is_raw or "json" in draft.errors or request.POST.get("act") == "from-json",
        "shows_documents": any(name in draft.errors or name in draft.parameters for name, _ in DOCUMENT_FIELDS),
        "conflict": conflict,
        "theirs": words_between(_readable(conflict), mine) if conflict else [],
        "draft": draft,
        "text": draft.raw if request.method == "GET" and kind == Prompt.Kind.PARTIAL else mine,
        "variables": drafts.variables(draft, partials),
        "slips": drafts.slips(draft, partials),
        "parameters": drafts.shown_parameters(draft),
        "given": request.POST,
        "folders": labels_and_folders.folders(workspace),
        "roles": drafts.ROLES,
        "adders": ADDERS,
        "number_fields": NUMBER_FIELDS,
        "document_fields": DOCUMENT_FIELDS,
        "details": drafts.DETAILS,
    }
    template = "prompts/prompt_edit.html#editor" if request.headers.get("hx-request") else "prompts/prompt_edit.html"
    return render(request, template, context)


def _standing(prompt: Prompt, version: PromptVersion | None, based_on: object) -> str:
    """Which version is on the page, and which one calls get."""
    shown = f"v{version.number} of {based_on}" if version and version.number != based_on else f"v{based_on}"
    return f"{shown}, v{prompt.published.number} published" if prompt.published else f"{shown}, not published"


def _after(request: HttpRequest, prompt: Prompt, write: Any, said: str) -> HttpResponse:
    """Do it and say so, or say why not; either way back to the versions."""
    try:
        write()
        messages.success(request, said)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    return redirect("prompt-versions", slug=prompt.workspace.slug, id=prompt.pk)


def _find(workspace: Workspace, id: uuid.UUID) -> Prompt:
    return get_object_or_404(Prompt.objects.of(workspace).select_related("workspace", "published"), pk=id)


def _named(request: HttpRequest, workspace: Workspace) -> Prompt | None:
    """The prompt that the form is of; None for a new one."""
    try:
        id = uuid.UUID(request.POST["prompt"]) if request.POST.get("prompt") else None
    except ValueError:
        raise Http404("There is no such prompt.") from None
    return _find(workspace, id) if id else None


def _kind(request: HttpRequest, prompt: Prompt | None) -> str:
    return prompt.kind if prompt else request.POST.get("kind", "") or Prompt.Kind.PROMPT


def _content(draft: Draft) -> dict[str, Any]:
    template = draft.template
    return {
        "text": template.text,
        "is_raw": template.is_raw,
        "model": draft.model,
        "parameters": draft.parameters,
        "examples": draft.examples,
    }


def _chosen(request: HttpRequest, side: str, versions: list[PromptVersion], default: int) -> PromptVersion:
    number = request.GET.get(side, "")
    named = (one for one in versions if str(one.number) == number)
    return next(named, versions[min(default, len(versions) - 1)])


def _readable(version: PromptVersion) -> str:
    return version.text if version.prompt.kind == Prompt.Kind.PARTIAL else drafts.of_version(version).json


def _pictures(old: PromptVersion, new: PromptVersion) -> Iterator[tuple[str, str]]:
    """The pictures in the slots of both versions, by place; empty where a slot holds none."""
    left, right = (
        [part.picture for message in drafts.of_version(one).messages for part in message.parts if part.kind == "image"]
        for one in (old, new)
    )
    return zip_longest(left, right, fillvalue="")


def _changed(old: PromptVersion, new: PromptVersion) -> Any:
    """Model and parameters that differ, with both values."""
    left, right = {"model": old.model, **old.parameters}, {"model": new.model, **new.parameters}
    for name in dict.fromkeys([*left, *right]):
        if left.get(name) != right.get(name):
            yield name, left.get(name), right.get(name)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValidationError(f"{text[:20]!r} is not the number of a version.")
    return int(text)
