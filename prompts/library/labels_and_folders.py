"""Writes to what prompts are ordered by in a workspace: the labels that it has, and its folders."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from prompts.library.editing import check_label, folder_path, moved
from prompts.models import Folder, LabelName, Prompt, PromptLabel
from prompts.models.validators import validate_for_database

BUILT_IN_LABELS = ("production", "staging", "development")


def labels(workspace: Any) -> list[LabelName]:
    """The built-in ones, then those of its own, those that are only on a version included."""
    own = {one.name: one for one in LabelName.objects.filter(workspace=workspace)}
    used = PromptLabel.objects.filter(prompt__workspace=workspace).values_list("name", flat=True)
    names = [*BUILT_IN_LABELS, *sorted({*own, *used} - {*BUILT_IN_LABELS})]
    return [own.get(name) or LabelName(workspace=workspace, name=name) for name in names]


def create_label(*, workspace: Any, name: str, description: str = "", color_code: str = "") -> LabelName:
    """Raises ValidationError."""
    validate_for_database([description, color_code], "The label")
    check_label(name)
    if name in [one.name for one in labels(workspace)]:
        raise ValidationError(f"There is a label {name} already.")
    made, is_new = LabelName.objects.get_or_create(
        workspace=workspace, name=name, defaults={"description": description[:500], "color_code": color_code[:20]}
    )
    if not is_new:
        raise ValidationError(f"There is a label {name} already.")
    return made


@transaction.atomic
def change_label(*, label: LabelName, name: str, description: str, color_code: str) -> LabelName:
    """With another name it has that on every version. Raises ValidationError."""
    validate_for_database([description, color_code], "The label")
    _refuse_built_in(label)
    if name != label.name:
        check_label(name)
        if name in [one.name for one in labels(label.workspace)]:
            raise ValidationError(f"There is a label {name} already.")
        PromptLabel.objects.filter(prompt__workspace=label.workspace_id, name=label.name).update(name=name)
        moved()
    label.name, label.description, label.color_code = name, description[:500], color_code[:20]
    label.save()
    return label


@transaction.atomic
def delete_label(*, label: LabelName) -> None:
    """Every version loses it, too. Raises ValidationError."""
    _refuse_built_in(label)
    PromptLabel.objects.filter(prompt__workspace=label.workspace_id, name=label.name).delete()
    LabelName.objects.filter(workspace=label.workspace_id, name=label.name).delete()
    moved()


def folders(workspace: Any) -> list[str]:
    """Every folder with its parents, those that only a prompt names included."""
    used = Prompt.objects.of(workspace).exclude(folder="").values_list("folder", flat=True)
    paths = {*used, *Folder.objects.filter(workspace=workspace).values_list("path", flat=True)}
    parts = [path.split("/") for path in paths]
    return sorted({"/".join(one[:length]) for one in parts for length in range(1, len(one) + 1)})


def create_folder(*, workspace: Any, name: str, parent: str = "") -> str:
    """Its path. Raises ValidationError."""
    path = folder_path(f"{parent}/{name}")
    validate_for_database(path, "The folder's name")
    if not folder_path(name):
        raise ValidationError("A folder needs a name.")
    Folder.objects.get_or_create(workspace=workspace, path=path)
    return path


@transaction.atomic
def rename_folder(*, workspace: Any, path: str, name: str) -> str:
    """Its new path; what is in it and below it moves along. Raises ValidationError."""
    if not folder_path(name) or "/" in folder_path(name):
        raise ValidationError("A folder needs a name, without a slash.")
    validate_for_database(name, "The folder's name")
    parent, _, _ = path.rpartition("/")
    new = folder_path(f"{parent}/{name}")
    if new == path:
        return path
    for row in Prompt.objects.filter(workspace=workspace, folder__startswith=path):
        if row.folder == path or row.folder.startswith(f"{path}/"):
            Prompt.objects.filter(pk=row.pk).update(folder=folder_path(new + row.folder[len(path) :]))
    for folder in Folder.objects.filter(workspace=workspace, path__startswith=path):
        if folder.path == path or folder.path.startswith(f"{path}/"):
            Folder.objects.get_or_create(workspace=workspace, path=folder_path(new + folder.path[len(path) :]))
            folder.delete()
    return new


def delete_folder(*, workspace: Any, path: str) -> None:
    """An empty one. Raises ValidationError."""
    count = sum(
        one == path or one.startswith(f"{path}/")
        for one in Prompt.objects.of(workspace).values_list("folder", flat=True)
    )
    if count:
        raise ValidationError(f"There are {count} prompts in {path}. Move or delete them first.")
    below = [one for one in folders(workspace) if one == path or one.startswith(f"{path}/")]
    Folder.objects.filter(workspace=workspace, path__in=below).delete()


def _refuse_built_in(label: LabelName) -> None:
    if label.name in BUILT_IN_LABELS:
        raise ValidationError(f"{label.name} is a built-in label, which every workspace has as it is.")
