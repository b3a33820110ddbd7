"""Every command and snippet of README and docs, run as pasted."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from gateway.index.search_language import parse
from prompts.sets import cases
from tests.docs.blocks import PAGES, Block, blocks_of, read_blocks
from tests.loupe import ROOT, free_port, until
from tests.reader import Reader

SERVERS = re.compile(r"^python manage\.py (serve|work)\b.*$", re.MULTILINE)


def ids(blocks: list[Block]) -> list[str]:
    return [str(block) for block in blocks]


def test_every_block_is_of_a_kind_that_is_run_here_or_is_a_step_of_a_recipe() -> None:
    kinds = {(block.language, block.page == "architecture") for block in read_blocks()}
    assert kinds <= {
        *((language, False) for language in ("python", "js", "sh", "search", "csv")),
        *((language, True) for language in ("python", "html")),
    }


def test_no_command_hides_outside_a_block() -> None:
    """README's two commands are the newcomer's and CI's; everything else that is meant to be pasted is in a fence."""
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        lines = re.findall(r"^ {4}((?:python|pip|curl|export|npm) .*)$", text, re.MULTILINE)
        expected = (
            ["pip install -e . && python manage.py up", "pip install -e '.[test]' && pytest"]
            if page.name == "README.md"
            else []
        )
        assert lines == expected, page


def test_ci_runs_the_second_command_of_the_readme() -> None:
    assert "\npip install -q -e '.[test]' && pytest" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("block", blocks_of("python"), ids=ids(blocks_of("python")))
def test_a_python_snippet_runs(reader: Reader, block: Block) -> None:
    assert reader.run(block.text, f"{block}.py").strip()


@pytest.mark.node
@pytest.mark.parametrize("block", blocks_of("js"), ids=ids(blocks_of("js")))
def test_a_node_snippet_runs_as_a_module(reader: Reader, block: Block) -> None:
    assert reader.run(block.text, f"{block}.mjs").strip()


SHELL = [block for block in blocks_of("sh") if not SERVERS.search(block.text)]


@pytest.mark.parametrize("block", SHELL, ids=ids(SHELL))
def test_a_shell_block_runs(reader: Reader, block: Block) -> None:
    """Virtual keys that the reader's Loupe has already are revoked first, and put back."""
    for slug in re.findall(r"virtualkey add (\S+)", block.text):
        if slug not in ("openai-prod", "claude"):
            subprocess.run(
                [sys.executable, "manage.py", "virtualkey", "revoke", slug],
                cwd=reader.loupe.code,
                env=reader.loupe.env,
                capture_output=True,
                check=False,
            )
    text = re.sub(r"virtualkey add (openai-prod|claude) ", rf"virtualkey add \1-of-{block.page} ", block.text)
    said = reader.run(text, f"{block}.sh")
    for answer in re.findall(r"^\{.*\}$", said, re.MULTILINE):
        assert "error" not in json.loads(answer), answer


SERVER_BLOCKS = [block for block in blocks_of("sh") if SERVERS.search(block.text)]


@pytest.mark.parametrize("block", SERVER_BLOCKS, ids=ids(SERVER_BLOCKS))
def test_the_halves_start_and_stop(reader: Reader, block: Block) -> None:
    port = free_port()
    env = reader.loupe.env | {"LOUPE_DATA": str(reader.desk / f"data-{port}")}
    commands = [one.replace("8787", str(port)).split()[1:] for one in block.text.strip().split("\n")]
    running = [
        subprocess.Popen([sys.executable, *command], cwd=reader.desk, env=env, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        reader.loupe.port, kept = port, reader.loupe.port
        until(reader.loupe.is_ready, "the server takes traffic")
    finally:
        reader.loupe.port = kept
        for one in running:
            one.send_signal(signal.SIGTERM)
    assert [one.wait(60) for one in running] == [0] * len(running)


@pytest.mark.parametrize("block", blocks_of("search"), ids=ids(blocks_of("search")))
def test_a_search_is_understood(block: Block) -> None:
    for line in block.text.strip().split("\n"):
        assert not parse(line).is_empty


@pytest.mark.parametrize("block", blocks_of("csv"), ids=ids(blocks_of("csv")))
def test_a_table_of_cases_is_read(block: Block) -> None:
    assert [one.check for one in cases.read("cases.csv", block.text.encode())] == ["contains", "schema"]
