"""The pages of prompts, below those of a workspace."""

from __future__ import annotations

from django.urls import URLPattern, path

from prompts.editor import pages

urlpatterns: list[URLPattern] = [
    path("prompts", pages.prompt_list, name="prompts"),
    path("prompts/new", pages.new_prompt, name="new-prompt"),
    path("prompts/new/partial", pages.new_prompt, {"kind": "partial"}, name="new-partial"),
    path("prompts/shape", pages.shape, name="shape-prompt"),
    path("prompts/variables", pages.variables, name="prompt-variables"),
    path("prompts/save", pages.save, name="save-prompt"),
    path("prompts/<uuid:id>", pages.edit_prompt, name="prompt"),
    path("prompts/<uuid:id>/versions", pages.history, name="prompt-versions"),
    path("prompts/<uuid:id>/restore-version", pages.restore_version, name="restore-version"),
    path("prompts/<uuid:id>/publish", pages.publish, name="publish-prompt"),
    path("prompts/<uuid:id>/label", pages.label, name="label-prompt"),
    path("prompts/<uuid:id>/rename", pages.rename, name="rename-prompt"),
    path("prompts/<uuid:id>/delete", pages.delete, name="delete-prompt"),
    path("prompts/<uuid:id>/restore", pages.restore, name="restore-prompt"),
]
