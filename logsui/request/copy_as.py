"""A logged request as code that runs as pasted: curl, Python, Node. Keys come from the environment, pictures from files.

The files are in a folder that can be downloaded as a ZIP: each picture, the body to the byte, and the three programs.
"""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.content.json_written import parsed_as_written
from gateway.models import LogImage, Payload, RequestLog
from gateway.pictures import blobs
from gateway.recording import bodies
from logsui.request.literals import (
    JAVASCRIPT,
    PYTHON,
    Language,
    Variable,
    means_the_same_everywhere,
    shell_header,
    shell_word,
)

LONG_DATA = re.compile(r"[A-Za-z0-9+/_=-]{160,}")
TOKEN = re.compile(r"sha256:[0-9a-f]{64}")
INLINE_BYTES = 16_000  # what can be pasted into a terminal, pictures and all
LITERAL_BYTES = 32_000  # a longer body is read from the folder as it is
SUFFIXES = {"image/jpeg": "jpg", "image/svg+xml": "svg"}
OWN_KEY = "PROVIDER_API_KEY"
METHODS = {"/v1/chat/completions": "chat.completions.create", "/v1/responses": "responses.create"}
# What the SDK's methods take by name; all else goes through `extra_body`.
SDK_FIELDS = frozenset(
    "model messages input instructions stream temperature top_p n stop seed user tools tool_choice response_format "
    "max_tokens max_completion_tokens max_output_tokens presence_penalty frequency_penalty logprobs top_logprobs".split()
)


@dataclass(frozen=True, slots=True)
class Program:
    """One way to make the request again. `needs_folder` says that it reads files of the folder."""

    name: str
    title: str
    file: str
    text: str
    needs_folder: bool

    @property
    def shown(self) -> str:
        """To be read: with pictures written out it would be read by nobody."""
        return LONG_DATA.sub(lambda found: f"…{len(found[0]):,} characters…", self.text)


@dataclass(frozen=True, slots=True)
class _Call:
    """What all programs have in common. `files` names the file of each picture by its token in `document`; `whole` is the body
    with its pictures where it is small enough to be pasted, else None.
    """

    address: str
    base: str
    path: str
    method: str
    headers: Mapping[str, str | Variable]
    content_type: str
    document: dict[str, Any] | None
    raw: bytes
    whole: bytes | None
    files: dict[str, str]
    folder: str


def programs(log: RequestLog, payload: Payload, base: str) -> list[Program]:
    """`base` is this Loupe's address, without a path."""
    call = _read(log, payload, base)
    return [
        Program("curl", "curl", "curl.sh", _curl(call), _curl_needs_folder(call)),
        Program("python", "Python", "again.py", _python(call), call.document is None or bool(call.files)),
        Program("node", "Node", "again.mjs", _node(call), call.document is None or bool(call.files)),
    ]


def folder_name(log: RequestLog) -> str:
    return f"loupe-{log.pk.hex[-12:]}"


def folder_zip(log: RequestLog, payload: Payload, base: str) -> bytes:
    """The folder as a ZIP. Raises blobs.BlobMissing when a picture is not there any more."""
    call = _read(log, payload, base)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{call.folder}/{_body_name(call)}", bodies.request_body(payload))
        for token, name in call.files.items():
            archive.writestr(f"{call.folder}/{name}", blobs.get(token.removeprefix("sha256:")))
        for program in programs(log, payload, base):
            archive.writestr(f"{call.folder}/{program.file}", program.text + "\n")
    return out.getvalue()


def _read(log: RequestLog, payload: Payload, base: str) -> _Call:
    text = bodies.request_text(payload)
    content_type = payload.request_headers.get("content-type", "application/json")
    parsed = parsed_as_written(text) if "json" in content_type else None
    document = parsed if isinstance(parsed, dict) else None
    return _Call(
        address=base + log.path,
        base=f"{base}/v1",
        path=log.path,
        method=log.method,
        headers=_headers(log, document),
        content_type=content_type,
        document=document if document is not None and _can_be_written(log, payload, text, document) else None,
        raw=text,
        whole=_whole(log, payload, text) if document is not None else None,
        files=_files(log, text.decode("utf-8", "replace")),
        folder=folder_name(log),
    )


