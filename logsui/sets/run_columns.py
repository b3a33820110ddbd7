"""The columns of a run as a form: up to four versions of prompts, each with a model and parameters that beat its own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from gateway.models import Workspace
from prompts.language.json_text import parsed
from prompts.library import loading
from prompts.library.lookup import Library, NoSuchPrompt
from prompts.models import PictureSet, Prompt, PromptVersion, SetRun
from prompts.sets import runs
from prompts.sets.cases import CaseText
from prompts.sets.runs import MOST_COLUMNS, Column

MOST_REFERENCES = 300


@dataclass(slots=True)
class ColumnFields:
    """What was typed into one column, and what is wrong with it."""

    prompt: str = ""
    model: str = ""
    parameters: str = ""
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.prompt or self.model or self.parameters)


@dataclass(slots=True)
class ColumnForm:
    workspace: Workspace
    columns: list[ColumnFields] = field(default_factory=list)
    problem: str = ""
    readable: list[Column] = field(default_factory=list)

    @classmethod
    def of_post(cls, workspace: Workspace, form: Mapping[str, str]) -> ColumnForm:
        names = ("prompt", "model", "parameters")
        typed = [ColumnFields(*(form.get(f"c{at}-{name}", "").strip() for name in names)) for at in range(MOST_COLUMNS)]
        return cls(workspace, typed)

    @classmethod
    def of_query(cls, workspace: Workspace, query: Mapping[str, str]) -> ColumnForm:
        """Those of a run again, or a prompt as it is served beside its newest version."""
        run = find_run(workspace, query.get("run", ""))
        if run is not None:
            return cls(workspace, [_typed(one) for one in run.columns])
        prompt = Prompt.objects.of(workspace).filter(kind=Prompt.Kind.PROMPT).named(query.get("prompt", "")).first()
        return cls(workspace, _of_prompt(prompt) if prompt else [])

    @property
    def shown(self) -> list[ColumnFields]:
        """All four, the empty ones at the end."""
        return [*self.columns, *(ColumnFields() for _ in range(MOST_COLUMNS - len(self.columns)))]

    def read(self) -> list[Column]:
        """Raises ValidationError; then each problem stands beside its column, and the others are `readable`."""
        library = loading.library_of(self.workspace.pk)
        self.readable = []
        for one in self.columns:
            try:
                if not one.is_empty:
                    self.readable.append(_column(library, one))
            except ValidationError as error:
                one.problem = error.messages[0]
        if any(one.problem for one in self.columns):
            raise ValidationError("One of the columns cannot be run; what is wrong stands beside it.")
        return self.readable

    def start(self, rows: Sequence[CaseText], picture_set: PictureSet | None, author: Any) -> SetRun | None:
        """None when it cannot be; what is wrong is said by the form then."""
        try:
            columns = self.read()
            return runs.start(
                workspace=self.workspace, picture_set=picture_set, rows=rows, columns=columns, author=author
            )
        except ValidationError as error:
            self.problem = error.messages[0]
            return None


def find_run(workspace: Workspace, id: str) -> SetRun | None:
    try:
        return SetRun.objects.of(workspace).filter(pk=uuid.UUID(id)).first()
    except ValueError:
        return None


def references(workspace: Workspace) -> list[str]:
    """What may be typed for a version: each prompt by itself, by label and by number."""
    prompts = Prompt.objects.of(workspace).filter(kind=Prompt.Kind.PROMPT)
    newest = PromptVersion.objects.filter(prompt__in=prompts).order_by("-created_at").select_related("prompt")
    names: list[str] = []
    for version in newest.prefetch_related("labels")[:MOST_REFERENCES]:
        slug = version.prompt.slug
        names += [slug, *(f"{slug}@{label.name}" for label in version.labels.all()), f"{slug}@{version.number}"]
    return list(dict.fromkeys(names))


def title(column: Mapping[str, Any]) -> str:
    return f"{column['slug']}@{column['version']}"


def _column(library: Library, fields: ColumnFields) -> Column:
    """Raises ValidationError."""
    if not fields.prompt:
        raise ValidationError("Name the prompt of this column, as slug or slug@3.")
    try:
        shelf, number, _ = library.find(fields.prompt)
    except NoSuchPrompt as error:
        raise ValidationError(str(error)) from None
    return Column(shelf.prompt, shelf.slug, number, fields.model, _parameters(fields.parameters))


def _parameters(text: str) -> dict[str, Any]:
    try:
        found = parsed(text or "{}")
    except ValueError as error:
        raise ValidationError(f"The parameters are not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ValidationError('Parameters are a JSON object such as {"temperature": 0}.')
    if "messages" in found or "variables" in found:
        raise ValidationError("Parameters cannot bring messages or variables: those are the version's and the case's.")
    return found


def _typed(column: Mapping[str, Any]) -> ColumnFields:
    parameters = json.dumps(column["parameters"], ensure_ascii=False) if column["parameters"] else ""
    return ColumnFields(title(column), column["model"], parameters)


def _of_prompt(prompt: Prompt) -> list[ColumnFields]:
    numbers = [prompt.latest.number, *([prompt.published.number] if prompt.published else [])]
    return [ColumnFields(f"{prompt.slug}@{number}") for number in dict.fromkeys(numbers)]
