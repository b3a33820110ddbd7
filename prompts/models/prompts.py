"""Prompts and partials, their versions and labels, and what a workspace orders them by."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from prompts.language.rendering import Template


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


class Prompt(models.Model):
    """A template with an id of its own, or a partial: a snippet that templates include as `{{>slug}}`.

    `published` is what a call by the bare slug gets. A deleted one is kept for 30 days, see `editing.sweep`.
    """

    class Kind(models.TextChoices):
        PROMPT = "prompt"
        PARTIAL = "partial"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("gateway.Workspace", models.CASCADE, related_name="prompts")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PROMPT)
    slug = models.CharField(max_length=50)
    name = models.CharField(max_length=100)
    folder = models.CharField(max_length=200, blank=True)
    published = models.ForeignKey("PromptVersion", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)

    objects = PromptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "kind", "slug"],
                condition=models.Q(deleted_at=None),
                name="one_prompt_a_slug",
            )
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def called_as(self) -> str:
        """What a call names, or what a template includes."""
        return f"{{{{>{self.slug}}}}}" if self.kind == self.Kind.PARTIAL else self.slug

    @property
    def latest(self) -> PromptVersion:
        return self.versions.order_by("-number")[0]


class VersionQuerySet(models.QuerySet["PromptVersion"]):
    def newest_first(self) -> VersionQuerySet:
        return self.order_by("-number")


class PromptVersion(models.Model):
    """What was saved once; it never changes. `text` is the JSON of the messages, or a partial's text.

    `model` may name a virtual key as `@slug/model`. `parameters` are those of the chat call that are not the default.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    is_raw = models.BooleanField(default=False)
    model = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict)
    examples = models.JSONField(default=dict)
    note = models.CharField(max_length=500, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VersionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "number"], name="one_version_a_number")]

    def __str__(self) -> str:
        return f"{self.prompt}@{self.number}"

    @property
    def template(self) -> Template:
        return Template(self.text, self.is_raw)

    def content(self) -> dict[str, Any]:
        """What two versions are compared by, and a copy is made of."""
        return {
            "text": self.text,
            "is_raw": self.is_raw,
            "model": self.model,
            "parameters": self.parameters,
            "examples": self.examples,
        }


class PromptLabel(models.Model):
    """A name that moves between the versions of one prompt, such as `production`."""

    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="labels")
    version = models.ForeignKey(PromptVersion, models.CASCADE, related_name="labels")
    name = models.CharField(max_length=50)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="one_version_a_label")]

    def __str__(self) -> str:
        return f"{self.name} of {self.prompt}"


class LabelName(models.Model):
    """A label that a workspace has of its own, whether or not a version has it now. Its id in the API is its name."""

    workspace = models.ForeignKey("gateway.Workspace", models.CASCADE, related_name="label_names")
    name = models.CharField(max_length=50)
    description = models.CharField(max_length=500, blank=True)
    color_code = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_label_a_name")]

    def __str__(self) -> str:
        return self.name


class Folder(models.Model):
    """A folder that is kept while it is empty, too. Its id in the API is its path, such as `receipts/may`."""

    workspace = models.ForeignKey("gateway.Workspace", models.CASCADE, related_name="prompt_folders")
    path = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "path"], name="one_folder_a_path")]

    def __str__(self) -> str:
        return self.path


class PromptPicture(models.Model):
    """A picture that was uploaded for a template or a variable. Its bytes are in the blob store, by their hash."""

    workspace = models.ForeignKey("gateway.Workspace", models.CASCADE, related_name="prompt_pictures")
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "sha256"], name="one_picture_a_workspace")]

    def __str__(self) -> str:
        return self.sha256


class PromptRevision(models.Model):
    """One row that counts changes to prompts; the gateway's memory polls it and reloads when it moved."""

    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)
