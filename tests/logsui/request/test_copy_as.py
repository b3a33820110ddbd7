"""Copied code is run as it was copied: the provider must get the same body again."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import uuid
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import Stage, needs
from tests.fake_upstream import chat_events, response, stream
from tests.logsui.browser import Browser
from tests.pictures import data_url, picture

COMMANDS = {"curl": ["bash", "curl.sh"], "python": [sys.executable, "again.py"], "node": ["node", "again.mjs"]}


@pytest.fixture(params=COMMANDS)
def program(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    needs({"curl": "curl", "python": "bash", "node": "node"}[name])
    return name


def noise(side: int) -> bytes:
    """A PNG of about three bytes for each pixel."""
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(out, "PNG")
    return out.getvalue()


def copied(browser: Browser, id: str, program: str) -> str:
    """What the button copies."""
    return browser.get(f"/w/default/logs/{id}/again/{program}").text


def run(program: str, text: str, folder: Path, stage: Stage, **env: str) -> str:
    """Paste it into a file and run it where the folder was unpacked."""
    command = COMMANDS[program]
    (folder / command[-1]).write_text(text)
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"LOUPE_API_KEY": stage.loupe.key} | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sent_again(stage: Stage) -> tuple[Any, Any]:
    first, second = stage.case.requests
    return json.loads(first.body), json.loads(second.body)


def test_a_small_request_runs_as_pasted(stage: Stage, browser: Browser, program: str, tmp_path: Path) -> None:
    stage.chat(
        {"messages": [{"role": "user", "content": 'It\'s "quoted", $HOME and `ticks` and ünïcode'}], "user": "x"}
    )
    said = run(program, copied(browser, stage.log()["id"], program), tmp_path, stage)
    assert "A red square." in said
    first, again = sent_again(stage)
    assert first == again


def test_pictures_come_from_the_downloaded_folder(stage: Stage, browser: Browser, program: str, tmp_path: Path) -> None:
    content = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in (noise(60), noise(61))]
    stage.chat({"messages": [{"role": "user", "content": content}], "loupe_unknown_field": [1, None, True]})
    id = stage.log()["id"]
    folder = zipfile.ZipFile(io.BytesIO(browser.get(f"/w/default/logs/{id}/folder.zip").body))
    folder.extractall(tmp_path)
    text = copied(browser, id, program)
    assert not re.search(r"[A-Za-z0-9+/]{200}", text)
    assert "A red square." in run(program, text, tmp_path, stage)
    first, again = sent_again(stage)
    assert first == again


def test_curl_holds_small_pictures_itself_and_shows_them_shortened(
    stage: Stage, browser: Browser, tmp_path: Path
) -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(noise(40))}}
    stage.chat({"messages": [{"role": "user", "content": [{"type": "text", "text": "small"}, part]}]})
    id = stage.log()["id"]
    needs("curl")
    run("curl", copied(browser, id, "curl"), tmp_path, stage)
    first, again = sent_again(stage)
    assert first == again
    page = browser.get(f"/w/default/logs/{id}").text
    assert not re.search(r"[A-Za-z0-9+/]{200}", page)
    assert "characters…" in page
    assert browser.get(f"/w/default/logs/{id}/again/cobol").status == 404


def test_a_stream_is_asked_for_again(stage: Stage, browser: Browser, program: str, tmp_path: Path) -> None:
    stage.case.will(stream(chat_events("A", " blue", " line")))
    stage.chat({"stream": True})
    stage.case.will(stream(chat_events("A", " blue", " line")))
    assert "blue" in run(program, copied(browser, stage.log()["id"], program), tmp_path, stage)
    assert sent_again(stage)[1]["stream"] is True


def test_a_caller_with_a_key_of_its_own_is_asked_for_it(stage: Stage, browser: Browser, program: str) -> None:
    stage.post("/v1/chat/completions", json.dumps({"model": "m", "messages": []}).encode(), x_portkey_provider="openai")
    text = copied(browser, stage.log()["id"], program)
    assert "PROVIDER_API_KEY" in text
    assert "sk-" not in text


def test_an_upload_is_sent_as_the_same_bytes(stage: Stage, browser: Browser, program: str, tmp_path: Path) -> None:
    stage.case.will(
        response(body={"created": 1, "data": [{"b64_json": "aGk="}]}), response(body={"created": 1, "data": []})
    )
    boundary = "loupe-boundary"
    part = f'--{boundary}\r\ncontent-disposition: form-data; name="{{}}"'
    body = b"\r\n".join(
        [
            part.format("model").encode(),
            b"",
            b"gpt-image-1",
            (part.format("image") + '; filename="a.png"\r\ncontent-type: image/png').encode(),
            b"",
            picture(),
            f"--{boundary}--".encode(),
            b"",
        ]
    )
    headers = {"content_type": f"multipart/form-data; boundary={boundary}", "x_portkey_virtual_key": stage.slug}
    stage.post("/v1/images/edits", body, **headers)
    id = stage.log()["id"]
    zipfile.ZipFile(io.BytesIO(browser.get(f"/w/default/logs/{id}/folder.zip").body)).extractall(tmp_path)
    run(program, copied(browser, id, program), tmp_path, stage)
    first, again = stage.case.requests
    assert first.body == again.body == body


EVERY_CHARACTER = "".join(map(chr, [*range(1, 256), 0x2028, 0x2029, 0x202E, 0xFEFF, 0x1F600]))
COMMANDS_OF_A_STRANGER = [
    "$(touch owned)",
    "`touch owned`",
    "'; touch owned; '",
    '"; touch owned; "',
    "{LOUPE_API_KEY}$(touch owned)",
    "\\'; touch owned #",
    "' + __import__('os').system('touch owned') + '",
    '" + __import__("os").system("touch owned") + "',
    "{__import__('os').system('touch owned')}",
    '${require("node:fs").writeFileSync("owned","")}',
    '" + process.getBuiltinModule("fs").writeFileSync("owned","") + "',
    "`+process.getBuiltinModule('fs').writeFileSync('owned','')+`",
    "sha256:" + "0" * 64,
    "\\",
    "%s%n{}{0}",
    "!!",
    "~root *",
    "@owned",
]


def test_hostile_text_anywhere_in_a_body_stays_text(
    stage: Stage, browser: Browser, program: str, tmp_path: Path
) -> None:
    texts = [EVERY_CHARACTER, *COMMANDS_OF_A_STRANGER]
    fields = {"user": "".join(COMMANDS_OF_A_STRANGER), "metadata": {text: text for text in texts}}
    stage.chat({"messages": [{"role": "user", "content": text} for text in texts], **fields, **dict.fromkeys(texts, 1)})
    run(program, copied(browser, stage.log()["id"], program), tmp_path, stage)
    first, again = sent_again(stage)
    assert first == again
    assert [path.name for path in tmp_path.iterdir()] == [COMMANDS[program][-1]]


def test_hostile_text_in_a_content_type_stays_text(
    stage: Stage, browser: Browser, program: str, tmp_path: Path
) -> None:
    for text in [*COMMANDS_OF_A_STRANGER, "".join(map(chr, range(0x20, 0x7F)))]:
        stage.case.requests.clear()
        fresh = replace(stage, trace=f"trace-{uuid.uuid4()}")
        fresh.chat(content_type=f"application/json; charset={text}")
        run(program, copied(browser, fresh.log()["id"], program), tmp_path, fresh)
        assert sent_again(fresh)[0] == sent_again(fresh)[1]
    assert [path.name for path in tmp_path.iterdir()] == [COMMANDS[program][-1]]


def test_an_odd_path_stays_a_path(stage: Stage, browser: Browser, program: str, tmp_path: Path) -> None:
    path = "/v1/odd/$(touch$IFS'owned');'$(touch$IFS'owned')[1-3]%60touch"
    stage.post(path, json.dumps({"model": f"@{stage.slug}/m"}).encode())
    run(program, copied(browser, stage.log()["id"], program), tmp_path, stage)
    first, again = stage.case.requests
    assert first.path == again.path
    assert [path.name for path in tmp_path.iterdir()] == [COMMANDS[program][-1]]


@pytest.mark.parametrize(
    "value",
    ['{"__proto__": {"a": 1}}', '"\\ud800"', "9007199254740993", "[" * 100 + "]" * 100],
    ids=["prototype", "half-a-surrogate", "large-integer", "deep"],
)
def test_what_a_literal_cannot_say_is_sent_as_bytes(
    stage: Stage, browser: Browser, program: str, tmp_path: Path, value: str
) -> None:
    body = f'{{"model": "@{stage.slug}/m", "messages": [], "odd": {value}}}'.encode()
    stage.post("/v1/chat/completions", body)
    id = stage.log()["id"]
    zipfile.ZipFile(io.BytesIO(browser.get(f"/w/default/logs/{id}/folder.zip").body)).extractall(tmp_path)
    run(program, copied(browser, id, program), tmp_path, stage)
    first, again = stage.case.requests
    assert first.body == again.body
