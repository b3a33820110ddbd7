"""The pages of prompts, below those of a workspace."""

from __future__ import annotations

from django.urls import URLPattern, path

from prompts import views

urlpatterns: list[URLPattern] = [
    path("", views.prompt_list, name="prompts"),
    path("/new", views.new_prompt, name="new-prompt"),
    path("/new/partial", views.new_prompt, {"kind": "partial"}, name="new-partial"),
    path("/shape", views.shape, name="shape-prompt"),
    path("/variables", views.variables, name="prompt-variables"),
    path("/save", views.save, name="save-prompt"),
    path("/<uuid:id>", views.edit_prompt, name="prompt"),
    path("/<uuid:id>/versions", views.history, name="prompt-versions"),
    path("/<uuid:id>/publish", views.publish, name="publish-prompt"),
    path("/<uuid:id>/label", views.label, name="label-prompt"),
    path("/<uuid:id>/rename", views.rename, name="rename-prompt"),
    path("/<uuid:id>/delete", views.delete, name="delete-prompt"),
    path("/<uuid:id>/restore", views.restore, name="restore-prompt"),
]
