"""A logged request as code that runs as pasted: curl, Python, Node. Keys come from the environment, pictures from files.

The files are in a folder that can be downloaded as a ZIP: each picture, the body to the byte, and the three programs.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.content.json_text import parsed_or_none
from gateway.models import LogImage, Payload, RequestLog
from gateway.recording import bodies

TOKEN = re.compile(r"sha256:[0-9a-f]{64}")
INLINE_BYTES = 8000
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


@dataclass(frozen=True, slots=True)
class _Call:
    """What all programs have in common. `files` names the file of each picture by its token in `document`."""

    address: str
    base: str
    path: str
    method: str
    headers: dict[str, str]
    content_type: str
    document: Any
    raw: bytes
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
    from gateway.pictures import blobs

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
    document = parsed_or_none(text) if "json" in content_type else None
    plain = all(encoding.startswith("base64:padded") for _, _, encoding in payload.request_cuts)
    return _Call(
        address=base + log.path,
        base=f"{base}/v1",
        path=log.path,
        method=log.method,
        headers=_headers(log, document),
        content_type=content_type,
        document=document if isinstance(document, dict) and plain and len(text) <= LITERAL_BYTES else None,
        raw=text,
        files=_files(log, text.decode("utf-8", "replace")),
        folder=folder_name(log),
    )


def _headers(log: RequestLog, document: Any) -> dict[str, str]:
    """How the provider was chosen, said again. Values in braces are read from the environment."""
    headers = {"x-portkey-api-key": "{LOUPE_API_KEY}"}
    model = document.get("model") if isinstance(document, dict) else ""
    if log.virtual_key:
        named = isinstance(model, str) and model.startswith("@")
        return headers if named else headers | {"x-portkey-virtual-key": log.virtual_key.slug}
    return headers | {"x-portkey-provider": log.provider, "authorization": f"Bearer {{{OWN_KEY}}}"}


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
    return bool(call.files) or call.document is None or len(call.raw) > INLINE_BYTES


def _curl(call: _Call) -> str:
    lines = [f"curl {_shell(call.address)}"]
    for name, value in {**call.headers, "content-type": call.content_type}.items():
        lines.append(f"  -H {_shell_header(name, value)}")
    if _curl_needs_folder(call):
        lines.append(f"  --data-binary @{call.folder}/{_body_name(call)}")
    elif call.raw:
        lines.append(f"  -d {_shell(call.raw.decode())}")
    return " \\\n".join(lines)


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _shell_header(name: str, value: str) -> str:
    variable = re.sub(r"\{(\w+)\}", r"$\1", value)
    return f'"{name}: {variable}"' if variable != value else _shell(f"{name}: {value}")


def _python(call: _Call) -> str:
    if call.document is None:
        return "\n".join(_python_bytes(call))
    lines = ["import base64", "import os", "from pathlib import Path"] if call.files else ["import os"]
    lines += ["", "from openai import OpenAI", ""]
    if call.files:
        lines += [
            f'HERE = Path("{call.folder}")  # the folder that Loupe packed for this request',
            "",
            "",
            "def picture(name):",
            "    return base64.b64encode((HERE / name).read_bytes()).decode()",
            "",
            "",
        ]
    headers = _environment(call.headers, lambda name: f'os.environ["{name}"]')
    lines += [
        "client = OpenAI(",
        f"    base_url={json.dumps(call.base)},",
        '    api_key=os.environ["LOUPE_API_KEY"],',
        f"    default_headers={{{headers}}},",
        ")",
        f"body = {_literal(_python_body(call), call.files, _PYTHON_WORDS)}",
    ]
    return "\n".join([*lines, *_python_call(call)])


def _python_call(call: _Call) -> list[str]:
    method = METHODS.get(call.path)
    if method is None:
        return [f"print(client.post({json.dumps(call.path.removeprefix('/v1'))}, body=body, cast_to=object))"]
    if call.document.get("stream") is True:
        return [f"for event in client.{method}(**body):", "    print(event)"]
    return [f"print(client.{method}(**body))"]


def _python_body(call: _Call) -> dict[str, Any]:
    if call.path not in METHODS:
        return dict(call.document)
    known = {name: value for name, value in call.document.items() if name in SDK_FIELDS}
    extra = {name: value for name, value in call.document.items() if name not in SDK_FIELDS}
    return known | ({"extra_body": extra} if extra else {})


def _python_bytes(call: _Call) -> Iterator[str]:
    headers = _environment(call.headers, lambda name: f'os.environ["{name}"]')
    yield from ("import os", "import urllib.request", "from pathlib import Path", "")
    yield f'body = Path("{call.folder}/{_body_name(call)}").read_bytes()'
    yield f'headers = {{{headers}, "content-type": {json.dumps(call.content_type)}}}'
    yield f"request = urllib.request.Request({json.dumps(call.address)}, body, headers, method={json.dumps(call.method)})"
    yield "print(urllib.request.urlopen(request).read().decode())"


def _node(call: _Call) -> str:
    headers = _environment(call.headers, lambda name: f"process.env.{name}")
    lines = []
    if call.files or call.document is None:
        lines += ['import { readFileSync } from "node:fs";', ""]
    if call.document is None:
        lines += [f'const body = readFileSync("{call.folder}/{_body_name(call)}");']
    else:
        if call.files:
            lines += [f'const picture = (name) => readFileSync(`{call.folder}/${{name}}`).toString("base64");', ""]
        lines += [f"const body = JSON.stringify({_literal(call.document, call.files, _NODE_WORDS)});"]
    lines += [
        f"const answer = await fetch({json.dumps(call.address)}, {{",
        f"  method: {json.dumps(call.method)},",
        f'  headers: {{ {headers}, "content-type": {json.dumps(call.content_type)} }},',
        "  body,",
        "});",
        "console.log(await answer.text());",
    ]
    return "\n".join(lines)


def _environment(headers: dict[str, str], read: Callable[[str], str]) -> str:
    """Pairs of a literal for Python and Node alike; `{NAME}` in a value is read from the environment."""

    def value(text: str) -> str:
        before, brace, rest = text.partition("{")
        if not brace:
            return json.dumps(text)
        return (f"{json.dumps(before)} + " if before else "") + read(rest.rstrip("}"))

    return ", ".join(f"{json.dumps(name)}: {value(text)}" for name, text in headers.items())


_PYTHON_WORDS = {True: "True", False: "False", None: "None"}
_NODE_WORDS = {True: "true", False: "false", None: "null"}


def _literal(value: Any, files: dict[str, str], words: dict[bool | None, str], depth: int = 0) -> str:
    """A value as Python and JavaScript both write it, but for three words; a picture's token becomes `picture("i0.png")`."""
    inner, outer = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict) and value:
        pairs = (f"{inner}{json.dumps(name)}: {_literal(one, files, words, depth + 1)}" for name, one in value.items())
        return "{\n" + ",\n".join(pairs) + f",\n{outer}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + _literal(one, files, words, depth + 1) for one in value) + f",\n{outer}]"
    if isinstance(value, bool) or value is None:
        return words[value]
    return _text_literal(value, files) if isinstance(value, str) else json.dumps(value)


def _text_literal(text: str, files: dict[str, str]) -> str:
    parts, done = [], 0
    for match in TOKEN.finditer(text):
        if match[0] in files:
            parts += [json.dumps(text[done : match.start()])] if match.start() > done else []
            parts.append(f'picture("{files[match[0]]}")')
            done = match.end()
    if done < len(text) or not parts:
        parts.append(json.dumps(text[done:]))
    return " + ".join(parts)
