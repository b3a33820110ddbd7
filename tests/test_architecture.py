"""The rules of the house that a machine can hold: layers, sizes, names, what README must say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for app in ("gateway", "logsui", "prompts")
    for path in sorted((ROOT / app).rglob("*.py"))
    if "migrations" not in path.parts
]
TEMPLATES = [path for app in ("logsui", "prompts") for path in sorted((ROOT / app / "templates").rglob("*.html"))]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
# What the recipes of docs/architecture.md have the reader write
FUTURE = {"logsui/account/about.py", "logsui/templates/logsui/account/about.html", "gateway/api/ping.py"}
# What is tested across the modules of a room
TOPICS = {
    "behind_nginx",
    "durability",
    "fleet",
    "links",
    "litestream",
    "meaning",
    "memory",
    "new_provider",
    "provider_faults",
    "refusals",
    "roles",
    "signatures",
    "streams",
    "traps",
    "unforeseen",
    "wheel",
}
FORBIDDEN_HTMX = (
    "hx-vars hx-params hx-prompt hx-ext hx-disable hx-inherit hx-disinherit hx-history hx-request hx-on".split()
)
BROAD_HANDLERS = {
    "gateway/faults.py",
    "gateway/index/blocks.py",
    "gateway/processes/set_runner.py",
    "gateway/recording/ingest.py",
    "gateway/recording/recorder.py",
    "gateway/proxy/front_gate.py",
    "gateway/proxy/proxy.py",
    "gateway/proxy/relay.py",
    "gateway/processes/worker.py",
    "gateway/pictures/folder_store.py",
    "gateway/processes/server.py",
}


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
        ["djade", "--check", "--target-version", "5.2", *(str(path) for path in TEMPLATES)],
        ["manage.py", "makemigrations", "--check", "--dry-run"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_tools_have_nothing_to_say(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    words = [sys.executable, *command] if command[0] == "manage.py" else [str(program), *command[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_over_four_hundred_lines_and_no_function_over_sixty() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


def test_no_folder_holds_over_fifteen_modules() -> None:
    """Django wants each command of `manage.py` as a module of one folder."""
    folders = [path for top in ("gateway", "logsui", "prompts", "tests") for path in (ROOT / top).rglob("__init__.py")]
    folders = [path for path in folders if path.parent.name != "commands"]
    for folder in {path.parent for path in folders} - {path.parent for path in (ROOT / "gateway").rglob("0001_*.py")}:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= 15, folder


def test_a_test_is_found_by_the_path_of_what_it_tests() -> None:
    for path in sorted(ROOT.glob("tests/*/**/test_*.py")):
        room = path.parent.relative_to(ROOT / "tests")
        name = path.stem.removeprefix("test_")
        if room.parts[0] in ("gateway", "logsui", "prompts") and name not in TOPICS:
            assert (ROOT / room / f"{name}.py").exists() or (ROOT / room / name).is_dir(), path


def test_modules_are_named_for_their_job() -> None:
    assert {path.stem for path in SOURCES} & {"utils", "helpers", "services", "common", "misc"} == set()


def test_a_provider_is_a_small_file_of_data() -> None:
    vendors = [path for path in (ROOT / "gateway" / "providers").rglob("*.py") if path.name != "base.py"]
    for path in vendors:
        assert path.read_text().count("\n") <= 80, path


def test_broad_handlers_stand_only_where_they_are_owed_and_are_few() -> None:
    handlers = [
        (path, node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
    ]
    broad = [
        str(path.relative_to(ROOT))
        for path, node in handlers
        if node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
    ]
    assert set(broad) <= BROAD_HANDLERS
    assert len(broad) * 10 <= len(handlers)


def test_queries_take_no_sql_text_but_in_full_text_search_mending_bulk_writes_and_locks() -> None:
    known = (
        "gateway/index/full_text.py",
        "gateway/processes/mending.py",
        "gateway/models/many_rows.py",
        "gateway/models/engine.py",
    )
    for path in SOURCES:
        if str(path.relative_to(ROOT)) in known:
            continue
        assert not re.search(r"\.raw\(|\.extra\(|cursor\(\)", path.read_text()), path


def test_templates_use_only_what_htmx_4_keeps_and_nothing_inline() -> None:
    for path in TEMPLATES:
        text = path.read_text()
        assert not [name for name in FORBIDDEN_HTMX if re.search(rf"\b{name}\b(?!-)", text)], path
        assert not re.search(r"\bstyle=|<style|\bon[a-z]+=\"|<script(?![^>]*src)", text), path
        assert "|safe" not in text
        assert text.count("\n") <= 250, path
        assert max(map(len, text.split("\n"))) <= 120, path


def test_templates_ask_for_what_views_have_named() -> None:
    """A comparison joined with something else, or two of them, is a fact that deserves a name in Python."""
    for path in TEMPLATES:
        for condition in re.findall(r"{% (?:if|elif) (.*?) %}", path.read_text()):
            joined = re.search(r"\b(and|or)\b", condition) and re.search(r"==|!=|<|>|\bnot\b|\bis\b", condition)
            assert not joined, f"{path}: {condition}"


def test_a_rule_has_one_declaration_a_line() -> None:
    for path in (ROOT / "static" / "css").rglob("*.css"):
        for line in path.read_text().split("\n"):
            assert line.count(";") <= 1, f"{path}: {line}"
            assert len(line) <= 120, f"{path}: {line}"


def test_styles_and_scripts_stay_small_and_colours_have_names() -> None:
    for path in [*(ROOT / "static" / "css").rglob("*.css"), *(ROOT / "static" / "js").rglob("*.js")]:
        assert path.read_text().count("\n") <= 400, path
        if path.name != "tokens.css":
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?=\s*[;,)])", path.read_text()), path


def test_the_docs_name_every_variable_and_no_other() -> None:
    settings = (ROOT / "gateway" / "settings.py").read_text()
    read = set(re.findall(r'env_\w+\(\s*"(\w+)"', settings))
    told = set(re.findall(r"^\| `((?:LOUPE|DATABASE|BLOB|OTEL)_\w+)`", CONFIGURATION, re.M))
    assert told == read


def test_the_docs_name_every_command_and_real_files() -> None:
    commands = {path.stem for path in (ROOT / "gateway" / "management" / "commands").glob("[a-z]*.py")}
    assert {name for name in commands if f"manage.py {name}" not in CONFIGURATION} == set()
    for page in PAGES:
        for target in re.findall(r"\]\(((?!http)[^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
        for named in re.findall(r"`((?:gateway|logsui|prompts|tests)/[\w/]+\.(?:py|md|html))`", page.read_text()):
            assert (ROOT / named).exists() or "acme" in named or named in FUTURE, f"{page}: {named}"


def test_the_repository_names_no_registry_and_no_machine() -> None:
    words = re.compile(r"pyp[i]\.org|pythonhoste[d]|npmj[s]\.org|deb\.debia[n]|/wor[k]/|/roo[t]/")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [ROOT / name for name in listed if not name.endswith((".png", ".webp"))]
    assert [path for path in files if path.exists() and words.search(path.read_text(errors="ignore"))] == []
