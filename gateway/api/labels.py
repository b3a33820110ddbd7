"""/v1/labels and /v1/collections, in the shapes of Portkey's SDKs (reference/portkey.md, A5).

A label's id is its name. A collection is a folder of prompts, and its id the folder's path.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from gateway.api.access import by_method, json_body, with_key
from gateway.api.prompts import READ, WRITE, refusing
from gateway.models import ApiKey, Workspace
from prompts.library import labels_and_folders
from prompts.models import LabelName


@with_key(READ, "GET", "POST")
def _labels(request: HttpRequest, workspace: Workspace, key: ApiKey) -> HttpResponse:
    data = [_label(one) for one in labels_and_folders.labels(workspace)]
    return JsonResponse({"data": data, "total": len(data)})


@with_key(WRITE, "GET", "POST")
def _create_label(request: HttpRequest, workspace: Workspace, key: ApiKey) -> HttpResponse:
    given = json_body(request)
    with refusing():
        made = labels_and_folders.create_label(
            workspace=workspace,
            name=_text(given, "name"),
            description=_text(given, "description"),
            color_code=_text(given, "color_code"),
        )
    return JsonResponse({"id": made.name})


@with_key(READ, "GET", "PUT", "DELETE")
def _show_label(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str) -> HttpResponse:
    return JsonResponse(_label(_find_label(workspace, name)))


@with_key(WRITE, "GET", "PUT", "DELETE")
def _change_label(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str) -> HttpResponse:
    label, given = _find_label(workspace, name), json_body(request)
    with refusing():
        labels_and_folders.change_label(
            label=label,
            name=_text(given, "name") or label.name,
            description=_text(given, "description") or label.description,
            color_code=_text(given, "color_code") or label.color_code,
        )
    return JsonResponse({})


@with_key(WRITE, "GET", "PUT", "DELETE")
def _delete_label(request: HttpRequest, workspace: Workspace, key: ApiKey, name: str) -> HttpResponse:
    with refusing():
        labels_and_folders.delete_label(label=_find_label(workspace, name))
    return JsonResponse({})


@with_key(READ, "GET", "POST")
def _collections(request: HttpRequest, workspace: Workspace, key: ApiKey) -> HttpResponse:
    words = request.GET.get("search", "").lower()
    data = [_collection(path) for path in labels_and_folders.folders(workspace) if words in path.lower()]
    return JsonResponse({"data": data, "total": len(data), "object": "list"})


@with_key(WRITE, "GET", "POST")
def _create_collection(request: HttpRequest, workspace: Workspace, key: ApiKey) -> HttpResponse:
    given = json_body(request)
    with refusing():
        path = labels_and_folders.create_folder(
            workspace=workspace, name=_text(given, "name"), parent=_text(given, "parent_collection_id")
        )
    return JsonResponse({"id": path, "slug": path})


@with_key(READ, "GET", "PUT", "DELETE")
def _show_collection(request: HttpRequest, workspace: Workspace, key: ApiKey, path: str) -> HttpResponse:
    return JsonResponse(_collection(_find_folder(workspace, path)))


@with_key(WRITE, "GET", "PUT", "DELETE")
def _rename_collection(request: HttpRequest, workspace: Workspace, key: ApiKey, path: str) -> HttpResponse:
    found = _find_folder(workspace, path)
    with refusing():
        labels_and_folders.rename_folder(workspace=workspace, path=found, name=_text(json_body(request), "name"))
    return JsonResponse({})


@with_key(WRITE, "GET", "PUT", "DELETE")
def _delete_collection(request: HttpRequest, workspace: Workspace, key: ApiKey, path: str) -> HttpResponse:
    with refusing():
        labels_and_folders.delete_folder(workspace=workspace, path=_find_folder(workspace, path))
    return JsonResponse({})


label_list = by_method(GET=_labels, POST=_create_label)
label_detail = by_method(GET=_show_label, PUT=_change_label, DELETE=_delete_label)
collection_list = by_method(GET=_collections, POST=_create_collection)
collection_detail = by_method(GET=_show_collection, PUT=_rename_collection, DELETE=_delete_collection)


def _find_label(workspace: Workspace, name: str) -> LabelName:
    found = next((one for one in labels_and_folders.labels(workspace) if one.name == name), None)
    if found is None:
        raise Http404(f"There is no label {name[:100]!r} in this workspace.")
    return found


def _find_folder(workspace: Workspace, path: str) -> str:
    if path not in labels_and_folders.folders(workspace):
        raise Http404(f"There is no collection {path[:100]!r} in this workspace.")
    return path


def _label(label: LabelName) -> dict[str, Any]:
    return {
        "id": label.name,
        "name": label.name,
        "description": label.description,
        "color_code": label.color_code,
        "is_universal": label.name in labels_and_folders.BUILT_IN_LABELS,
        "status": "active",
        "created_at": label.created_at.isoformat() if label.pk else None,
    }


def _collection(path: str) -> dict[str, Any]:
    parent, _, name = path.rpartition("/")
    return {
        "id": path,
        "name": name,
        "slug": path,
        "parent_collection_id": parent or None,
        "is_default": False,
        "status": "active",
        "object": "collection",
    }


def _text(given: dict[str, Any], name: str) -> str:
    return str(given.get(name) or "")
