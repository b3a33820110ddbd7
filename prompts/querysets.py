"""What is asked of prompts, as verbs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from prompts.models import Prompt, PromptVersion


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
        try:
            return self.filter(models.Q(slug=name) | models.Q(pk=uuid.UUID(name)))
        except ValueError:
            return self.filter(slug=name)


class VersionQuerySet(models.QuerySet["PromptVersion"]):
    def newest_first(self) -> VersionQuerySet:
        return self.order_by("-number")
