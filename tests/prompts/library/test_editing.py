"""Versions only come; names lead to them; what is deleted can come back. On both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from gateway.models import Workspace
from prompts.library import editing, loading
from prompts.library.editing import Conflict, Content
from prompts.library.lookup import NoSuchPrompt
from prompts.models import Prompt

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.objects.create(slug="prompts", name="Prompts")


def saying(text: str) -> Content:
    return Content(json.dumps([{"role": "user", "content": text}]), model="@x/y")


def test_a_version_is_added_and_the_old_one_stays(workspace: Workspace) -> None:
    prompt = editing.create(workspace=workspace, name="Receipt total", content=saying("one"))
    assert (prompt.slug, prompt.latest.number, prompt.published) == ("receipt-total", 1, prompt.latest)
    second = editing.save_version(prompt=prompt, content=saying("two"), note="better")
    assert (second.number, editing.save_version(prompt=prompt, content=saying("two")).number) == (2, 2)
    assert json.loads(prompt.versions.get(number=1).text)[0]["content"] == "one"


def test_the_second_to_save_is_told(workspace: Workspace) -> None:
    prompt = editing.create(workspace=workspace, name="x", content=saying("one"))
    editing.save_version(prompt=prompt, content=saying("theirs"), based_on=1)
    with pytest.raises(Conflict) as conflict:
        editing.save_version(prompt=prompt, content=saying("mine"), based_on=1)
    assert conflict.value.newest.number == 2


def test_references_lead_to_versions(workspace: Workspace) -> None:
    prompt = editing.create(workspace=workspace, name="x", content=saying("1"))
    for text in "234":
        editing.save_version(prompt=prompt, content=saying(text))
    editing.publish(prompt=prompt, number=2)
    editing.put_label(prompt=prompt, name="production", number=3)
    library = loading.libraries()[workspace.pk]
    for reference, number in (("x", 2), ("x@latest", 4), ("x@1", 1), ("x@production", 3), (f"{prompt.pk}@1", 1)):
        shelf, found, label = library.find(reference)
        assert (found, label) == (number, "production" if "production" in reference else "")
        served = shelf.versions.get(number) or loading.fetch(shelf.prompt, number)
        assert json.loads(served.template.text)[0]["content"] == str(number)
    assert set(library.prompts["x"].versions) == {2, 3, 4}
    for reference in ("y", "x@0", "x@5", "x@staging"):
        with pytest.raises(NoSuchPrompt):
            library.find(reference)


def test_a_deleted_prompt_comes_back_within_its_time(workspace: Workspace) -> None:
    prompt = editing.create(workspace=workspace, name="x", content=saying("1"))
    editing.delete(prompt=prompt)
    assert workspace.pk not in loading.libraries()
    assert list(Prompt.objects.deleted(workspace)) == [prompt]
    editing.restore(prompt=prompt)
    assert "x" in loading.libraries()[workspace.pk].prompts
    editing.delete(prompt=prompt)
    editing.create(workspace=workspace, name="x", content=saying("2"))
    with pytest.raises(ValidationError, match="Another prompt is called x now"):
        editing.restore(prompt=prompt)
    Prompt.objects.filter(pk=prompt.pk).update(deleted_at=timezone.now() - timedelta(days=31))
    editing.sweep()
    assert not Prompt.objects.deleted(workspace).exists()


def test_a_circle_of_partials_is_refused_with_its_path(workspace: Workspace) -> None:
    def partial(name: str, text: str) -> Prompt:
        return editing.create(workspace=workspace, kind="partial", name=name, content=Content(text))

    a, _, _ = partial("a", "no more"), partial("b", "{{>a}}"), partial("c", "{{>b}}")
    with pytest.raises(ValidationError, match="a > c > b > a"):
        editing.save_version(prompt=a, content=Content("{{>c}}"))
    with pytest.raises(ValidationError, match="d > d"):
        partial("d", "{{>d}}")


@pytest.mark.parametrize(
    "content",
    [
        Content("{"),
        Content("[{}]"),
        replace(saying("x"), parameters={"stop": ["\0"]}),
        replace(saying("x"), examples={"x": "\ud800"}),
        Content('[{"role": "user"}]' + " " * 10**6),
    ],
)
def test_what_cannot_be_kept_is_refused(workspace: Workspace, content: Content) -> None:
    with pytest.raises(ValidationError):
        editing.create(workspace=workspace, name="x", content=content)


@pytest.mark.parametrize("name", ["latest", "default", "3", "", "with space", "x" * 60])
def test_a_label_is_a_word_of_its_own(workspace: Workspace, name: str) -> None:
    prompt = editing.create(workspace=workspace, name="x", content=saying("1"))
    with pytest.raises(ValidationError):
        editing.put_label(prompt=prompt, name=name, number=1)


def test_slugs_are_made_of_names_and_stay_free_of_each_other(workspace: Workspace) -> None:
    names = ["Ünïcode & more", "Receipt", "Receipt", "Partials", "测试"]
    made = [editing.create(workspace=workspace, name=name, content=saying("x")).slug for name in names]
    assert made == ["unicode-more", "receipt", "receipt-2", "partials-1", "prompt"]
    with pytest.raises(ValidationError, match="cannot be a slug"):
        editing.create(workspace=workspace, name="x", slug="No Good", content=saying("x"))
    with pytest.raises(ValidationError, match="already"):
        editing.create(workspace=workspace, name="x", slug="receipt", content=saying("x"))
