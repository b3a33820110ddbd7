"""/v1/prompts and /v1/prompts/partials, in the shapes of Portkey's SDKs (reference/portkey.md, A5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from gateway.api.access import by_method, json_body, with_key
from gateway.errors import BadRequest
from gateway.models import ApiKey, Workspace
from prompts.library import editing
from prompts.library.editing import Content
from prompts.models import Prompt, PromptVersion

READ, WRITE = "prompts.use", "prompts.write"
# What stands beside `parameters` in Portkey's object, and is a parameter of the call all the same.
PARAMETERS_BESIDE = ("functions", "tools", "tool_choice")
MOST = 1000


@with_key(READ, "GET")
def _list(request: HttpRequest, workspace: Workspace, key: ApiKey, kind: str) -> HttpResponse:
    found = Prompt.objects.of(workspace).filter(kind=kind).select_related("published").order_by("name")
    if request.GET.get("collection_id"):
        found = found.filter(folder=request.GET["collection_id"])
    if request.GET.get("search"):
        found = found.filter(name__icontains=request.GET["search"])
    return JsonResponse({"data": [_light(one) for one in found[:MOST]], "total": found.count()})


@with_key(WRITE, "GET", "POST")
def _create(request: HttpRequest, workspace: Workspace, key: ApiKey, kind: str) -> HttpResponse:
    given = json_body(request)
    with refusing():
        made = editing.create(
            workspace=workspace,
            kind=kind,
            name=str(given.get("name") or ""),
            slug=str(given.get("slug") or ""),
            folder=str(given.get("collection_id") or ""),
            content=_content(given, None, kind),
            note=str(given.get("version_description") or ""),
        )
    return JsonResponse(
        {"id": str(made.pk), "slug": made.slug, "version_id": str(made.published_id), "object": made.kind}
    )


@with_key(READ, "GET")
def _show(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str, kind: str) -> HttpResponse:
    name, _, version = name.partition("@")
    prompt = _find(workspace, kind, name)
    return JsonResponse(_whole(prompt, _version(prompt, version)))


@with_key(WRITE, "PUT")
def _update(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str, kind: str) -> HttpResponse:
    """A new version. What is not given stays as it was, with `patch` or without: Python's SDK cannot send that."""
    prompt, given = _find(workspace, kind, name), json_body(request)
    newest = prompt.latest
    with refusing():
        if "name" in given or "collection_id" in given:
            folder = str(given.get("collection_id") or prompt.folder)
            editing.rename(prompt=prompt, name=str(given.get("name") or prompt.name), folder=folder)
        saved = newest
        if set(given) - {"name", "collection_id", "patch"}:
            content = _content(given, newest, kind)
            note = str(given.get("version_description") or "")
            saved = editing.save_version(prompt=prompt, content=content, note=note)
    return JsonResponse({"id": str(prompt.pk), "slug": prompt.slug, "prompt_version_id": str(saved.pk)})


@with_key(WRITE, "DELETE")
def _delete(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str, kind: str) -> HttpResponse:
    editing.delete(prompt=_find(workspace, kind, name))
    return JsonResponse({})


@with_key(READ, "GET")
def versions(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str, kind: str) -> HttpResponse:
    """Newest first. Portkey documents a bare array, which its own Python SDK (2.3) cannot read: so an object with `data`."""
    prompt = _find(workspace, kind, name)
    found = prompt.versions.newest_first().prefetch_related("labels").select_related("prompt__published")
    data = [_of_version(prompt, one) for one in found]
    return JsonResponse({"data": data, "total": len(data), "object": "list"})


@with_key(READ, "GET")
def _show_version(
    request: HttpRequest, workspace: Workspace, key: ApiKey, name: str, version: str, kind: str
) -> HttpResponse:
    prompt = _find(workspace, kind, name)
    return JsonResponse(_whole(prompt, _version(prompt, version)))


@with_key(WRITE, "PUT")
def _put_label(
    request: HttpRequest, workspace: Workspace, key: ApiKey, name: str, version: str, kind: str
) -> HttpResponse:
    prompt = _find(workspace, kind, name)
    label = json_body(request).get("label_id")
    if not isinstance(label, str) or not label:
        raise BadRequest("label_id must be the name of a label.", code="invalid_body", param="label_id")
    with refusing():
        editing.put_label(prompt=prompt, name=label, number=_version(prompt, version).number)
    return JsonResponse({})


@with_key(WRITE, "PUT")
def make_default(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str, kind: str) -> HttpResponse:
    prompt, number = _find(workspace, kind, name), json_body(request).get("version")
    if not isinstance(number, int):
        raise BadRequest("version must be the number of a version.", code="invalid_body", param="version")
    with refusing():
        editing.publish(prompt=prompt, number=number)
    return JsonResponse({})