def _whole(log: RequestLog, payload: Payload, text: bytes) -> bytes | None:
    pictures = (one.image.size for one in log.images.all() if one.image and one.is_input and one.source != "link")
    if len(text) + sum(-(-size // 3) * 4 for size in pictures) > INLINE_BYTES:
        return None
    with contextlib.suppress(blobs.BlobMissing):
        body = bodies.request_body(payload)
        return body if len(body) <= INLINE_BYTES else None
    return None


def _can_be_written(log: RequestLog, payload: Payload, text: bytes, document: dict[str, Any]) -> bool:
    """Whether a literal is the same request; else the programs read the body as bytes from the folder."""
    plain = all(encoding.startswith("base64:padded") for _, _, encoding in payload.request_cuts)
    short = log.method == "POST" and len(text) <= LITERAL_BYTES
    return plain and short and means_the_same_everywhere(document)


def _headers(log: RequestLog, document: dict[str, Any] | None) -> dict[str, str | Variable]:
    """How the provider was chosen, said again. Keys are read from the environment."""
    headers: dict[str, str | Variable] = {"x-portkey-api-key": Variable("LOUPE_API_KEY")}
    model = document.get("model") if document is not None else ""
    if log.virtual_key:
        named = isinstance(model, str) and model.startswith("@")
        return headers if named else headers | {"x-portkey-virtual-key": log.virtual_key.slug}
    return headers | {"x-portkey-provider": log.provider, "authorization": Variable(OWN_KEY, before="Bearer ")}


def _files(log: RequestLog, text: str) -> dict[str, str]:
    known = {f"sha256:{one.image_id}": one for one in log.images.all() if one.direction == LogImage.Direction.INPUT}
    tokens = [token for token in dict.fromkeys(TOKEN.findall(text)) if token in known]
    return {token: f"{known[token].number}.{_suffix(known[token])}" for token in tokens}


def _suffix(one: LogImage) -> str:
    media_type = one.image.media_type if one.image else ""
    return SUFFIXES.get(media_type) or re.sub(r"[^a-z0-9]", "", media_type.partition("/")[2]) or "bin"


def _body_name(call: _Call) -> str:
    return "request.json" if "json" in call.content_type else "request.bin"


def _curl_needs_folder(call: _Call) -> bool:
    return call.whole is None or call.document is None


def _curl(call: _Call) -> str:
    lines = [f"curl --globoff {shell_word(call.address)}"]
    if call.method != "POST":
        lines.append(f"  -X {shell_word(call.method)}")
    for name, value in {**call.headers, "content-type": call.content_type}.items():
        lines.append(f"  -H {shell_header(name, value)}")
    if _curl_needs_folder(call):
        lines.append(f"  --data-binary {shell_word(f'@{call.folder}/{_body_name(call)}')}")
    elif call.whole:
        lines.append(f"  --data-raw {shell_word(call.whole.decode())}")
    return " \\\n".join(lines)


def _python(call: _Call) -> str:
    if call.document is None:
        return "\n".join(_python_bytes(call))
    lines = ["import base64", "import os", "from pathlib import Path"] if call.files else ["import os"]
    lines += ["", "from openai import OpenAI", ""]
    if call.files:
        lines += [
            f"HERE = Path({PYTHON.text(call.folder)})  # the folder that Loupe packed for this request",
            "",
            "",
            "def picture(name):",
            "    return base64.b64encode((HERE / name).read_bytes()).decode()",
            "",
            "",
        ]
    lines += [
        "client = OpenAI(",
        f"    base_url={PYTHON.text(call.base)},",
        f"    api_key={PYTHON.value(Variable('LOUPE_API_KEY'))},",
        f"    default_headers={{{PYTHON.pairs(call.headers)}}},",
        ")",
        f"body = {_literal(_python_body(call, call.document), call.files, PYTHON)}",
    ]
    return "\n".join([*lines, *_python_call(call, call.document)])


def _python_call(call: _Call, document: dict[str, Any]) -> list[str]:
    method = METHODS.get(call.path)
    if method is None:
        return [f"print(client.post({PYTHON.text(call.path.removeprefix('/v1'))}, body=body, cast_to=object))"]
    if document.get("stream") is True:
        return [f"for event in client.{method}(**body):", "    print(event)"]
    return [f"print(client.{method}(**body))"]


def _python_body(call: _Call, document: dict[str, Any]) -> dict[str, Any]:
    if call.path not in METHODS:
        return document
    known = {name: value for name, value in document.items() if name in SDK_FIELDS}
    extra = {name: value for name, value in document.items() if name not in SDK_FIELDS}
    return known | ({"extra_body": extra} if extra else {})


def _python_bytes(call: _Call) -> Iterator[str]:
    headers = PYTHON.pairs({**call.headers, "content-type": call.content_type})
    yield from ("import os", "import urllib.request", "from pathlib import Path", "")
    yield f"body = Path({PYTHON.text(f'{call.folder}/{_body_name(call)}')}).read_bytes()"
    yield f"headers = {{{headers}}}"
    address, method = PYTHON.text(call.address), PYTHON.text(call.method)
    yield f"request = urllib.request.Request({address}, body, headers, method={method})"
    yield "print(urllib.request.urlopen(request).read().decode())"


def _node(call: _Call) -> str:
    lines = []
    if call.files or call.document is None:
        lines += ['import { readFileSync } from "node:fs";', ""]
    if call.document is None:
        lines += [f"const body = readFileSync({JAVASCRIPT.text(f'{call.folder}/{_body_name(call)}')});"]
    else:
        if call.files:
            folder = JAVASCRIPT.text(f"{call.folder}/")
            lines += [f'const picture = (name) => readFileSync({folder} + name).toString("base64");', ""]
        lines += [f"const body = JSON.stringify({_literal(call.document, call.files, JAVASCRIPT)});"]
    headers = JAVASCRIPT.pairs({**call.headers, "content-type": call.content_type})
    lines += [
        f"const answer = await fetch({JAVASCRIPT.text(call.address)}, {{",
        f"  method: {JAVASCRIPT.text(call.method)},",
        f"  headers: {{ {headers} }},",
        "  body,",
        "});",
        "console.log(await answer.text());",
    ]
    return "\n".join(lines)


def _literal(value: Any, files: dict[str, str], language: Language, depth: int = 0) -> str:
    """A JSON value in the language; a picture's token becomes `picture("i0.png")`."""
    inner, outer = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict) and value:
        pairs = (
            f"{inner}{language.text(name)}: {_literal(one, files, language, depth + 1)}" for name, one in value.items()
        )
        return "{\n" + ",\n".join(pairs) + f",\n{outer}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + _literal(one, files, language, depth + 1) for one in value) + f",\n{outer}]"
    return _text_literal(value, files, language) if isinstance(value, str) else language.plain(value)


def _text_literal(text: str, files: dict[str, str], language: Language) -> str:
    parts, done = [], 0
    for match in TOKEN.finditer(text):
        if match[0] in files:
            parts += [language.text(text[done : match.start()])] if match.start() > done else []
            parts.append(f"picture({language.text(files[match[0]])})")
            done = match.end()
    if done < len(text) or not parts:
        parts.append(language.text(text[done:]))
    return " + ".join(parts)
