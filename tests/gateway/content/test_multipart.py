"""A form is read the same whoever wrote it: the writers of Python, .NET, Go and browsers, and the corners of the standard."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from urllib.parse import quote

import httpx2
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.content.multipart import boundary_of, parts

Field = tuple[str, str | None, bytes]
Writer = Callable[[list[Field]], tuple[bytes, str]]


def _token(text: str) -> bool:
    return text.isascii() and text.isalnum()


def dotnet(fields: list[Field]) -> tuple[bytes, str]:
    """System.Net.Http.MultipartFormDataContent: names are quoted only where they are no token, MIME words beyond ASCII."""

    def value(text: str) -> str:
        if not text.isascii():
            text = f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?="
        return text if _token(text) else f'"{text}"'

    pieces = []
    for name, filename, data in fields:
        file = (
            f"; filename={value(filename)}; filename*=utf-8''{quote(filename, safe='')}" if filename is not None else ""
        )
        head = f"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name={value(name)}{file}"
        pieces.append(f"--b-1\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(pieces) + b"--b-1--\r\n", 'multipart/form-data; boundary="b-1"'


def golang(fields: list[Field]) -> tuple[bytes, str]:
    """mime/multipart.Writer: quotes and backslashes behind a backslash."""

    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"')

    pieces = []
    for name, filename, data in fields:
        file = f'; filename="{escaped(filename)}"' if filename is not None else ""
        kind = "\r\nContent-Type: application/octet-stream" if filename is not None else ""
        head = f'Content-Disposition: form-data; name="{escaped(name)}"{file}{kind}'
        pieces.append(f"--0f9e\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(pieces) + b"--0f9e--\r\n", "multipart/form-data; boundary=0f9e"


def python_httpx(fields: list[Field]) -> tuple[bytes, str]:
    files = [(name, (filename, data) if filename is not None else (None, data)) for name, filename, data in fields]
    request = httpx2.Request("POST", "http://x/", files=files)
    return request.read(), request.headers["content-type"]


def python_requests(fields: list[Field]) -> tuple[bytes, str]:
    files = [(name, (filename, data)) for name, filename, data in fields]
    request = requests.Request("POST", "http://x/", files=files).prepare()  # type: ignore[arg-type]
    assert isinstance(request.body, bytes)
    return request.body, request.headers["Content-Type"]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters='\\"%?='), min_size=1)
CONTENT = st.binary(max_size=60).filter(lambda data: b"--" not in data)
FIELDS = st.lists(st.tuples(NAMES, st.none() | NAMES, CONTENT), min_size=1, max_size=4)


@settings(max_examples=60)
@given(st.sampled_from([dotnet, golang, python_httpx, python_requests]), FIELDS)
def test_a_form_is_read_whoever_wrote_it(write: Writer, fields: list[Field]) -> None:
    body, content_type = write(fields)
    boundary = boundary_of(content_type)
    assert boundary
    found = [(part.name, part.filename, body[part.start : part.end]) for part in parts(body, boundary)]
    assert found == fields


@given(NAMES.map(lambda name: name + '"\\'))
def test_quotes_in_names_are_read_behind_a_backslash(name: str) -> None:
    body, _ = golang([(name, name, b"x")])
    assert [(part.name, part.filename) for part in parts(body, b"0f9e")] == [(name, name)]


def test_the_form_of_node_is_read() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.fail("install Node (https://nodejs.org): undici's forms are read in this test")
    script = """
        const form = new FormData();
        form.append('mo"del\\r\\n', 'gpt');
        form.append('image[]', new Blob([new Uint8Array([1, 2, 3])], {type: 'image/png'}), 'ü "a".png');
        const response = new Response(form);
        response.arrayBuffer().then((body) => console.log(JSON.stringify(
            {type: response.headers.get('content-type'), body: Buffer.from(body).toString('base64')})));
    """
    made = json.loads(subprocess.run([node, "-e", script], capture_output=True, text=True, check=True).stdout)
    body, boundary = base64.b64decode(made["body"]), boundary_of(made["type"])
    assert boundary
    found = [
        (part.name, part.filename, part.content_type, body[part.start : part.end]) for part in parts(body, boundary)
    ]
    assert found == [
        ('mo"del\r\n', None, "", b"gpt"),
        ("image[]", 'ü "a".png', "image/png", b"\x01\x02\x03"),
    ]


@pytest.mark.parametrize(
    ("head", "name", "filename"),
    [
        ("content-disposition:form-data;name=a;filename=b c.png", "a", "b c.png"),
        ('Content-Disposition: form-data;\r\n name="a";\r\n\tfilename="b"', "a", "b"),
        ("CONTENT-DISPOSITION: FORM-DATA; NAME=a; filename*=UTF-8'en'b%20%C3%BC", "a", "b ü"),
        ("Content-Disposition: form-data; filename*=ISO-8859-1''%FC; name=a; filename=u", "a", "ü"),
        ('X-Other: name="no"\r\nContent-Disposition: form-data; name = "a" ; x="; name=b"', "a", None),
        ("", "", None),
    ],
)
def test_a_part_says_its_name_in_any_legal_way(head: str, name: str, filename: str | None) -> None:
    body = f"--b\r\n{head}{chr(13) + chr(10) if head else ''}\r\nvalue\r\n--b--".encode()
    (part,) = parts(body, b"b")
    assert (part.name, part.filename, body[part.start : part.end]) == (name, filename, b"value")


@pytest.mark.parametrize("boundary", ["b", "'()+_,-./:=?", "gc0pJq0M:08jU534c0p", "a b c"])
def test_a_boundary_holds_what_the_standard_allows_and_a_longer_line_is_content(boundary: str) -> None:
    fence = f"--{boundary}"
    body = f'preamble {fence}\r\n{fence} \t\r\nContent-Disposition: form-data; name="a"\r\n\r\n{fence}x\r\n {fence}\r\n{fence}--'
    found = boundary_of(f'multipart/form-data; charset=utf-8; boundary="{boundary}"')
    assert found == boundary.encode()
    (part,) = parts(body.encode(), found)
    assert body[part.start : part.end] == f"{fence}x\r\n {fence}"
