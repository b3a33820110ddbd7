"""Prompts written to a folder and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gateway.models import Workspace
from gateway.pictures import prompt_pictures
from prompts.library import editing
from prompts.library.editing import Content
from prompts.models import Prompt, PromptPicture
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.objects.create(slug="from", name="From")


def fill(workspace: Workspace) -> str:
    """A partial and a prompt with a picture; the picture's hash."""
    sha256 = prompt_pictures.keep(workspace=workspace, data=picture()).sha256
    part = {"type": "image_url", "image_url": {"url": f"loupe:sha256:{sha256}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "{{>tone}} {{a}}"}, part]}]
    editing.create(workspace=workspace, kind="partial", name="Tone", content=Content("Be brief."))
    content = Content(
        json.dumps(messages), model="@x/y", parameters={"seed": 1}, examples={"a": f"loupe:sha256:{sha256}"}
    )
    editing.create(workspace=workspace, name="Total", folder="receipts", content=content)
    return sha256


def run(capsys: pytest.CaptureFixture[str], *args: object) -> list[str]:
    call_command("prompts", *map(str, args))
    return capsys.readouterr().out.splitlines()


def test_a_folder_of_files_makes_the_same_prompts_elsewhere(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = fill(workspace)
    other = Workspace.objects.create(slug="to", name="To")
    run(capsys, "export", tmp_path, "--workspace", "from")
    assert (tmp_path / "pictures" / f"{sha256[:16]}.png").read_bytes() == picture()
    assert "Be brief." in (tmp_path / "partials" / "tone.json").read_text()
    first = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    shown = run(capsys, "import", tmp_path, "--workspace", "to")
    assert shown[:2] == ["new\ttone", "new\ttotal"]
    assert not Prompt.objects.of(other).exists()
    run(capsys, "import", tmp_path, "--workspace", "to", "--apply")
    assert run(capsys, "import", tmp_path, "--workspace", "to", "--apply") == ["same\ttone", "same\ttotal"]
    made = Prompt.objects.of(other).get(slug="total")
    assert (made.name, made.folder, made.latest.number) == ("Total", "receipts", 1)
    assert f"loupe:sha256:{sha256}" in made.latest.text
    assert PromptPicture.objects.filter(workspace=other, sha256=sha256).exists()
    run(capsys, "export", tmp_path, "--workspace", "to")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == first


def test_an_edited_file_becomes_a_new_version(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace)
    run(capsys, "export", tmp_path, "--workspace", "from")
    path = tmp_path / "total.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    assert run(capsys, "import", tmp_path, "--workspace", "from", "--apply") == ["same\ttone", "changed\ttotal"]
    prompt = Prompt.objects.of(workspace).get(slug="total")
    assert prompt.published is not None
    assert (prompt.published.number, prompt.published.parameters) == (2, {"seed": 2})


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "x"}', '{"name": "x", "messages": [{}]}'])
def test_a_file_that_cannot_be_read_is_named(workspace: Workspace, tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(CommandError):
        call_command("prompts", "import", str(tmp_path), "--workspace", "from", "--apply")
    assert not Prompt.objects.of(workspace).exists()
