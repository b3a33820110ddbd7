"""What is asked of prompts, as verbs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from prompts.models import Cell, PictureSet, Prompt, PromptVersion, SetRun


class PromptQuerySet(models.QuerySet["Prompt"]):
    def of(self, workspace: Any) -> PromptQuerySet:
        """Of a workspace, without what is deleted."""
        return self.filter(workspace=workspace, deleted_at=None)

    def deleted(self, workspace: Any) -> PromptQuerySet:
        return self.filter(workspace=workspace).exclude(deleted_at=None)

    def partials(self) -> PromptQuerySet:
        return self.filter(kind="partial")

    def named(self, name: str) -> PromptQuerySet:
        """By slug, or by id where it reads like one."""
        if "\0" in name:
            return self.none()  # PostgreSQL would not take the question
        try:
            return self.filter(models.Q(slug=name) | models.Q(pk=uuid.UUID(name)))
        except ValueError:
            return self.filter(slug=name)


class VersionQuerySet(models.QuerySet["PromptVersion"]):
    def newest_first(self) -> VersionQuerySet:
        return self.order_by("-number")


class SetQuerySet(models.QuerySet["PictureSet"]):
    def of(self, workspace: Any) -> SetQuerySet:
        return self.filter(workspace=workspace)


class RunQuerySet(models.QuerySet["SetRun"]):
    def of(self, workspace: Any) -> RunQuerySet:
        return self.filter(workspace=workspace)

    def newest_first(self) -> RunQuerySet:
        return self.order_by("-created_at")


class CellQuerySet(models.QuerySet["Cell"]):
    def waiting(self) -> CellQuerySet:
        """Those that are to be asked now, row by row: a run that has just begun does not wait for all of a long one."""
        return self.filter(state="waiting", run__state="running").order_by("row", "run__created_at", "run", "column")

    def under_way(self) -> CellQuerySet:
        return self.filter(state="running")
