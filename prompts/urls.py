"""The pages of prompts, below those of a workspace."""

from __future__ import annotations

from django.urls import URLPattern, path

from prompts import views

urlpatterns: list[URLPattern] = [
    path("prompts", views.prompt_list, name="prompts"),
    path("prompts/new", views.new_prompt, name="new-prompt"),
    path("prompts/new/partial", views.new_prompt, {"kind": "partial"}, name="new-partial"),
    path("prompts/shape", views.shape, name="shape-prompt"),
    path("prompts/variables", views.variables, name="prompt-variables"),
    path("prompts/save", views.save, name="save-prompt"),
    path("prompts/<uuid:id>", views.edit_prompt, name="prompt"),
    path("prompts/<uuid:id>/versions", views.history, name="prompt-versions"),
    path("prompts/<uuid:id>/bring-back", views.bring_back, name="bring-back-version"),
    path("prompts/<uuid:id>/publish", views.publish, name="publish-prompt"),
    path("prompts/<uuid:id>/label", views.label, name="label-prompt"),
    path("prompts/<uuid:id>/rename", views.rename, name="rename-prompt"),
    path("prompts/<uuid:id>/delete", views.delete, name="delete-prompt"),
    path("prompts/<uuid:id>/restore", views.restore, name="restore-prompt"),
]
