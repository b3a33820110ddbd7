"""`manage.py up`: the first start, the second, the ways it cannot start, and its children."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.recording import journal
from tests.gateway.processes.test_durability import processes
from tests.loupe import ROOT, Loupe, free_port, until


def run_up(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "up", *args],
        cwd=ROOT,
        env=dict(os.environ) | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_printed_curl_line_works_as_pasted_and_the_picture_is_in_the_log(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe(first=True)
    curl = re.search(r"^curl .*?}'", loupe.output(), re.S | re.M)
    assert curl is not None
    done = subprocess.run(["bash", "-c", curl[0]], capture_output=True, text=True, check=True)
    assert "Picture 1: image/png, 96 × 64 px" in done.stdout
    log = until(lambda: next((log for log in loupe.logs() if log["state"] == "ok"), None), "the log is there")
    assert (log["input_images"], log["ai_model"], log["cost"]) == (1, "vision", 0)


def test_a_second_start_keeps_the_keys_and_prints_a_new_link(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    first = loupe.link
    assert loupe.stop() == 0
    assert "Loupe has stopped; every log is kept." in loupe.output()
    loupe.start()
    assert loupe.link != first
    assert "first API key" not in loupe.output_path.read_text()
    assert loupe.call("/v1/models")[0] == 200


def test_a_log_of_the_output_holds_neither_link_nor_key(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    assert loupe.key not in loupe.output()
    assert loupe.link not in loupe.output()
    for name in ("login-link", "first-api-key"):
        assert (loupe.data / name).stat().st_mode & 0o777 == 0o600
        assert str(loupe.data / name) in loupe.output()


def test_a_terminal_is_shown_link_and_key(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "manage.py", "up", "--port", str(free_port())]
    env = dict(os.environ) | {"LOUPE_DATA": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while b"curl " not in said:
            said += os.read(ours, 4096)
        process.terminate()
        assert re.search(rb"/login/[\w-]+", said)
        assert re.search(rb"first API key \(shown only now\): +lp_[\w-]+", said)
        process.wait(60)
    os.close(ours)
    assert not (tmp_path / "first-api-key").exists()


def test_a_second_up_on_the_same_folder_is_refused(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    done = run_up("--port", str(free_port()), LOUPE_DATA=str(loupe.data))
    assert done.returncode != 0
    assert f"Another Loupe runs on the data folder {loupe.data}" in done.stderr
    assert loupe.is_ready()


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_up("--port", str(port), LOUPE_DATA=str(tmp_path))
    assert done.returncode != 0
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert f"--port {port + 1}" in done.stderr


def test_a_data_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_up(LOUPE_DATA=str(tmp_path / "file" / "data"))
    assert done.returncode != 0
    assert "is not writable" in done.stderr
    assert "LOUPE_DATA" in done.stderr


@pytest.mark.parametrize(("name", "value"), [("LOUPE_MAX_BODY_MB", "plenty"), ("LOUPE_SNAPSHOT", "perhaps")])
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, name: str, value: str) -> None:
    done = run_up(LOUPE_DATA=str(tmp_path), **{name: value})
    assert done.returncode != 0
    assert name in done.stderr.strip().splitlines()[-1]


def test_a_child_that_died_is_started_again(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    for half in ("work", "serve"):
        before = processes(loupe, half)
        os.kill(before[0], signal.SIGKILL)
        until(lambda half=half, before=before: set(processes(loupe, half)) - set(before), f"{half} runs again")  # type: ignore[misc]
        until(loupe.is_ready, "it answers", 30)


def test_ctrl_c_stops_everything(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    children = processes(loupe, "serve") + processes(loupe, "work")
    assert loupe.stop(signal.SIGINT) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def test_children_end_when_up_is_killed(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    children = processes(loupe, "serve") + processes(loupe, "work")
    assert len(children) >= 3
    loupe.stop(signal.SIGKILL)
    until(lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()], "no child is left", 30)


def test_the_two_halves_run_by_themselves(own_loupe: Callable[..., Loupe]) -> None:
    """As behind a load balancer: `serve` and `work --once`, nothing else."""
    loupe = own_loupe()
    loupe.stop()
    server = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(loupe.port)],
        cwd=ROOT,
        env=loupe.env,
        stdin=subprocess.DEVNULL,
    )
    try:
        until(loupe.is_ready, "the server answers", 30)
        loupe.call(
            "/v1/chat/completions",
            {"model": "@sandbox/vision", "messages": []},
            headers={"x-portkey-trace-id": "halves"},
        )
        assert loupe.logs() == []
        loupe.manage("work", "--once")
        assert [log["trace_id"] for log in loupe.logs()] == ["halves"]
    finally:
        server.terminate()
        assert server.wait(30) == 0


def test_several_processes_take_in_what_several_serve(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    loupe.stop()
    loupe.options = ["--workers", "2", "--ingest", "2", "--thumbnails", "3"]
    loupe.start()
    readers = [pid for pid in processes(loupe, "work") if b"--jobs\0ingest\0" in cmdline(pid)]
    assert len(readers) == 2
    until(lambda: len(journal.folders(loupe.data / "journal")) == 2, "two processes serve")
    traces = {f"shared-{n}" for n in range(40)}

    def all_are_there() -> bool:
        return {log["trace_id"] for log in loupe.logs("limit=200") if log["state"] == "ok"} >= traces

    with ThreadPoolExecutor(8) as threads:
        for trace in traces:
            threads.submit(loupe.call, "/v1/models", headers={"x-portkey-trace-id": trace})
    until(all_are_there, "both journals are taken in")
    os.kill(readers[0], signal.SIGKILL)
    traces = {f"after-{n}" for n in range(40)}
    with ThreadPoolExecutor(8) as threads:
        for trace in traces:
            threads.submit(loupe.call, "/v1/models", headers={"x-portkey-trace-id": trace})
    until(all_are_there, "the share of the one that died is taken in by another")
    loupe.options = []


@pytest.mark.parametrize("options", [["--ingest", "0"], ["--thumbnails", "many"], ["--ingest", "-1"]])
def test_a_number_of_processes_that_is_none_is_explained(tmp_path: Path, options: list[str]) -> None:
    done = run_up(*options, LOUPE_DATA=str(tmp_path))
    assert done.returncode != 0
    assert "give 1 or more" in done.stderr or "expected one argument" in done.stderr


def test_one_worker_alone_does_what_only_one_may(own_loupe: Callable[..., Loupe]) -> None:
    loupe = own_loupe()
    command = [sys.executable, "manage.py", "work", "--once"]
    done = subprocess.run(command, cwd=ROOT, env=loupe.env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "Another worker does the job pictures on this data folder already" in done.stderr
    loupe.manage("work", "--once", "--jobs", "ingest")


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
