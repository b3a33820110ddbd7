"""Sets of cases to try prompts on, and runs over these."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from prompts.models.prompts import Prompt


class SetQuerySet(models.QuerySet["PictureSet"]):
    def of(self, workspace: Any) -> SetQuerySet:
        return self.filter(workspace=workspace)


class PictureSet(models.Model):
    """Named cases to try prompts on. `columns` are the names of the variables, in the order in which they are shown.

    `prompt` is the one that it was made for, which is proposed until something was run.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("gateway.Workspace", models.CASCADE, related_name="picture_sets")
    name = models.CharField(max_length=100)
    columns = models.JSONField(default=list)
    prompt = models.ForeignKey(Prompt, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SetQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class Case(models.Model):
    """A value for every variable, as text, and what the answer is expected to be, see `checks`."""

    class Check(models.TextChoices):
        NONE = "", "not checked"
        CONTAINS = "contains", "contains"
        EQUALS = "equals", "is"
        SCHEMA = "schema", "fits the schema"

    set = models.ForeignKey(PictureSet, models.CASCADE, related_name="cases")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    values = models.JSONField(default=dict)
    check_kind = models.CharField(max_length=10, choices=Check.choices, default=Check.NONE, blank=True)
    expected = models.TextField(blank=True)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.name


class RunQuerySet(models.QuerySet["SetRun"]):
    def of(self, workspace: Any) -> RunQuerySet:
        return self.filter(workspace=workspace)

    def newest_first(self) -> RunQuerySet:
        return self.order_by("-created_at")


class SetRun(models.Model):
    """Cases asked of up to four columns. Both are copied here, so that a run says what it was run on.

    `rows` are cases as `{"name", "values", "check", "expected"}`; `columns` are
    `{"prompt": id, "slug", "version": number, "model", "parameters"}`, where model and parameters beat those of the version.
    A run without a set is a comparison on the values of one form.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey("gateway.Workspace", models.CASCADE, related_name="set_runs")
    set = models.ForeignKey(PictureSet, models.CASCADE, null=True, related_name="runs")
    rows = models.JSONField()
    case_count = models.PositiveIntegerField()
    columns = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["state", "created_at"], name="run_by_state")]

    def __str__(self) -> str:
        return f"{self.set or 'comparison'} of {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_stopped(self) -> bool:
        return self.state == self.State.STOPPED


class CellQuerySet(models.QuerySet["Cell"]):
    def waiting(self) -> CellQuerySet:
        """Those that are to be asked now, row by row: a run that has just begun does not wait for all of a long one."""
        return self.filter(state="waiting", run__state="running").order_by("row", "run__created_at", "run", "column")

    def under_way(self) -> CellQuerySet:
        return self.filter(state="running")


class Cell(models.Model):
    """What one column answers to one row. `log` is the request behind it, of which tokens, cost and time are known.

    `problem` says why there is no answer, or why the answer did not pass.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    class Mark(models.TextChoices):
        NONE = ""
        GOOD = "good"
        BAD = "bad"

    run = models.ForeignKey(SetRun, models.CASCADE, related_name="cells")
    row = models.PositiveIntegerField()
    column = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    answer = models.TextField(blank=True)
    problem = models.TextField(blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    passed = models.BooleanField(null=True)
    log = models.UUIDField(null=True)
    mark = models.CharField(max_length=4, choices=Mark.choices, default=Mark.NONE, blank=True)
    note = models.CharField(max_length=500, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects = CellQuerySet.as_manager()

    class Meta:
        ordering = ["row", "column"]
        constraints = [models.UniqueConstraint(fields=["run", "row", "column"], name="one_cell_a_place")]
        indexes = [models.Index(fields=["state", "run"], name="cell_by_state")]

    def __str__(self) -> str:
        return f"{self.run}: row {self.row}, column {self.column}"

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.WAITING

    @property
    def is_running(self) -> bool:
        return self.state == self.State.RUNNING

    @property
    def failure(self) -> str:
        """Why there is no answer; a check that was not passed is told beside the answer."""
        return self.problem if self.passed is None else ""
