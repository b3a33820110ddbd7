"""What the prompt editor needs of the gateway: a try-out of what is on the page, pictures, models, requests of the log.

The browser makes the call, through the gateway as any client does, with a key that lives for minutes.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST, require_safe

from gateway.content.json_text import encoded
from gateway.keys.api_keys import create_passing_key
from gateway.models import Image, VirtualKey, Workspace
from gateway.pictures import prompt_pictures, serving
from logsui.access import below_root, editor, reader
from logsui.prompts.log_as_draft import opened
from logsui.request.detail import find_log
from prompts.editor import drafts
from prompts.editor.drafts import Draft
from prompts.editor.pages import editor_page
from prompts.language.json_text import parsed
from prompts.language.mustache import Partials
from prompts.language.rendering import PromptProblem, render_messages
from prompts.library import loading
from prompts.models import Prompt

KEY_LIFETIME = timedelta(minutes=10)


@require_POST
@editor
def run(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """The body of the call that the editor's form describes; in headers where to send it, and a key to send it with.

    A version that is saved as it stands is called by its number, so that the log names it.
    """
    draft = drafts.from_form(request.POST.dict())
    if draft.errors:
        name, problem = next(iter(draft.errors.items()))
        return _refusal(f"{name}: {problem}", name)
    if not draft.model:
        return _refusal("Name the model that is to answer, as @virtual-key/model.", "model")
    partials = loading.partials_of(workspace.pk)
    values = drafts.values(draft, partials)
    try:
        call = _call(workspace, draft, values, partials)
    except PromptProblem as problem:
        return _refusal(str(problem), problem.place)
    path, body = _saved_call(request, workspace, draft, values) or ("/v1/chat/completions", call)
    key = create_passing_key(workspace=workspace, name=f"prompt tried by {request.user}", lifetime=KEY_LIFETIME)
    response = HttpResponse(encoded(body), content_type="application/octet-stream")
    response["X-Loupe-Key"], response["X-Loupe-Path"], response["Cache-Control"] = key, below_root(path), "no-store"
    return response


@require_GET
@editor
def from_log(request: HttpRequest, workspace: Workspace, log_id: uuid.UUID) -> HttpResponse:
    """The editor on a new prompt that says what a request said, its pictures in their places. Nothing is saved yet."""
    log = find_log(workspace, log_id)
    payload = getattr(log, "payload", None)
    if payload is None:
        raise Http404("The bodies of this request were not kept.")
    found = opened(log, payload)
    if found.left_out:
        messages.warning(request, f"Not in this prompt: {'; '.join(found.left_out)}.")
    return editor_page(request, workspace, found.draft)


def _call(workspace: Workspace, draft: Draft, values: dict[str, Any], partials: Partials) -> dict[str, Any]:
    rendered = render_messages(
        draft.template,
        values,
        partials=partials,
        pictures=lambda sha256: prompt_pictures.data_url(workspace.pk, sha256),
    )
    return {"model": draft.model, "messages": rendered, **draft.parameters, "stream": True}


def _saved_call(
    request: HttpRequest, workspace: Workspace, draft: Draft, values: dict[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    """The call of the version that the form was opened on, when nothing was changed since."""
    id, number = request.POST.get("prompt", ""), request.POST.get("based_on", "")
    if not id or not number.isdecimal() or len(number) > 9:
        return None
    prompt = Prompt.objects.of(workspace).named(id).first()
    version = prompt.versions.filter(number=int(number)).first() if prompt else None
    if prompt is None or version is None:
        return None
    now = (draft.template.text, draft.is_raw, draft.model, draft.parameters)
    if _same(now[0], version.text) and now[1:] == (version.is_raw, version.model, version.parameters):
        variables = {name: value for name, value in values.items() if value != ""}
        return f"/v1/prompts/{prompt.pk}@{number}/completions", {"variables": variables, "stream": True}
    return None


def _same(left: str, right: str) -> bool:
    try:
        return bool(parsed(left) == parsed(right))
    except ValueError:
        return left == right


@require_POST
@editor
def upload(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """A picture, as the bytes of the body: where it is kept, or what is wrong with it."""
    data = request.read(settings.FETCH_MAX_BYTES + 1)
    if len(data) > settings.FETCH_MAX_BYTES:
        return JsonResponse({"problem": f"The picture is larger than {settings.FETCH_MAX_BYTES >> 20} MiB."})
    try:
        image = prompt_pictures.keep(workspace=workspace, data=data)
    except ValidationError as error:
        return JsonResponse({"problem": error.messages[0]})
    return JsonResponse({"url": f"loupe:sha256:{image.sha256}", "label": image.label})


@require_safe
@reader
def picture(request: HttpRequest, workspace: Workspace, sha256: str) -> HttpResponse:
    return serving.original(request, _found(request, workspace, sha256))


@require_safe
@reader
def picture_thumbnail(request: HttpRequest, workspace: Workspace, sha256: str) -> HttpResponse:
    return serving.thumbnail(request, _found(request, workspace, sha256), 256)


@require_GET
@reader
def model_options(request: HttpRequest, workspace: Workspace) -> HttpResponse:
    """What may be typed for a model: each virtual key with the models its logs have seen."""
    keys = VirtualKey.objects.of(workspace).live()
    seen = workspace.logs.newest_first().exclude(virtual_key=None).values_list("virtual_key__slug", "model")[:500]
    names = [f"@{slug}/{model}" for slug, model in dict.fromkeys(seen)] + [f"@{key.slug}/" for key in keys]
    return render(request, "logsui/prompts/model_options.html", {"names": ["@sandbox/vision", *names]})


def _found(request: HttpRequest, workspace: Workspace, sha256: str) -> Image:
    found = prompt_pictures.find(workspace.pk, sha256)
    if found is None or serving.cross_site(request):
        raise Http404("There is no such picture in this workspace.")
    return found


def _refusal(text: str, place: str) -> HttpResponse:
    """What is wrong, and with what, as the gateway's errors name it in `param`."""
    return HttpResponse(text, status=400, content_type="text/plain", headers={"X-Loupe-Param": place})