@with_key(READ, "GET", "POST", "PUT", "DELETE")
def no_such_path(request: HttpRequest, workspace: Workspace, key: ApiKey, rest: str) -> HttpResponse:
    """Never an HTML page under /v1."""
    raise Http404(
        f"There is no /v1/{rest[:100]}. A prompt is /v1/prompts/<slug>, its versions /v1/prompts/<slug>/versions."
    )


prompt_list = by_method(GET=_list, POST=_create)
prompt_detail = by_method(GET=_show, PUT=_update, DELETE=_delete)
prompt_version = by_method(GET=_show_version, PUT=_put_label)


@contextmanager
def refusing() -> Iterator[None]:
    """What cannot be saved is told as the API tells everything."""
    try:
        yield
    except ValidationError as error:
        raise BadRequest(error.messages[0], code="invalid_prompt") from None


def _content(given: dict[str, Any], before: PromptVersion | None, kind: str) -> Content:
    """What is given; what is not, as it was `before`."""
    text = given.get("string", before.text if before else None)
    if text is None:
        raise BadRequest("string is missing: the messages as JSON text.", code="invalid_body", param="string")
    parameters = given.get("parameters", before.parameters if before else {})
    if not isinstance(parameters, dict):
        raise BadRequest("parameters must be an object.", code="invalid_body", param="parameters")
    beside = {name: given[name] for name in PARAMETERS_BESIDE if given.get(name) is not None}
    model = str(given.get("model") or parameters.get("model") or (before.model if before else ""))
    key = str(given.get("virtual_key") or "").lstrip("@")
    kept = {
        name: value for name, value in parameters.items() if name not in ("model", "messages") and value is not None
    }
    return Content(
        text=text if isinstance(text, str) else json.dumps(text, ensure_ascii=False),
        is_raw=bool(given.get("is_raw_template", before.is_raw if before else False)),
        model=f"@{key}/{model}" if key and model and not model.startswith("@") else model,
        parameters={} if kind == Prompt.Kind.PARTIAL else kept | beside,
        examples=before.examples if before else {},
    )


def _find(workspace: Workspace, kind: str, name: str) -> Prompt:
    found = Prompt.objects.of(workspace).filter(kind=kind).named(name).select_related("published").first()
    if found is None:
        raise Http404(f"There is no {kind} {name[:100]!r} in this workspace.")
    return found


def _version(prompt: Prompt, name: str) -> PromptVersion:
    """By number, label, id or `latest`; the published one, or the newest, without a name."""
    if name in ("", "latest"):
        return prompt.latest if name or prompt.published is None else prompt.published
    found = (
        prompt.versions.filter(number=int(name))
        if name.isdecimal() and len(name) < 10
        else prompt.versions.filter(labels__name=name)
    )
    version = found.first() or next((one for one in prompt.versions.all() if str(one.pk) == name), None)
    if version is None:
        raise Http404(f"{prompt.slug} has no version {name[:100]!r}.")
    return version


def _light(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": str(prompt.pk),
        "slug": prompt.slug,
        "name": prompt.name,
        "collection_id": prompt.folder,
        "status": "active",
        "created_at": prompt.created_at.isoformat(),
        "last_updated_at": prompt.updated_at.isoformat(),
        "object": prompt.kind,
    }


def _whole(prompt: Prompt, version: PromptVersion) -> dict[str, Any]:
    key, _, model = version.model[1:].partition("/") if version.model.startswith("@") else ("", "", version.model)
    label = version.labels.values_list("name", flat=True).first()
    return _light(prompt) | {
        "string": version.text,
        "parameters": version.parameters,
        "prompt_version": version.number,
        "prompt_version_id": str(version.pk),
        "prompt_version_status": _status(prompt, version),
        "prompt_version_description": version.note,
        "prompt_version_label_id": label,
        "version": version.number,
        "virtual_key": key,
        "model": model,
        "functions": version.parameters.get("functions"),
        "tools": version.parameters.get("tools"),
        "tool_choice": version.parameters.get("tool_choice"),
        "template_metadata": {"template_type": "chat"},
        "is_raw_template": int(version.is_raw),
    }


def _of_version(prompt: Prompt, version: PromptVersion) -> dict[str, Any]:
    labels = [one.name for one in version.labels.all()]
    return {
        "id": str(version.pk),
        "prompt_id": str(prompt.pk),
        "prompt_template": version.text,
        "prompt_version": version.number,
        "prompt_description": version.note,
        "label_id": labels[0] if labels else None,
        "labels": labels,
        "created_at": version.created_at.isoformat(),
        "status": _status(prompt, version),
        "object": "prompt",
    }


def _status(prompt: Prompt, version: PromptVersion) -> str:
    return "active" if prompt.published_id == version.pk else "archived"
